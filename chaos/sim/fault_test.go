package sim_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
	"github.com/quorumlock/quorumlock/linearizability"
)

const ms = scenario.Duration(time.Millisecond)

// quiet is a plan of three nodes, two clients and one lock, in which nothing
// happens but what a test puts into it. Client c1 acquires at once and holds
// for a second; c2 tries twenty times, every 50 ms.
func quiet(faults ...scenario.Fault) *scenario.Plan {
	p := &scenario.Plan{
		Version: scenario.Version, Duration: 1500 * ms, Tail: 2000 * ms, TTL: 2000 * ms, NodeDeadline: 20 * ms, Drift: 0.16,
		Retention: 20_000 * ms, Poll: 20 * ms,
		Nodes: []string{"n1", "n2", "n3"}, Clients: []string{"c1", "c2"}, Keys: []scenario.Key{{Name: "k", NoHint: true}},
		Stories: []scenario.Story{}, Paths: []scenario.Path{},
		Simulation: &scenario.Simulation{
			Latency: scenario.Band{Min: ms / 2, Max: ms},
			Sample:  scenario.Band{Min: 20 * ms, Max: 20 * ms},
		},
	}
	work := func(client string, ops ...scenario.Op) {
		p.Workers = append(p.Workers, scenario.Worker{
			Client: client, Holds: []scenario.Band{{Weight: 1, Max: 1000 * ms}}, Ops: ops,
		})
	}
	work("c1", scenario.Op{Key: "k", Do: scenario.Lock, Within: 500 * ms, Hold: 1000 * ms})
	tries := []scenario.Op{}
	for i := range 20 {
		tries = append(tries, scenario.Op{Key: "k", Do: scenario.Try, Within: 100 * ms, Rest: 50 * ms, Seed: uint64(i)})
	}
	work("c2", tries...)
	for i := range faults {
		faults[i].ID = i + 1
	}
	p.Faults = faults
	return p
}

// told runs a plan and returns what was told of it.
func told(t *testing.T, p *scenario.Plan) (*sim.Outcome, []string) {
	t.Helper()
	var lines []string
	o, err := sim.Run(context.Background(), sim.Options{Plan: p, Narrate: func(s string) { lines = append(lines, s) }})
	if err != nil {
		t.Fatal(err)
	}
	return o, lines
}

// count is how many lines have all the parts.
func count(lines []string, parts ...string) (n int) {
	for _, l := range lines {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(l, p) }) {
			n++
		}
	}
	return n
}

