package sim

import (
	"cmp"
	"context"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// Options say what to simulate.
type Options struct {
	_ struct{}

	// Plan is the run. One without a Simulation, as live runs have, gets steady
	// clocks and a short way to every node.
	Plan *scenario.Plan

	// Narrate, if not nil, is told each step in plain English, one line at a
	// time. It changes nothing but the speed.
	Narrate func(line string)
}

// Outcome is what a run came to.
type Outcome struct {
	Events  []linearizability.Event  // the history, in order; see Runner.Run for how long it lasts
	Params  linearizability.Params   // with which it was judged, broken assumptions included
	Verdict *linearizability.Verdict // Vacuous is left to the caller, who knows what the plan was for

	// Broken is the *InvariantError of the first invariant that fell, or nil. The
	// run went on after it, unless it was Progress.
	Broken error

	Acquired  int               // successful acquires
	Simulated time.Duration     // true time that passed in the run
	Healed    time.Duration     // when the last fault had been healed
	Processed uint64            // events of the queue
	Turns     []int             // how many operations each worker began
	Begun     [][]time.Duration // and when, in true time
	Faults    []Strike          // of plan and stories, in the order in which they were entered
	Stories   []StoryOutcome
	Coverage  Coverage

	// Digest is of everything that happened: every message, every step's
	// events, every line of the history. It is equal for equal plans.
	Digest [32]byte

	counts counts
}

// counts are what a Tally needs.
type counts struct {
	done               [len(operations)]int
	underFault, waited int
	refused            int
	paths              [pathCount]uint64
}

// Violation returns the first claimed property that fell, or an invariant, and
// how; "" if none did.
func (o *Outcome) Violation() (property, story string) {
	for i := range o.Verdict.Properties {
		p := &o.Verdict.Properties[i]
		if p.Claimed && p.Outcome == linearizability.Invalid {
			return string(p.Property), p.Reason
		}
	}
	if o.Broken != nil {
		e := o.Broken.(*InvariantError)
		return string(e.Invariant), e.Error()
	}
	return "", ""
}

// Refused is how often the fence turned a stale holder away.
func (o *Outcome) Refused() int { return o.counts.refused }

// AddTo adds what happened to a tally, whose maps are made where they are nil.
// It agrees with linearizability.TallyOf in what it counts, but for failed and
// unknown operations, which it leaves out, and costs next to nothing.
func (o *Outcome) AddTo(t *linearizability.Tally) {
	for _, m := range []*map[linearizability.F]int{&t.Succeeded, &t.Failed, &t.Unknown, &t.Confirmed} {
		if *m == nil {
			*m = map[linearizability.F]int{}
		}
	}
	if t.Paths == nil {
		t.Paths = map[string]int{}
	}
	t.Acquired += o.Acquired
	t.UnderFault += o.counts.underFault
	t.Waited += o.counts.waited
	for i, n := range o.counts.done {
		if n > 0 {
			t.Succeeded[operations[i]] += n
		}
	}
	for i := range o.Faults {
		if o.Faults[i].Confirmed {
			t.Confirmed[linearizability.F(o.Faults[i].Fault.Kind)]++
		}
	}
	for i, n := range o.counts.paths {
		if n > 0 {
			t.Paths[pathNames[i]] += int(n)
		}
	}
}

// Run simulates one plan. The error says that the plan is impossible, a
// *scenario.OptionError, or that ctx ended; a violation is an outcome.
func Run(ctx context.Context, o Options) (*Outcome, error) { return new(Runner).Run(ctx, o) }

// Runner simulates one plan after another in the same memory. It is not safe
// for use by several goroutines at once; the zero Runner is ready.
type Runner struct{ run run }

// Run is the function of that name. The outcome's events, and what they point
// to, last until the next Run of the same Runner.
func (n *Runner) Run(ctx context.Context, o Options) (*Outcome, error) {
	if err := check(o.Plan); err != nil {
		return nil, err
	}
	r := &n.run
	defer r.stopRoutines()
	if r.setUp(o.Plan, o.Narrate) {
		if err := r.loop(ctx); err != nil {
			return nil, err
		}
	}
	return r.conclude()
}

// check refuses what cannot be simulated.
func check(p *scenario.Plan) error {
	if p == nil {
		return &scenario.OptionError{Field: "plan", Value: "nil", Reason: "there is nothing to simulate"}
	}
	if err := cmp.Or(p.Validate(), p.Simulable()); err != nil {
		return err
	}
	if len(p.Workers) == 0 && len(p.Stories) == 0 {
		return &scenario.OptionError{Field: "workers", Value: "none", Reason: "somebody must do something"}
	}
	return nil
}
