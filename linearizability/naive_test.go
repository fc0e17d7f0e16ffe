package linearizability

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// seedFlag replays one history of the random tests.
var seedFlag = flag.Uint64("seed", 0, "judge the random history of this seed alone (0: many)")

// seeds calls f with a source for each of n seeds, or for the one asked for.
func seeds(t *testing.T, n uint64, f func(r *rand.Rand, seed uint64)) {
	t.Helper()
	first, last := uint64(1), n
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	for seed := first; seed <= last && !t.Failed(); seed++ {
		f(rand.New(rand.NewPCG(seed, 0)), seed)
		if t.Failed() {
			t.Logf("seed %d: replay with -seed=%d", seed, seed)
		}
	}
}

// randomHistory makes a valid history in which clients acquire, extend and
// release on two keys as if no lock hindered them. Deadlines are often near.
func randomHistory(r *rand.Rand, steps int) []Event {
	type running struct {
		f         F
		key, hold string
	}
	open := map[Process]running{}
	var events []Event
	var names []string // of the holds so far
	keyOf := map[string]string{}
	time, next := int64(0), Process(3)
	processes := []Process{0, 1, 2}
	for range steps {
		time += int64(r.IntN(3))
		slot := r.IntN(len(processes))
		p := processes[slot]
		e := Event{Index: len(events), Time: time, Process: p}
		client := fmt.Sprintf("c%d", slot)
		o, busy := open[p]
		switch {
		case r.IntN(8) == 0 && len(names) > 0:
			name := names[r.IntN(len(names))]
			e.Process, e.Type, e.F, e.Key = Observer, Info, LostHold, keyOf[name]
			e.Value = Value{Client: client, Hold: name}
		case !busy:
			o = running{f: Acquire, key: []string{"k", "l"}[r.IntN(2)]}
			if len(names) > 0 && r.IntN(2) == 0 {
				o.f, o.hold = []F{Extend, Release}[r.IntN(2)], names[r.IntN(len(names))]
				o.key = keyOf[o.hold]
			}
			open[p] = o
			e.Type, e.F, e.Key, e.Value = Invoke, o.f, o.key, Value{Client: client, Hold: o.hold}
		default:
			delete(open, p)
			e.Type, e.F, e.Key = []Type{OK, OK, OK, Fail, Info}[r.IntN(5)], o.f, o.key
			e.Value = Value{Client: client, Hold: o.hold}
			if e.Type == Info {
				processes[slot], next = next, next+1
			}
			if until := time + int64(r.IntN(12)) - 2; o.f != Release && r.IntN(8) > 0 {
				e.Value.ValidUntil = &until
			}
			if o.f == Acquire && e.Type == OK {
				e.Value.Hold = fmt.Sprintf("h%d", len(names))
				e.Value.Mode = []Mode{"", ModeWrite, ModeRead, ModeRead}[r.IntN(4)]
				names = append(names, e.Value.Hold)
				keyOf[e.Value.Hold] = o.key
			}
		}
		events = append(events, e)
	}
	return events
}

// naiveClaim tells whether the claim of the hold covers the line: read off the
// definition, line by line, with nothing shared with the sweep.
func naiveClaim(events []Event, hold string, line int) bool {
	acquired, deadline := -1, Never
	for i, e := range events {
		v := e.Value
		if v.Hold != hold || e.Type != OK || e.F != Acquire && e.F != Extend {
			continue
		}
		if e.F == Acquire {
			acquired = i
		}
		if v.ValidUntil != nil && (deadline == Never || *v.ValidUntil > deadline) {
			deadline = *v.ValidUntil
		}
	}
	if acquired < 0 || line < acquired || events[line].Time >= deadline {
		return false
	}
	for _, e := range events[:line+1] {
		if e.Value.Hold == hold && (e.F == Release && e.Type == Invoke || e.F == LostHold) {
			return false
		}
	}
	return true
}

// naiveOverlap tells whether two claims that exclude each other share a line.
func naiveOverlap(events []Event) bool {
	var acquires []Event
	for _, e := range events {
		if e.F == Acquire && e.Type == OK {
			acquires = append(acquires, e)
		}
	}
	for line := range events {
		for i, a := range acquires {
			for _, b := range acquires[:i] {
				readers := a.Value.Mode == ModeRead && b.Value.Mode == ModeRead
				if a.Key == b.Key && !readers && naiveClaim(events, a.Value.Hold, line) && naiveClaim(events, b.Value.Hold, line) {
					return true
				}
			}
		}
	}
	return false
}

