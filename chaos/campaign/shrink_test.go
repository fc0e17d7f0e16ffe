package campaign

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// needs is a bug that strikes when a kill of n2 lasts longer than 70 ms and some
// worker makes an extension on a cluster of at least three nodes.
func needs(p *scenario.Plan) bool {
	kill := slices.ContainsFunc(p.Faults, func(f scenario.Fault) bool {
		return f.Kind == scenario.Kill && slices.Contains(f.Nodes, "n2") && f.For.D() > 70*time.Millisecond
	})
	extend := false
	for i := range p.Workers {
		extend = extend || slices.ContainsFunc(firstOps(p, i), func(op scenario.Op) bool { return op.Extend })
	}
	return kill && extend && len(p.Nodes) >= 3
}

// firstOps are those that the fake does.
func firstOps(p *scenario.Plan, worker int) []scenario.Op {
	var list []scenario.Op
	turns := p.Turns(worker)
	for range 6 {
		if op, ok := turns.Next(); ok {
			list = append(list, op)
		}
	}
	return list
}

// struck is a plan on which needs strikes, from a seed that is found by trying.
func struck(t *testing.T) *scenario.Plan {
	t.Helper()
	for seed := uint64(1); seed < 1000; seed++ {
		p, err := fakePlan(seed)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Nodes) == 5 && len(p.Faults) > 10 && needs(p) {
			return p
		}
	}
	t.Fatal("no seed below 1000 has what the bug needs")
	return nil
}

func TestShrinkLeavesWhatTheBugNeeds(t *testing.T) {
	p := struck(t)
	before, _ := p.JSON()
	var told []int
	s, err := Shrink(t.Context(), ShrinkOptions{Plan: p, What: "token order", Runner: fake(needs), Progress: func(_, steps int) { told = append(told, steps) }})
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := p.JSON(); string(after) != string(before) {
		t.Error("the plan was changed")
	}
	q := s.Plan
	// Two operations: a token is out of order only after another.
	if s.Steps != 3 || len(q.Faults) != 1 || !s.Minimal || !s.Outcome.Fell("token order") {
		t.Errorf("shrunk to %d steps, minimal %v: %+v", s.Steps, s.Minimal, q)
	}
	f := q.Faults[0]
	if f.Kind != scenario.Kill || !slices.Equal(f.Nodes, []string{"n2"}) || f.At != 0 || f.For.D() != 100*time.Millisecond {
		t.Errorf("the fault is %+v; want a kill of n2 at 0 for 100ms, the roundest time above 70ms", f)
	}
	if len(q.Nodes) != 3 || len(q.Clients) != 1 || len(q.Keys) != 1 || len(q.Workers) != 1 || len(q.Simulation.Clients) != 0 {
		t.Errorf("%d nodes, %d clients, %d keys, %d workers, %d clocks", len(q.Nodes), len(q.Clients), len(q.Keys), len(q.Workers), len(q.Simulation.Clients))
	}
	extends := 0
	for _, op := range q.Workers[0].Ops {
		if op.Extend {
			extends++
		}
		if op.Do != scenario.Lock || op.Hold != 0 || op.Rest != 0 || op.Careless || op.NoRenew || op.Late != 0 {
			t.Errorf("not calm: %+v", op)
		}
	}
	if extends != 1 || q.Simulation.Slow != 0 || q.Tail != 0 || q.Workers[0].Think != (scenario.Band{}) {
		t.Errorf("%d extensions, simulation %+v, tail %v", extends, q.Simulation, q.Tail)
	}
	if len(told) == 0 || told[len(told)-1] != s.Steps || s.Runs > 5000 {
		t.Errorf("%d runs, told %v", s.Runs, told)
	}
}

func TestShrinkIsDeterministic(t *testing.T) {
	p := struck(t)
	var first string
	for range 2 {
		s, err := Shrink(t.Context(), ShrinkOptions{Plan: p, What: "token order", Runner: fake(needs)})
		if err != nil {
			t.Fatal(err)
		}
		data, _ := s.Plan.JSON()
		if first == "" {
			first = string(data)
		}
		if string(data) != first {
			t.Errorf("shrunk twice:\n%s\n%s", first, data)
		}
	}
}

