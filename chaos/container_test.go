package chaos

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/testenv"
)

// TestLiveContainers runs one plan in containers: the schedule is the plan's,
// byte for byte, as it is for processes, and every kind of fault takes effect.
func TestLiveContainers(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: starts real servers for some seconds")
	}
	testenv.RequireEngine(t)
	defer goleak.VerifyNone(t)
	plan, err := scenario.New(scenario.Options{Duration: 6 * time.Second, Story: "amnesia", Seed: 1, Nodes: 3, Clients: 3, Keys: 2})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	res, err := Run(t.Context(), Options{Plan: plan, Dir: dir, Backend: string(testenv.BackendContainer), Replay: "again"})
	if err != nil {
		t.Fatal(err)
	}
	if res.Word != linearizability.WordNoViolation && res.Word != linearizability.WordVacuous {
		t.Errorf("verdict: %s", res.Word)
	}
	if res.Tally.Acquired == 0 {
		t.Error("nothing was acquired")
	}
	if len(res.Kinds) == 0 {
		t.Error("no fault was planned")
	}
	for _, k := range res.Kinds {
		if k.Confirmed == 0 {
			t.Errorf("%s: none of %d took effect", k.Kind, k.Planned)
		}
	}
	want, err := plan.JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "schedule.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the schedule is another one than that of the plan")
	}
	checkFiles(t, dir, res)
}