func TestMutualExclusionAgainstNaive(t *testing.T) {
	counts := map[Outcome]int{}
	seeds(t, 1500, func(r *rand.Rand, seed uint64) {
		events := randomHistory(r, 4+r.IntN(30))
		v, err := Check(context.Background(), events, ModelLease, CheckOptions{})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, show(events))
		}
		want := Valid
		if naiveOverlap(events) {
			want = Invalid
		}
		counts[want]++
		if v.Outcome != want {
			t.Errorf("Check says %s, naive %s: %+v\n%s", v.Outcome, want, v.Keys, show(events))
		}
		judged, err := Judge(events, Params{})
		if err != nil {
			t.Fatal(err)
		}
		p := judged.Property(MutualExclusion)
		if got := p.Outcome; got != want && got != NotJudged {
			t.Errorf("Judge says %s, naive %s: %s\n%s", got, want, p.Reason, show(events))
		}
		if v.Outcome == Invalid && !t.Failed() {
			checkCounterexample(t, events, v.Counterexample())
			checkCounterexample(t, events, p.Counterexample)
		}
	})
	if *seedFlag == 0 && (counts[Valid] < 100 || counts[Invalid] < 100) {
		t.Errorf("the histories are too much alike: %v", counts)
	}
}

// checkCounterexample: the lines of a counterexample alone are a violation too,
// once extends that prolong a deadline are added.
func checkCounterexample(t *testing.T, events []Event, c *Counterexample) {
	t.Helper()
	var holds []string
	for _, i := range c.Indices {
		if e := events[i]; e.F == Acquire && e.Type == OK {
			holds = append(holds, e.Value.Hold)
		}
	}
	if len(holds) != 2 {
		t.Errorf("counterexample %v names holds %v, want two", c.Indices, holds)
		return
	}
	for line := range events {
		if naiveClaim(events, holds[0], line) && naiveClaim(events, holds[1], line) {
			return
		}
	}
	t.Errorf("the claims of %v do not overlap in\n%s", holds, show(events))
}

// naiveTokens is token order by comparing all pairs.
func naiveTokens(events []Event) bool {
	ops := Ops(events)
	for i := range ops {
		for j := range ops {
			a, b := &ops[i], &ops[j]
			if i == j || a.F != Acquire || b.F != Acquire || a.Type != OK || b.Type != OK || a.Key != b.Key || a.Result.Token == 0 || b.Result.Token == 0 {
				continue
			}
			if a.Result.Token == b.Result.Token || a.Return < b.Invoke && a.Result.Token >= b.Result.Token {
				return false
			}
		}
	}
	return true
}