// A story's steps go with what belongs to them; nodes leave its lists.
func TestShrinkStories(t *testing.T) {
	p, err := scenario.NewSimulated(scenario.SimOptions{Seed: 3, Nodes: 5, Story: "amnesia"})
	if err != nil {
		t.Fatal(err)
	}
	p.Clients, p.Workers = []string{"c1"}, []scenario.Worker{{Client: "c1", Seed: 4, Holds: []scenario.Band{{Weight: 1}}}}
	wiped := func(p *scenario.Plan) bool {
		for _, s := range p.Stories {
			wipe := slices.IndexFunc(s.Steps, func(s scenario.Step) bool { return s.Do == scenario.DoFault && s.As == "wipe" && len(s.Nodes) > 0 })
			admit := slices.IndexFunc(s.Steps, func(s scenario.Step) bool { return s.Do == scenario.DoAdmit })
			if wipe >= 0 && admit > wipe {
				return true
			}
		}
		return false
	}
	s, err := Shrink(t.Context(), ShrinkOptions{Plan: p, What: "token order", Runner: fake(wiped)})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Plan.Stories) != 1 || len(s.Plan.Stories[0].Steps) != 2 || len(s.Plan.Nodes) != 3 {
		t.Errorf("shrunk to %+v on %v", s.Plan.Stories, s.Plan.Nodes)
	}
}

func TestShrinkEndsEarly(t *testing.T) {
	p := struck(t)
	s, err := Shrink(t.Context(), ShrinkOptions{Plan: p, What: "token order", Runner: fake(needs), Runs: 20})
	if err != nil || s.Minimal || s.Runs > 20 || !s.Outcome.Fell("token order") {
		t.Errorf("20 runs: %+v, %v", s, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err = Shrink(ctx, ShrinkOptions{Plan: p, What: "token order", Runner: fake(needs)})
	if err != nil || s.Minimal || !s.Outcome.Fell("token order") {
		t.Errorf("cancelled: %+v, %v", s, err)
	}
}

func TestShrinkRefusesWhatDoesNotFail(t *testing.T) {
	p := struck(t)
	_, err := Shrink(t.Context(), ShrinkOptions{Plan: p, What: "mutual exclusion", Runner: fake(needs)})
	var not *NotFailingError
	if !errors.As(err, &not) || not.What != "mutual exclusion" {
		t.Errorf("another property: %v", err)
	}
	bang := errors.New("bang")
	_, err = Shrink(t.Context(), ShrinkOptions{Plan: p, What: "I2", Runner: func(context.Context, *scenario.Plan, func(string)) (*Outcome, error) { return nil, bang }})
	if !errors.Is(err, bang) {
		t.Errorf("a plan that cannot be run: %v", err)
	}
}

func TestGapsAreClosed(t *testing.T) {
	p := &scenario.Plan{
		Duration: 100,
		Faults:   []scenario.Fault{{At: 5}, {At: 40}},
		Stories:  []scenario.Story{{At: 40}},
		Workers:  []scenario.Worker{{Ops: []scenario.Op{{At: 5}, {At: 90}}}},
	}
	if got := beginnings(p); !slices.Equal(got, []scenario.Duration{5, 40, 90}) {
		t.Errorf("things begin at %v", got)
	}
	q := earlier(p, 40, 30)
	if got := beginnings(q); !slices.Equal(got, []scenario.Duration{5, 10, 60}) || q.Duration != 70 || q.Stories[0].At != 10 {
		t.Errorf("earlier by 30 from 40 on: %v, duration %v", got, q.Duration)
	}
	if got := beginnings(p); !slices.Equal(got, []scenario.Duration{5, 40, 90}) {
		t.Errorf("the plan itself was changed: %v", got)
	}
}