// Every kind of fault does what it says. Each case is a fault and what must be
// told of the run that was never told without it.
func TestFaultsHaveEffects(t *testing.T) {
	one, both := []string{"n2"}, []string{"c1", "c2"}
	all := []string{"n1", "n2", "n3"}
	at, long := 300*ms, 400*ms
	cases := []struct {
		fault scenario.Fault
		parts []string // of a line
	}{
		{scenario.Fault{Kind: scenario.Kill, Nodes: one}, []string{"c2", "could not reach n2"}},
		{scenario.Fault{Kind: scenario.Amnesia, Nodes: one}, []string{"n2 executes PROBE", "admitted false, highest token 0"}},
		{scenario.Fault{Kind: scenario.FlushAll, Nodes: one}, []string{"n2 executes PROBE", "admitted false, highest token 0"}},
		{scenario.Fault{Kind: scenario.LostSecond, Nodes: one}, []string{"n2 executes PROBE", "admitted false"}},
		{scenario.Fault{Kind: scenario.Replace, Nodes: one, Clients: []string{"c1"}}, []string{"n2' executes ACQUIRE of c2", "not admitted"}},
		{scenario.Fault{Kind: scenario.SameServer, Nodes: []string{"n1", "n2"}}, []string{"c2", "hears from n2", "other configuration"}},
		{scenario.Fault{Kind: scenario.Demote, Nodes: one}, []string{"re-admission failed: not a primary"}},
		{scenario.Fault{Kind: scenario.Attach, Nodes: one}, []string{"re-admitted", "n2"}},
		{scenario.Fault{Kind: scenario.Freeze, Nodes: one}, []string{"n2 executes late", "ACQUIRE of c2"}},
		{scenario.Fault{Kind: scenario.PauseAll, Nodes: all}, []string{"executes late", "ACQUIRE of c2", "too late"}},
		{scenario.Fault{Kind: scenario.CutNode, Nodes: one, Clients: both, Direction: scenario.Both}, []string{"c2", "could not reach n2"}},
		{scenario.Fault{Kind: scenario.Partition, Nodes: all, Clients: []string{"c2"}, Direction: scenario.Both}, []string{"c2", "no quorum"}},
		{scenario.Fault{Kind: scenario.LoseRequests, Nodes: one, Clients: both, Direction: scenario.Requests}, []string{"c2", "gives up waiting for n2"}},
		{scenario.Fault{Kind: scenario.LoseReplies, Nodes: one, Clients: both, Direction: scenario.Replies}, []string{"c2", "gives up waiting for n2"}},
		{scenario.Fault{Kind: scenario.Hold, Nodes: one, Clients: both, Direction: scenario.Requests}, []string{"n2 executes late"}},
		{scenario.Fault{Kind: scenario.Delay, Nodes: one, Clients: both, Direction: scenario.Requests, Latency: 45 * ms}, []string{"n2 executes late"}},
		{scenario.Fault{Kind: scenario.Reset, Nodes: all, Clients: both, Direction: scenario.Both}, nil},
		{scenario.Fault{Kind: scenario.Duplicate, Nodes: one, Clients: both, Direction: scenario.Requests}, []string{"n2 executes once more"}},
		{scenario.Fault{Kind: scenario.Crash, Clients: []string{"c1"}}, nil},
		{scenario.Fault{Kind: scenario.FreezeClient, Clients: []string{"c1"}}, nil},
		{scenario.Fault{Kind: scenario.WallJump, Clients: both, By: scenario.Duration(time.Hour)}, nil},
		{scenario.Fault{Kind: scenario.Slew, Nodes: one, Rate: 70_000}, nil},
		{scenario.Fault{Kind: scenario.ClockRate, Nodes: all, Rate: 400_000}, nil},
		{scenario.Fault{Kind: scenario.ClockJump, Nodes: all, By: scenario.Duration(time.Minute)}, nil},
		{scenario.Fault{Kind: scenario.Rollback, Nodes: one, By: 100 * ms}, nil},
	}
	_, calm := told(t, quiet())
	seen := map[scenario.Kind]bool{}
	for _, c := range cases {
		seen[c.fault.Kind] = true
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			f := c.fault
			f.At = at
			switch f.Kind {
			case scenario.FlushAll, scenario.Attach, scenario.Reset, scenario.Crash, scenario.WallJump, scenario.ClockJump, scenario.Rollback:
			default:
				f.For = long
			}
			o, lines := told(t, quiet(f))
			if len(o.Faults) != 1 || !o.Faults[0].Confirmed || o.Faults[0].Begin != f.At.D() {
				t.Fatalf("the fault did not strike: %+v", o.Faults)
			}
			if c.parts == nil {
				return // see the tests below
			}
			if count(lines, c.parts...) == 0 {
				t.Errorf("nothing was told of %q", c.parts)
			}
			if n := count(calm, c.parts...); n > 0 {
				t.Errorf("%q is told %d times without the fault too", c.parts, n)
			}
		})
	}
	for _, k := range scenario.SimulatedKinds() {
		if !seen[k] {
			t.Errorf("no case for %s", k)
		}
	}
}

// lines returns the history's lines of one kind.
func linesOf(o *sim.Outcome, f linearizability.F, kind linearizability.Type) (list []linearizability.Event) {
	for _, e := range o.Events {
		if e.F == f && e.Type == kind {
			list = append(list, e)
		}
	}
	return list
}

// next is when c2 first acquires.
func next(t *testing.T, o *sim.Outcome) time.Duration {
	t.Helper()
	for _, e := range linesOf(o, linearizability.Acquire, linearizability.OK) {
		if e.Value.Client == "c2" {
			return time.Duration(e.Time)
		}
	}
	return time.Hour
}

func TestCrash(t *testing.T) {
	o, lines := told(t, quiet(scenario.Fault{Kind: scenario.Crash, At: 300 * ms, Clients: []string{"c1"}}))
	if n := count(lines, "c1 (attempt", "RELEASE"); n > 0 {
		t.Errorf("a dead client sent RELEASE: %d lines", n)
	}
	for _, e := range o.Events {
		if e.Value.Client == "c1" && e.Time > int64(300*ms) {
			t.Errorf("a dead client acts: %+v", e)
		}
	}
	if len(linesOf(o, linearizability.Crash, linearizability.Info)) != 1 {
		t.Error("the history does not tell of the crash")
	}
}

