package sim_test

import (
	"os"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
)

// A client of another library cleans up as well as it can, and what nobody can
// clean up is not held against the lock. Campaigns found both.
func TestForeignClientsLeaveNothing(t *testing.T) {
	for _, tt := range []struct{ file, why string }{
		{"foreign-overtaken", "a DEL was executed before the SET NX of its attempt, and answered after it"},
		{"foreign-elsewhere", "a SET NX was held up until its node's name led to another server"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + tt.file + ".json")
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
				t.Errorf("%s falls where %s: %s", property, tt.why, story)
			}
			if o.Acquired == 0 {
				t.Error("nothing was acquired")
			}
		})
	}
}