func TestTokenOrderAgainstNaive(t *testing.T) {
	counts := map[bool]int{}
	seeds(t, 1500, func(r *rand.Rand, seed uint64) {
		events := randomHistory(r, 4+r.IntN(40))
		token := int64(5)
		for i := range events {
			if e := &events[i]; e.F == Acquire && e.Type == OK && r.IntN(10) > 0 {
				token += int64(r.IntN(14)) - 1 // sometimes the same or lower
				e.Value.Token = tokenOf(max(token, 1))
			}
		}
		v, err := Judge(events, Params{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		want := naiveTokens(events)
		counts[want]++
		if got := v.Property(TokenOrder); (got.Outcome != Invalid) != want {
			t.Errorf("sweep says %s, naive %v: %s\n%s", got.Outcome, want, got.Reason, show(events))
		}
	})
	if *seedFlag == 0 && (counts[true] < 100 || counts[false] < 100) {
		t.Errorf("the histories are too much alike: %v", counts)
	}
}

func TestSpansAgainstNaive(t *testing.T) {
	seeds(t, 2000, func(r *rand.Rand, seed uint64) {
		var in []interval
		var covered [60]bool // whether [i,i+1] is in the set
		for range r.IntN(6) {
			lo := int64(r.IntN(40))
			hi := lo + int64(r.IntN(8))
			in = append(in, interval{lo, hi})
			for i := lo; i < hi; i++ {
				covered[i] = true
			}
		}
		s := newSpans(slices.Clone(in))
		lo := int64(r.IntN(45))
		hi := lo + int64(r.IntN(10))
		run := int64(r.IntN(10))
		var within int64
		meets := slices.ContainsFunc(in, func(i interval) bool { return i.lo <= hi && i.hi >= lo })
		for i := lo; i < hi; i++ {
			if covered[i] {
				within++
			}
		}
		outside := lo
		for left := run; left > 0; outside++ {
			if !covered[outside] {
				left--
			}
		}
		if got := s.within(lo, hi); got != within {
			t.Errorf("%v: %d within [%d,%d], want %d", in, got, lo, hi, within)
		}
		if got := s.meets(lo, hi); got != meets {
			t.Errorf("%v: meets [%d,%d] is %v, want %v", in, lo, hi, got, meets)
		}
		if got := s.outside(lo, run); run > 0 && got != outside {
			t.Errorf("%v: %d outside since %d are over at %d, want %d", in, run, lo, got, outside)
		}
	})
}

func TestSpansWithoutEnd(t *testing.T) {
	s := newSpans([]interval{{5, 7}, {10, Never}})
	for run, want := range map[int64]int64{2: 2, 5: 5, 6: 8, 8: 10, 9: Never} {
		if got := s.outside(0, run); got != want {
			t.Errorf("%d outside are over at %d, want %d", run, got, want)
		}
	}
	if got := s.within(0, 20); got != 12 {
		t.Errorf("%d within [0,20], want 12", got)
	}
}

// naiveOrdered tells whether events obey the rules of Order.
func naiveOrdered(t *testing.T, given, got []Event) {
	t.Helper()
	if len(given) != len(got) {
		t.Fatalf("%d events of %d", len(got), len(given))
	}
	perProcess := func(events []Event) map[Process][]string {
		m := map[Process][]string{}
		for _, e := range events {
			m[e.Process] = append(m[e.Process], fmt.Sprint(e.Time, e.Error))
		}
		return m
	}
	want := slices.Clone(given)
	slices.SortStableFunc(want, func(a, b Event) int { return int(a.Time - b.Time) })
	if g, w := fmt.Sprint(perProcess(got)), fmt.Sprint(perProcess(want)); g != w {
		t.Errorf("a process lost its own order: %s, want %s", g, w)
	}
	for i := range got {
		if got[i].Index != i || i > 0 && got[i].Time < got[i-1].Time {
			t.Errorf("event %d has index %d and time %d", i, got[i].Index, got[i].Time)
		}
		// Whatever stands later at this time and ranks lower waits for its own process.
		for j := i + 1; j < len(got) && got[j].Time == got[i].Time; j++ {
			held := slices.ContainsFunc(got[i:j], func(e Event) bool { return e.Process == got[j].Process })
			if rank(&got[j]) < rank(&got[i]) && !held {
				t.Errorf("%s %s of %v stands after %s %s of %v", got[j].Type, got[j].F, got[j].Process, got[i].Type, got[i].F, got[i].Process)
			}
		}
	}
}

func TestOrder(t *testing.T) {
	seeds(t, 500, func(r *rand.Rand, seed uint64) {
		var events []Event
		for i := range 2 + r.IntN(20) {
			e := Event{Time: int64(r.IntN(4)), Process: Process(r.IntN(6) - 2), Error: fmt.Sprint(i), Index: 77}
			switch e.Process {
			case Nemesis:
				e.Type, e.F = Info, "kill"
			case Observer:
				e.Type, e.F = Info, []F{LostHold, SampleKeys}[r.IntN(2)]
			default:
				e.Type, e.F = []Type{Invoke, OK, Fail, Info}[r.IntN(4)], []F{Acquire, Release, Extend}[r.IntN(3)]
			}
			events = append(events, e)
		}
		before := fmt.Sprint(events)
		naiveOrdered(t, events, Order(events))
		if fmt.Sprint(events) != before {
			t.Error("Order changed what it was given")
		}
	})
}

func TestOrderOfTies(t *testing.T) {
	got := Order([]Event{
		{Time: 5, Process: 1, Type: Invoke, F: Acquire},
		{Time: 5, Process: Nemesis, Type: Info, F: "kill"},
		{Time: 5, Process: 2, Type: OK, F: Acquire},
		{Time: 5, Process: 3, Type: OK, F: Acquire},
		{Time: 5, Process: 3, Type: Invoke, F: Release}, // waits for its own acquire
		{Time: 5, Process: Observer, Type: Info, F: LostHold},
		{Time: 5, Process: 4, Type: Invoke, F: Release},
		{Time: 4, Process: 9, Type: Invoke, F: Acquire},
	})
	var order []Process
	for _, e := range got {
		order = append(order, e.Process)
	}
	if want := []Process{9, Observer, 4, 2, 3, 3, 1, Nemesis}; !slices.Equal(order, want) {
		t.Errorf("processes in order %v, want %v", order, want)
	}
}

// naiveWaits counts waits by comparing each acquire with each hold.
func naiveWaits(events []Event) int {
	n := 0
	for _, op := range Ops(events) {
		for _, c := range Holds(events) {
			if op.F == Acquire && c.Invoke != op.Invoke && c.Key == op.Key && !c.Empty() &&
				min(op.End, c.EndTime)-max(op.Start, c.StartTime) >= ms {
				n++
				break
			}
		}
	}
	return n
}

func TestWaitsAgainstNaive(t *testing.T) {
	total := 0
	seeds(t, 500, func(r *rand.Rand, seed uint64) {
		events := randomHistory(r, 4+r.IntN(60))
		for i := range events {
			events[i].Time *= ms / 4
			if v := events[i].Value.ValidUntil; v != nil {
				*v *= ms / 4
			}
		}
		want := naiveWaits(events)
		total += want
		if got := TallyOf(events).Waited; got != want {
			t.Errorf("%d waits, want %d\n%s", got, want, show(events))
		}
	})
	if *seedFlag == 0 && total < 200 {
		t.Errorf("only %d waits in all histories", total)
	}
}