// A frozen holder finds its lease lost when it goes on, and says so then.
func TestFreezeClient(t *testing.T) {
	p := quiet(scenario.Fault{Kind: scenario.FreezeClient, At: 300 * ms, For: 2500 * ms, Clients: []string{"c1"}})
	p.Duration = 3000 * ms
	p.Workers[0].Ops[0].NoRenew = true
	o, _ := told(t, p)
	lost := linesOf(o, linearizability.LostHold, linearizability.Info)
	if len(lost) != 1 || lost[0].Time < int64(2800*ms) || lost[0].Time > int64(2801*ms) {
		t.Errorf("the loss is told in %v, want one line at 2.8s", lost)
	}
	if property, story := o.Violation(); property != "" {
		t.Errorf("%s: %s", property, story)
	}
}

// Clocks that jump end leases early, and are named as a broken assumption.
func TestClockJump(t *testing.T) {
	nodes := []string{"n1", "n2", "n3"}
	if at := next(t, first(told(t, quiet()))); at < time.Second {
		t.Fatalf("without a fault c2 acquires at %v, beside c1", at)
	}
	for _, f := range []scenario.Fault{
		{Kind: scenario.ClockJump, At: 300 * ms, Nodes: nodes, By: 60_000 * ms},
		{Kind: scenario.Rollback, At: 300 * ms, Nodes: nodes, By: 290 * ms, Force: true},
	} {
		o := first(told(t, quiet(f)))
		want := linearizability.C1
		if f.Kind == scenario.Rollback {
			want = linearizability.C2
		}
		if !slices.Equal(o.Params.Broken, []linearizability.Assumption{want}) {
			t.Errorf("%s: broken are %v, want %v", f.Kind, o.Params.Broken, want)
		}
		if at := next(t, o); at > 500*time.Millisecond {
			t.Errorf("%s: c2 acquires only at %v: the fault had no effect", f.Kind, at)
		}
		if property, story := o.Violation(); property != "" {
			t.Errorf("%s: %s is claimed: %s", f.Kind, property, story)
		}
		if v := o.Verdict.Property(linearizability.MutualExclusion); v.Outcome != linearizability.Invalid || v.Claimed {
			t.Errorf("%s: exclusion is %s, claimed %v", f.Kind, v.Outcome, v.Claimed)
		}
	}
}

func first(o *sim.Outcome, _ []string) *sim.Outcome { return o }

// A clock's rate decides when keys expire; one that the drift allows does no
// harm.
func TestRates(t *testing.T) {
	nodes := []string{"n1", "n2", "n3"}
	freed := func(kind scenario.Kind, rate int64) (time.Duration, []linearizability.Assumption) {
		p := quiet(scenario.Fault{Kind: kind, At: 10 * ms, For: 4000 * ms, Nodes: nodes, Rate: rate},
			scenario.Fault{Kind: scenario.Crash, At: 300 * ms, Clients: []string{"c1"}})
		p.Duration = 4000 * ms
		p.Workers[0].Ops[0].NoRenew = true
		ops := p.Workers[1].Ops
		for range 60 {
			p.Workers[1].Ops = append(p.Workers[1].Ops, ops[0])
		}
		o := first(told(t, p))
		return next(t, o), o.Params.Broken
	}
	usual, _ := freed(scenario.Slew, 0)
	slewed, broken := freed(scenario.Slew, -70_000)
	if slewed < usual+50*time.Millisecond || len(broken) > 0 {
		t.Errorf("with clocks slewed by -7%% the dead holder's lock is free at %v, else at %v; broken: %v", slewed, usual, broken)
	}
	fast, broken := freed(scenario.ClockRate, 400_000)
	if fast > usual-300*time.Millisecond || !slices.Contains(broken, linearizability.C1) {
		t.Errorf("with clocks 40%% fast the dead holder's lock is free at %v, else at %v; broken: %v", fast, usual, broken)
	}
}

