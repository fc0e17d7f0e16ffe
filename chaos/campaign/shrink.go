package campaign

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// DefaultShrinkRuns is how many runs Shrink makes where no number is given.
const DefaultShrinkRuns = 20_000

// ShrinkOptions say what to shrink.
type ShrinkOptions struct {
	_ struct{}

	// Plan is one whose run breaks What: a claimed property or the name of an
	// invariant. Shrink does not change it.
	Plan *scenario.Plan
	What string

	// Runs bounds how many runs are made; zero means DefaultShrinkRuns.
	Runs int

	// Runner runs plans; nil means the simulator.
	Runner Runner

	// Progress, unless nil, is told whenever the plan became smaller.
	Progress func(runs, steps int)
}

// Shrunk is a plan from which nothing more could be left out.
type Shrunk struct {
	Plan    *scenario.Plan
	Outcome *Outcome // of its run
	Before  int      // steps that the run had, as far as they were begun
	Steps   int      // operations, faults and steps of stories: see Steps
	Runs    int      // that it took
	Minimal bool     // nothing more can be left out, part by part; else Runs or ctx ended the search
}

// NotFailingError says that there is nothing to shrink: the plan's run does not
// break what it was said to.
type NotFailingError struct{ What string }

// Error names the property or invariant.
func (e *NotFailingError) Error() string {
	return fmt.Sprintf("campaign: %q does not fall in the run of this plan, so there is nothing to shrink", e.What)
}

// Steps is how many steps a plan has: operations of workers, faults, and steps
// of stories. Operations that are drawn during a run do not count.
func Steps(p *scenario.Plan) int {
	n := len(p.Faults)
	for i := range p.Workers {
		n += len(p.Workers[i].Ops)
	}
	for i := range p.Stories {
		n += len(p.Stories[i].Steps)
	}
	return n
}

