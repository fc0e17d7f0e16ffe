package sim_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
	"github.com/quorumlock/quorumlock/linearizability"
)

var firstSeed = flag.Uint64("seed", 0, "first seed of the random plans")

// random makes a random plan.
func random(t testing.TB, o scenario.SimOptions) *scenario.Plan {
	t.Helper()
	p, err := scenario.NewSimulated(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// simulate runs a plan in r.
func simulate(t testing.TB, r *sim.Runner, p *scenario.Plan) *sim.Outcome {
	t.Helper()
	o, err := r.Run(context.Background(), sim.Options{Plan: p})
	if err != nil {
		t.Fatalf("seed %d: %v", p.Seed, err)
	}
	return o
}

// seeds is how many random plans a sweep plays.
func seeds() uint64 {
	n := uint64(2000)
	if testing.Short() {
		n = 300
	}
	return n / slowdown
}

// Inside the assumptions nothing falls, whatever the faults.
func TestSweepInside(t *testing.T) {
	for _, hint := range []scenario.Hint{scenario.HintMixed, scenario.HintOff, scenario.HintOn} {
		t.Run(string(hint), func(t *testing.T) {
			var r sim.Runner
			var cover sim.Coverage
			var tally linearizability.Tally
			fewVotes := 0 // runs in which two servers behind a name cost a vote too many for a while
			for seed := *firstSeed; seed < *firstSeed+seeds()/3+1; seed++ {
				o := simulate(t, &r, random(t, scenario.SimOptions{Seed: seed, Hint: hint}))
				if property, story := o.Violation(); property != "" {
					t.Errorf("seed %d: %s: %s", seed, property, story)
				}
				switch {
				case len(o.Params.Broken) == 0:
				case o.Params.Broken[0] != linearizability.C4:
					t.Errorf("seed %d broke %v, though it was planned inside the assumptions", seed, o.Params.Broken)
				default:
					fewVotes++
				}
				cover.Add(&o.Coverage)
				o.AddTo(&tally)
			}
			t.Logf("C4 was broken in %d runs of %d", fewVotes, seeds()/3+1)
			if uint64(fewVotes) > 2+seeds()/3/30 {
				t.Error("the plans break C4 too often")
			}
			meant := linearizability.Plan{
				Operations: []linearizability.F{linearizability.Acquire, linearizability.Release, linearizability.Extend,
					linearizability.Stamp, linearizability.Read, linearizability.Write},
				Paths: []string{"raise", "repair", "late-grant", "re-admission", "new-view", "catch-up", "superseded", "too-late", "retry-grant"},
				Chaos: true,
			}
			for _, k := range scenario.SimulatedKinds() {
				switch k {
				case scenario.ClockRate, scenario.ClockJump, scenario.Rollback:
				default:
					meant.Faults = append(meant.Faults, linearizability.F(k))
				}
			}
			if slowdown == 1 {
				for _, reason := range meant.Vacuous(tally) {
					t.Error("the sweep shows nothing: ", reason)
				}
			}
		})
	}
}

// Outside of C1 exclusion may fall; token order and the fenced resource are
// still claimed, and stand.
func TestSweepOutside(t *testing.T) {
	var r sim.Runner
	exclusion := 0
	for seed := *firstSeed; seed < *firstSeed+seeds()/3+1; seed++ {
		o := simulate(t, &r, random(t, scenario.SimOptions{Seed: seed, Outside: true}))
		if property, story := o.Violation(); property != "" {
			t.Errorf("seed %d: %s: %s", seed, property, story)
		}
		for _, p := range []linearizability.Property{linearizability.TokenOrder, linearizability.FencedResource} {
			if v := o.Verdict.Property(p); !v.Claimed && len(o.Params.Broken) > 0 && o.Params.Broken[0] != linearizability.C3 {
				t.Errorf("seed %d: %s is not claimed: %v", seed, p, o.Params.Broken)
			}
		}
		if o.Verdict.Property(linearizability.MutualExclusion).Outcome == linearizability.Invalid {
			exclusion++
		}
	}
	t.Logf("exclusion fell in %d of %d runs with clocks that jump", exclusion, seeds()/3+1)
	if exclusion == 0 && slowdown == 1 {
		t.Error("clocks jumped all over and exclusion never fell: the faults have no effect")
	}
}

// history is an outcome's history as it would be written.
func history(t *testing.T, o *sim.Outcome) []byte {
	t.Helper()
	var b bytes.Buffer
	w := linearizability.NewWriter(&b)
	for _, e := range o.Events {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// One plan gives one run, to the byte: in a fresh Runner or a used one, on one
// processor or on several, told or not, drawn or written out.
func TestDeterminism(t *testing.T) {
	var used sim.Runner
	for seed := *firstSeed; seed < *firstSeed+20/slowdown+1; seed++ {
		p := random(t, scenario.SimOptions{Seed: seed, Outside: seed%2 == 0})
		first := simulate(t, new(sim.Runner), p)
		want, digest := history(t, first), first.Digest
		compare := func(how string, o *sim.Outcome) {
			t.Helper()
			if o.Digest != digest || !bytes.Equal(history(t, o), want) {
				t.Errorf("seed %d: %s, the run is another", seed, how)
			}
		}
		compare("in a used runner", simulate(t, &used, p))
		before := runtime.GOMAXPROCS(1)
		compare("on one processor", simulate(t, &used, p))
		runtime.GOMAXPROCS(4)
		compare("on four processors", simulate(t, new(sim.Runner), p))
		runtime.GOMAXPROCS(before)
		lines := 0
		o, err := sim.Run(context.Background(), sim.Options{Plan: p, Narrate: func(string) { lines++ }})
		if err != nil || lines == 0 {
			t.Fatal(err, lines)
		}
		compare("told in words", o)
		most := 0
		for _, n := range first.Turns {
			most = max(most, n)
		}
		written, err := p.Expand(most + 1)
		if err != nil {
			t.Fatal(err)
		}
		text, err := written.JSON()
		if err != nil {
			t.Fatal(err)
		}
		read, err := scenario.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		compare("with its operations written out", simulate(t, &used, read))
	}
}

// These must be the same on every machine, and with the race detector. They
// change with the protocol, the simulator and the drawing of plans; then the
// test prints what they are now.
func TestDigests(t *testing.T) {
	for seed, want := range map[uint64]string{0: "d251c1bc6b1e3b38", 1: "e93f1a6617d44b38", 2: "b4a0fd1ea7816d74"} {
		o := simulate(t, new(sim.Runner), random(t, scenario.SimOptions{Seed: seed}))
		if got := fmt.Sprintf("%x", o.Digest[:8]); got != want {
			t.Errorf("seed %d has digest %s, want %s", seed, got, want)
		}
	}
}

// Every live story is told in the simulator, and the right lock passes it.
func TestLiveStories(t *testing.T) {
	for _, name := range scenario.StoryNames() {
		for _, nodes := range []int{3, 5} {
			t.Run(fmt.Sprintf("%s/%d", name, nodes), func(t *testing.T) {
				p := random(t, scenario.SimOptions{Seed: *firstSeed, Story: name, Nodes: nodes, TTL: 2e9, NodeDeadline: 5e7})
				o := simulate(t, new(sim.Runner), p)
				if property, story := o.Violation(); property != "" {
					t.Errorf("%s: %s", property, story)
				}
				for _, s := range o.Stories {
					if !s.Told {
						t.Errorf("not told in %d tries: %s", s.Tries, s.Error)
					}
				}
				if o.Acquired == 0 {
					t.Error("nothing was acquired")
				}
			})
		}
	}
}

// A plan of a live run is simulated too, stories and all.
func TestLivePlan(t *testing.T) {
	p, err := scenario.New(scenario.Options{Seed: *firstSeed})
	if err != nil {
		t.Fatal(err)
	}
	o := simulate(t, new(sim.Runner), p)
	if property, story := o.Violation(); property != "" {
		t.Errorf("%s: %s", property, story)
	}
	for _, s := range o.Stories {
		if !s.Told {
			t.Errorf("%s: not told in %d tries: %s", s.Name, s.Tries, s.Error)
		}
	}
	confirmed := 0
	for _, f := range o.Faults {
		if f.Confirmed {
			confirmed++
		}
	}
	if confirmed < len(p.Faults)/2 {
		t.Errorf("%d of %d faults took effect", confirmed, len(o.Faults))
	}
}

// What cannot be simulated is refused, by field and value.
func TestImpossiblePlans(t *testing.T) {
	for field, spoil := range map[string]func(p *scenario.Plan){
		"faults[0].nodes[0]":            func(p *scenario.Plan) { p.Faults[0].Nodes = []string{"n9"} },
		"faults[0].kind":                func(p *scenario.Plan) { p.Faults[0].Kind = "earthquake" },
		"faults[0].at":                  func(p *scenario.Plan) { p.Faults[0].At = -1 },
		"workers[0].client":             func(p *scenario.Plan) { p.Workers[0].Client = "nobody" },
		"nodes":                         func(p *scenario.Plan) { p.Nodes = nil },
		"ttl":                           func(p *scenario.Plan) { p.TTL = 1 },
		"workers":                       func(p *scenario.Plan) { p.Workers = nil },
		"simulation.clients[0].rate":    func(p *scenario.Plan) { p.Simulation.Clients[0].Rate = 1e6 },
		"simulation.servers[0].persist": func(p *scenario.Plan) { p.Simulation.Servers[0].Persist = "clay" },
		"simulation.latency":            func(p *scenario.Plan) { p.Simulation.Latency.Max = -1 },
		"workers[0].ops[0].key":         func(p *scenario.Plan) { p.Workers[0].Ops = []scenario.Op{{Key: "?", Do: scenario.Try}} },
		"version":                       func(p *scenario.Plan) { p.Version = 99 },
	} {
		p := random(t, scenario.SimOptions{Seed: 1, Nodes: 3}).Clone()
		spoil(p)
		_, err := sim.Run(context.Background(), sim.Options{Plan: p})
		var bad *scenario.OptionError
		if !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s was spoilt: %v", field, err)
		}
	}
	if _, err := sim.Run(context.Background(), sim.Options{}); err == nil {
		t.Error("no plan at all was simulated")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := sim.Run(ctx, sim.Options{Plan: random(t, scenario.SimOptions{})}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}
