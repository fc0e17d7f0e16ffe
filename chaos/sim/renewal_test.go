package sim_test

import (
	"os"
	"slices"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
	"github.com/quorumlock/quorumlock/linearizability"
)

// A client that stood still wins late, and begins a renewal before its acquire
// has returned. The history has the renewal, after the acquire.
func TestARenewalThatBeginsBeforeTheAcquireReturned(t *testing.T) {
	data, err := os.ReadFile("testdata/early-renewal.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := scenario.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	o, err := sim.Run(t.Context(), sim.Options{Plan: p})
	if err != nil {
		t.Fatal(err)
	}
	acquired := slices.IndexFunc(o.Events, func(e linearizability.Event) bool {
		return e.F == linearizability.Acquire && e.Type == linearizability.OK
	})
	renewed := slices.IndexFunc(o.Events, func(e linearizability.Event) bool {
		return e.F == linearizability.Extend && e.Type == linearizability.OK
	})
	if acquired < 0 || renewed < acquired {
		t.Errorf("acquired in line %d, renewed in line %d", acquired, renewed)
	}
	if v := o.Verdict.Property(linearizability.TimelyLoss); v.Outcome != linearizability.Valid && v.Outcome != linearizability.NotJudged {
		t.Errorf("timely loss is %s: %s", v.Outcome, v.Reason)
	}
}