// Only hints come from a client's wall clock.
func TestWallJump(t *testing.T) {
	token := func(faults ...scenario.Fault) uint64 {
		p := quiet(faults...)
		p.Keys[0].NoHint = false
		o := first(told(t, p))
		for _, e := range linesOf(o, linearizability.Acquire, linearizability.OK) {
			if e.Value.Client == "c2" {
				return uint64(e.Value.Token)
			}
		}
		t.Fatal("c2 never acquired")
		return 0
	}
	usual := token()
	ahead := token(scenario.Fault{Kind: scenario.WallJump, At: 300 * ms, Clients: []string{"c2"}, By: 30_000 * ms})
	if d := ahead - usual; d < 29_000_000 || d > 31_000_000 {
		t.Errorf("half a minute ahead, tokens are %d ahead", d)
	}
}

// After a reset, calls in the air have no known outcome, though executed.
func TestReset(t *testing.T) {
	f := scenario.Fault{Kind: scenario.Reset, Nodes: []string{"n1", "n2", "n3"}, Clients: []string{"c1", "c2"}, Direction: scenario.Both}
	p := quiet()
	for i := range 600 { // one of them meets a call in the air
		f.ID, f.At = i+1, 100*ms+scenario.Duration(i)*7*ms/3
		p.Faults = append(p.Faults, f)
	}
	o, lines := told(t, p)
	if n := count(lines, "gives up waiting"); n == 0 {
		t.Error("no call was broken off")
	}
	if n := count(lines, "executes late"); n == 0 {
		t.Error("no call was executed after its connection broke")
	}
	if property, story := o.Violation(); property != "" {
		t.Errorf("%s: %s", property, story)
	}
}

// Faults that would cost a vote too many are put off, unless they are forced.
func TestC4(t *testing.T) {
	two := func(force bool) *sim.Outcome {
		p := quiet(scenario.Fault{Kind: scenario.FlushAll, At: 200 * ms, Nodes: []string{"n1"}},
			scenario.Fault{Kind: scenario.FlushAll, At: 250 * ms, Nodes: []string{"n2"}, Force: force})
		return first(told(t, p))
	}
	if o := two(false); o.Faults[1].Confirmed || o.Faults[1].Reason == "" || len(o.Params.Broken) > 0 {
		t.Errorf("the second loss struck: %+v; broken: %v", o.Faults[1], o.Params.Broken)
	}
	if o := two(true); !o.Faults[1].Confirmed || !slices.Equal(o.Params.Broken, []linearizability.Assumption{linearizability.C4}) {
		t.Errorf("forced, the second loss did not strike: %+v; broken: %v", o.Faults[1], o.Params.Broken)
	}
}

// A client that does not speak the protocol and ours exclude each other; its
// holds have no token. Where memory is lost as well, nothing is claimed.
func TestForeign(t *testing.T) {
	p := quiet()
	p.Workers[1].Foreign = true
	o := first(told(t, p))
	c1 := time.Duration(0)
	for _, e := range o.Events {
		at := time.Duration(e.Time)
		switch {
		case e.F != linearizability.Acquire || e.Type != linearizability.OK:
		case e.Value.Client == "c1":
			c1 = at
		case c1 != 0 && at < c1+time.Second:
			t.Errorf("the foreign client acquires at %v, beside c1", at)
		}
	}
	if n := len(linesOf(o, linearizability.Acquire, linearizability.OK)); n < 3 || c1 == 0 {
		t.Errorf("%d acquires, c1's at %v", n, c1)
	}
	for _, e := range linesOf(o, linearizability.Acquire, linearizability.OK) {
		if (e.Value.Client == "c2") != (e.Value.Token == 0) {
			t.Errorf("%+v", e)
		}
	}
	if property, story := o.Violation(); property != "" {
		t.Errorf("%s: %s", property, story)
	}
	p = quiet(scenario.Fault{Kind: scenario.FlushAll, At: 200 * ms, Nodes: []string{"n1"}})
	p.Workers[1].Foreign = true
	if o := first(told(t, p)); !slices.Contains(o.Params.Broken, linearizability.C3) {
		t.Errorf("broken are %v", o.Params.Broken)
	}
}

