package mutants

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// stories is where shrunk stories are kept, from the module's root.
const stories = "chaos/campaign/testdata/shrunk"

// replayStory replays the story that was shrunk of the mutant, if there is one,
// and notes in the row whether the mistake still shows in it. A story that no
// longer shows it has to be shrunk anew: see Shrink.
func (o *Options) replayStory(ctx context.Context, m *Mutant, program string, row *Row) error {
	path := filepath.Join(o.Root, filepath.FromSlash(stories), m.Name+".json")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var story struct {
		Steps int `json:"steps"`
	}
	if err := readJSON(path, &story); err != nil {
		return err
	}
	row.StorySteps = story.Steps
	out, err := exec.CommandContext(ctx, program, "replay", path, "--quiet").CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode() < 3) {
		return fmt.Errorf("mutants: replaying %s: %w\n%s", path, err, out)
	}
	var fell []string
	for _, line := range strings.Split(string(out), "\n") {
		if what, ok := strings.CutPrefix(line, "  "); ok {
			fell = append(fell, what)
		}
	}
	if !slices.Contains(fell, m.Property) {
		row.fail("its story %s shows %s, not that %s falls", path, strings.Join(append(fell, "nothing")[:max(1, len(fell))], ", "), m.Property)
	}
	return nil
}
