package sim_test

import (
	"os"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
)

// standsIn runs a plan under testdata, in which something fell once.
func standsIn(t *testing.T, plan string) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + plan + ".json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := scenario.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	var r sim.Runner
	o := simulate(t, &r, p)
	if property, story := o.Violation(); property != "" {
		t.Errorf("%s: %s", property, story)
	}
	if o.Acquired == 0 {
		t.Error("nothing was acquired")
	}
}

// A client seals a newcomer and stands still. Meanwhile the name goes back to
// the old server, which votes, and to the newcomer again. The client wakes and
// admits the newcomer by its old seal, with a floor from before those votes; a
// catch-up then raised the newcomer's own entry to the present view, under the
// same id, and it voted below a token that was completed. The simulator found
// it; since then a node gives up its vote whenever its own entry rises.
func TestStaleAdmit(t *testing.T) { standsIn(t, "stale-admit") }