// Shrink leaves out of a failing plan whatever it fails without, first whole
// parts and then single ones, then makes what is left simpler: delta debugging,
// with every candidate run to see whether the same property falls. Equal
// options give equal results, unless ctx ends the search early.
//
// The error is a *NotFailingError, or what the Runner returns for the plan as it
// is. Candidates that cannot be run are passed over.
func Shrink(ctx context.Context, o ShrinkOptions) (*Shrunk, error) {
	s := shrinker{ShrinkOptions: o, ctx: ctx, asked: map[[sha256.Size]byte]bool{}}
	if s.Runs == 0 {
		s.Runs = DefaultShrinkRuns
	}
	if s.Runner == nil {
		s.Runner = NewSimulator()
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	for changed := true; changed && !s.over(); {
		changed = s.round()
	}
	minimal, runs := !s.over(), s.runs
	out, err := s.whole(s.best)
	if err != nil {
		return nil, err
	}
	return &Shrunk{Plan: s.best, Outcome: out, Before: s.before, Steps: Steps(s.best), Runs: runs, Minimal: minimal}, nil
}

type shrinker struct {
	ShrinkOptions
	ctx    context.Context
	best   *scenario.Plan
	before int // its steps at first
	runs   int
	asked  map[[sha256.Size]byte]bool // plans that were run, and whether they failed
}

// over tells whether the search has to end.
func (s *shrinker) over() bool { return s.runs >= s.Runs || s.ctx.Err() != nil }

// begin runs the plan as it is, and writes down what its workers do, so that
// single operations can be left out.
func (s *shrinker) begin() error {
	o, err := s.whole(s.Plan)
	if err != nil {
		return err
	}
	// What is left out must not move the rest, so each operation is told when to
	// begin. What a plan means to show decides about vacuity alone.
	s.best = pinned(s.Plan, o.Begun)
	s.best.Paths = []scenario.Path{}
	s.before = Steps(s.best)
	if _, err := s.whole(s.best); err != nil {
		return fmt.Errorf("campaign: once the operations of the plan are listed: %w", err)
	}
	return nil
}

// pinned is a copy of the plan in which each worker does what it did in a run of
// the plan, when it did it, and no more.
func pinned(p *scenario.Plan, begun [][]time.Duration) *scenario.Plan {
	q := p.Clone()
	for i := range q.Workers {
		ops, turns := []scenario.Op{}, p.Turns(i)
		for _, at := range begun[i] {
			op, ok := turns.Next()
			if !ok {
				break
			}
			op.At = max(op.At, scenario.Duration(at))
			ops = append(ops, op)
		}
		q.Workers[i].Ops = ops
	}
	return q
}

// whole runs a plan that must fail, whether the search is over or not.
func (s *shrinker) whole(p *scenario.Plan) (*Outcome, error) {
	s.runs++
	o, err := s.Runner.guarded(context.WithoutCancel(s.ctx), p, nil)
	if err == nil && !o.Fell(s.What) {
		err = &NotFailingError{s.What}
	}
	return o, err
}

// round tries everything once, and tells whether anything could go.
func (s *shrinker) round() bool {
	// A shorter run is tried faster.
	changed := s.turn(knobNamed(s.best, "Tail"))
	changed = s.turn(knobNamed(s.best, "Duration")) || changed
	for _, part := range parts() {
		n := part.count(s.best)
		whole := s.best
		cut := func(keep []int) *scenario.Plan {
			p := whole.Clone()
			part.without(p, keep)
			return p
		}
		kept := ddmin(n, func(keep []int) bool { return s.fails(cut(keep)) }, s.over)
		if len(kept) < n {
			changed = true
			s.take(cut(kept))
		}
	}
	changed = s.joinLocks() || changed
	changed = s.closeGaps() || changed
	// Turning one knob may take away another: they are looked up anew.
	for i := 0; !s.over(); i++ {
		knobs := knobsOf(s.best)
		if i >= len(knobs) {
			break
		}
		changed = s.turn(knobs[i]) || changed
	}
	return changed
}

// joinLocks has operations on one lock use another instead.
func (s *shrinker) joinLocks() bool {
	changed := false
	for i := len(s.best.Keys) - 1; i > 0; i-- {
		for j := range i {
			if p := joined(s.best, i, j); s.fails(p) {
				s.take(p)
				changed = true
				break
			}
		}
	}
	return changed
}

// closeGaps moves what comes late in the run to earlier times, all of it together.
func (s *shrinker) closeGaps() bool {
	changed := false
	for i := 0; !s.over(); i++ {
		at := beginnings(s.best)
		if i >= len(at) {
			break
		}
		before := scenario.Duration(0)
		if i > 0 {
			before = at[i-1]
		}
		for _, by := range []scenario.Duration{at[i] - before, (at[i] - before) / 2} {
			if p := earlier(s.best, at[i], by); by > 0 && s.fails(p) {
				s.take(p)
				changed = true
				break
			}
		}
	}
	return changed
}

// turn makes one value simpler, as far as it goes.
func (s *shrinker) turn(k knob) bool {
	changed := false
	for again := true; again && !s.over(); {
		again = false
		for _, value := range simpler(k.in(s.best)) {
			p := s.best.Clone()
			if !set(k.in(p), value) || !s.fails(p) {
				continue
			}
			s.take(p)
			changed, again = true, !k.in(p).IsZero()
			break
		}
	}
	return changed
}

func (s *shrinker) take(p *scenario.Plan) {
	s.best = p
	if s.Progress != nil {
		s.Progress(s.runs, Steps(p))
	}
}

// fails runs a candidate, unless it was run before.
func (s *shrinker) fails(p *scenario.Plan) bool {
	data, err := p.JSON()
	if err != nil {
		return false
	}
	sum := sha256.Sum256(data)
	if failed, ok := s.asked[sum]; ok {
		return failed
	}
	// With fewer nodes there is no minority, and nobody has such a cluster.
	if s.over() || len(p.Nodes) < min(3, len(s.Plan.Nodes)) {
		return false
	}
	s.runs++
	o, err := s.Runner.guarded(s.ctx, p, nil)
	failed := err == nil && o.Fell(s.What)
	s.asked[sum] = failed
	return failed
}