// Stories can decide on single messages.
func TestMessages(t *testing.T) {
	for fate, parts := range map[scenario.Fate][]string{
		scenario.FateLose:      {"s1", "gives up waiting for n1 (ACQUIRE)"},
		scenario.FateLoseReply: {"s1", "gives up waiting for n1 (ACQUIRE)"},
		scenario.FateLate:      {"n1 executes late", "ACQUIRE"},
		scenario.FateLateReply: {"s1", "gives up waiting for n1 (ACQUIRE)"},
		scenario.FateTwice:     {"n1 executes once more", "ACQUIRE"},
	} {
		p := quiet()
		p.Workers = nil
		p.Stories = []scenario.Story{{
			Name: "one", Tries: 1, Clients: []string{"s1"}, Key: "story",
			Steps: []scenario.Step{
				{Do: scenario.DoMessage, Client: "s1", Nodes: []string{"n1"}, Op: "acquire", Fate: fate, Count: 1, Latency: 70 * ms},
				{Do: scenario.DoStart, As: "a", Client: "s1", Within: 500 * ms},
				{Do: scenario.DoAwait, As: "a", Within: 500 * ms},
				{Do: scenario.DoExtend, As: "a"},
				{Do: scenario.DoPause, Within: 200 * ms},
				{Do: scenario.DoUnlock, As: "a"},
				{Do: scenario.DoLock, As: "b", Client: "s1", Within: 500 * ms},
				{Do: scenario.DoUnlock, As: "b"},
			},
		}}
		o, lines := told(t, p)
		if !o.Stories[0].Told {
			t.Errorf("%s: not told: %s", fate, o.Stories[0].Error)
		}
		if n := count(lines, parts...); n != 1 {
			t.Errorf("%s: %q was told %d times", fate, parts, n)
		}
		if property, story := o.Violation(); property != "" {
			t.Errorf("%s: %s: %s", fate, property, story)
		}
		if n := len(linesOf(o, linearizability.Extend, linearizability.OK)); n != 1 {
			t.Errorf("%s: %d extensions", fate, n)
		}
	}
}

// Where all nodes lose their memory, clients that may bootstrap by clock do.
func TestRecover(t *testing.T) {
	p := quiet(scenario.Fault{Kind: scenario.Amnesia, At: 200 * ms, For: 100 * ms, Nodes: []string{"n1", "n2", "n3"}, Force: true})
	p.Workers[0].Ops = append(p.Workers[0].Ops, scenario.Op{Key: "k", Do: scenario.Lock, Within: 20_000 * ms, Hold: 10 * ms})
	p.Simulation.Recover = true
	o, lines := told(t, p)
	if count(lines, "bootstrapped") == 0 {
		t.Error("nobody recovered")
	}
	late := 0
	for _, e := range linesOf(o, linearizability.Acquire, linearizability.OK) {
		if e.Time > int64(2000*ms) && e.Value.Client == "c1" {
			late++
		}
	}
	if late != 1 {
		t.Errorf("c1 acquired %d times after the recovery, want once", late)
	}
	if property, story := o.Violation(); property != "" {
		t.Errorf("%s: %s", property, story)
	}
	if fmt.Sprint(o.Params.Broken) != "[C4]" {
		t.Errorf("broken are %v", o.Params.Broken)
	}
}

// An operation begins no sooner than its time, and not while its client stands
// still, or is dead.
func TestOperationsBeginInTime(t *testing.T) {
	begun := func(faults ...scenario.Fault) time.Duration {
		p := quiet(faults...)
		p.Workers[0].Ops[0].At = 500 * ms
		for _, e := range linesOf(first(told(t, p)), linearizability.Acquire, linearizability.Invoke) {
			if e.Value.Client == "c1" {
				return time.Duration(e.Time)
			}
		}
		return 0
	}
	if at := begun(); at < 500*time.Millisecond || at > 501*time.Millisecond {
		t.Errorf("begun at %v, want 500ms", at)
	}
	if at := begun(scenario.Fault{Kind: scenario.FreezeClient, At: 400 * ms, For: 400 * ms, Clients: []string{"c1"}}); at < 800*time.Millisecond || at > 801*time.Millisecond {
		t.Errorf("begun at %v by a client that is frozen until 800ms", at)
	}
	if at := begun(scenario.Fault{Kind: scenario.Crash, At: 400 * ms, Clients: []string{"c1"}}); at != 0 {
		t.Errorf("begun at %v by a dead client", at)
	}
}
