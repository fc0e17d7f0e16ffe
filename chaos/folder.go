package chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// scheduleFile is where a run's folder has its plan.
const scheduleFile = "schedule.json"

// prepare makes the folder of a run and writes the schedule into it. A folder
// that holds anything is refused: it may be another run's.
func prepare(dir string, p *scenario.Plan) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	if list, err := os.ReadDir(dir); err != nil {
		return fmt.Errorf("chaos: %w", err)
	} else if len(list) > 0 {
		return fmt.Errorf("chaos: the folder %s must be empty, and holds %s", dir, list[0].Name())
	}
	schedule, err := p.JSON()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, scheduleFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	_, err = f.Write(schedule)
	return errors.Join(err, f.Close())
}
