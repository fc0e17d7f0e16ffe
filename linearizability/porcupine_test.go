package linearizability

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// bruteOp is an operation that takes effect in one of the gaps from first to
// last; gap i lies just before line i.
type bruteOp struct {
	first, last int
	effect      string // take, free or fence
	client      string
	reader      bool
	token       Token
	maybe       bool
}

// bruteOps reads the operations on the key off the rules, line by line.
func bruteOps(events []Event, key string) []bruteOp {
	claims := hasDeadlines(events)
	var ops []bruteOp
	for i, e := range events {
		if e.Process < 0 || e.Type != Invoke || e.Key != key || e.F != Acquire && e.F != Release {
			continue
		}
		op := bruteOp{first: i + 1, last: len(events), client: e.Value.Client, effect: "take", maybe: true}
		if e.F == Release {
			op.effect = "free"
		}
		done, outcome := -1, Info
		for j := i + 1; j < len(events) && done < 0; j++ {
			if events[j].Process == e.Process {
				done, outcome = j, events[j].Type
			}
		}
		if outcome == OK {
			op.last, op.maybe, op.token = done, false, events[done].Value.Token
			op.reader = events[done].Value.Mode == ModeRead
		}
		switch {
		case outcome == Fail || claims && (e.F != Acquire || outcome != OK):
		case !claims:
			ops = append(ops, op)
		default:
			end := done
			for end < len(events) && naiveClaim(events, events[done].Value.Hold, end) {
				end++
			}
			if end == done {
				op.effect = "fence"
			}
			ops = append(ops, op)
			if end > done && end < len(events) {
				ops = append(ops, bruteOp{first: end, last: end, client: op.client, reader: op.reader, effect: "free"})
			}
		}
	}
	return ops
}

// bruteState is where the walk over the gaps stands.
type bruteState struct {
	gap     int
	done    uint64
	owner   string
	readers int
	fence   Token
}

// bruteLegal tells whether the operations can take effect, each in one of its
// gaps, as a fenced mutex allows: by trying everything.
func bruteLegal(ops []bruteOp, s bruteState, seen map[bruteState]bool) bool {
	if seen[s] {
		return false
	}
	seen[s] = true
	late, left := false, false
	for i, op := range ops {
		if s.done>>i&1 == 1 {
			continue
		}
		late = late || op.last == s.gap && !op.maybe
		left = left || !op.maybe
		if s.gap < op.first || s.gap > op.last || op.effect != "free" && op.token != 0 && op.token <= s.fence {
			continue
		}
		next := s
		next.done |= 1 << i
		next.fence = max(s.fence, op.token)
		switch {
		case op.effect == "fence":
		case op.effect == "take" && (s.owner != "" || s.readers > 0 && !op.reader):
			continue
		case op.effect == "take" && op.reader:
			next.readers++
		case op.effect == "take":
			next.owner = op.client
		case op.reader && s.readers == 0 || !op.reader && s.owner != op.client:
			continue
		case op.reader:
			next.readers--
		default:
			next.owner = ""
		}
		if bruteLegal(ops, next, seen) {
			return true
		}
	}
	if !left {
		return true
	}
	if late {
		return false
	}
	s.gap++
	return bruteLegal(ops, s, seen)
}

// lawful makes a history as a lock of one key would, with clients that wait at
// once, holds that end in every way, late and empty claims; then, often, bends
// a token or two.
func lawful(r *rand.Rand, holds int) []Event {
	const key = "k"
	var events []Event
	now, clients, hold := int64(0), 2+r.IntN(3), 0
	process := make([]Process, clients)
	for c := range process {
		process[c] = Process(c)
	}
	waiting := make([]bool, clients)
	free := int64(0)
	token := Token(5)
	put := func(p Process, typ Type, f F, v Value) {
		events = append(events, Event{Index: len(events), Time: now, Process: p, Type: typ, F: f, Key: key, Value: v})
	}
	for hold < holds {
		now += int64(r.IntN(3))
		c := r.IntN(clients)
		v := Value{Client: fmt.Sprintf("c%d", c)}
		switch {
		case !waiting[c]:
			waiting[c] = true
			put(process[c], Invoke, Acquire, v)
		case r.IntN(6) == 0:
			waiting[c] = false
			typ := []Type{Fail, Info}[r.IntN(2)]
			put(process[c], typ, Acquire, v)
			if typ == Info {
				process[c] += 100
			}
		default:
			if now < free {
				now = free
			}
			hold++
			token += Token(1 + r.IntN(3))
			waiting[c] = false
			until := now + int64(r.IntN(8)) - 1
			v.Hold, v.Token, v.ValidUntil = fmt.Sprintf("h%d", hold), token, &until
			if r.IntN(8) == 0 {
				v.Token = 0
			}
			put(process[c], OK, Acquire, v)
			free = until
			now = min(now+int64(r.IntN(6)), max(now, until))
			switch r.IntN(4) {
			case 0, 1:
				put(process[c], Invoke, Release, Value{Client: v.Client, Hold: v.Hold})
				put(process[c], OK, Release, Value{Client: v.Client, Hold: v.Hold})
				free = min(free, now)
			case 2:
				put(Observer, Info, LostHold, Value{Client: v.Client, Hold: v.Hold})
				free = min(free, now)
			}
		}
	}
	return bend(r, events)
}

// bend exchanges or changes tokens, or prolongs a claim.
func bend(r *rand.Rand, events []Event) []Event {
	var acquired []int
	for i := range events {
		if events[i].F == Acquire && events[i].Type == OK {
			acquired = append(acquired, i)
		}
	}
	a, b := r.IntN(len(acquired)), r.IntN(len(acquired))
	v, w := &events[acquired[a]].Value, &events[acquired[b]].Value
	switch r.IntN(4) {
	case 0:
		v.Token, w.Token = w.Token, v.Token
	case 1:
		v.Token = Token(max(1, int(v.Token)-r.IntN(3)))
	case 2:
		until := *v.ValidUntil + int64(r.IntN(4))
		v.ValidUntil = &until
	}
	return events
}

// withTokens gives the acquires tokens that mostly rise.
func withTokens(r *rand.Rand, events []Event) []Event {
	token := int64(5)
	for i := range events {
		if e := &events[i]; e.F == Acquire && e.Type == OK && r.IntN(6) > 0 {
			token += int64(r.IntN(9)) - 1
			e.Value.Token = tokenOf(max(token, 1))
		}
	}
	return events
}

// anyHistory makes one of several kinds of random history.
func anyHistory(r *rand.Rand) []Event {
	switch r.IntN(3) {
	case 0:
		return lawful(r, 1+r.IntN(6))
	case 1:
		return withTokens(r, randomHistory(r, 4+r.IntN(20)))
	}
	events := withTokens(r, lawfulCalls(r, 1+r.IntN(5)))
	return events
}

// lawfulCalls makes a history without deadlines, as other harnesses record it.
func lawfulCalls(r *rand.Rand, holds int) []Event {
	var events []Event
	for _, e := range lawful(r, holds) {
		if e.Process == Observer && r.IntN(20) > 0 {
			continue
		}
		e.Index, e.Value.ValidUntil = len(events), nil
		if e.F == Release && e.Type == OK && r.IntN(4) == 0 {
			e.Type = []Type{Fail, Info}[r.IntN(2)]
		}
		events = append(events, e)
	}
	// A process ends with info: later operations go on under another number.
	ended := map[Process]bool{}
	for i := range events {
		e := &events[i]
		for e.Process >= 0 && ended[e.Process] {
			e.Process += 1000
		}
		if e.Type == Info && e.Process >= 0 {
			ended[e.Process] = true
		}
	}
	return events
}

// TestPorcupineAgainstBruteForce: three ways to judge a history say the same.
func TestPorcupineAgainstBruteForce(t *testing.T) {
	counts := map[string]int{}
	seeds(t, 24_000, func(r *rand.Rand, seed uint64) {
		events := anyHistory(r)
		o, err := Opine(context.Background(), events, time.Minute)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, show(events))
		}
		for _, k := range o.Keys {
			want := Invalid
			if bruteLegal(bruteOps(events, k.Key), bruteState{}, map[bruteState]bool{}) {
				want = Valid
			}
			if k.Porcupine.Outcome == Unknown {
				counts["model unfit"]++ // readers without deadlines
				continue
			}
			counts["porcupine "+string(want)]++
			counts["ours "+string(k.Ours.Outcome)]++
			if k.Porcupine.Outcome != want {
				t.Errorf("%s: porcupine says %s, brute force %s: %s\n%s", k.Key, k.Porcupine.Outcome, want, k.Porcupine.Reason, show(events))
			}
			if k.Ours.Outcome != NotJudged && k.Ours.Outcome != want || k.Agreement == Disagrees {
				t.Errorf("%s: ours says %s, brute force %s: %s\n%s", k.Key, k.Ours.Outcome, want, k.Ours.Reason, show(events))
			}
		}
		if len(o.Beyond()) > 0 {
			counts["beyond"]++
		}
	})
	if *seedFlag != 0 {
		return
	}
	for _, kind := range []string{"porcupine valid", "porcupine invalid", "ours valid", "ours invalid", "ours not-judged", "beyond"} {
		if counts[kind] < 100 {
			t.Errorf("only %d keys with %s: %v", counts[kind], kind, counts)
		}
	}
	t.Log(counts)
}

// TestClaimEnds: what porcupine is told of claims is what the sweeps are.
func TestClaimEnds(t *testing.T) {
	seeds(t, 3000, func(r *rand.Rand, seed uint64) {
		events := randomHistory(r, 4+r.IntN(60))
		ends := claimEnds(events, callsOf(events))
		holds := Holds(events)
		if len(ends) != len(holds) {
			t.Errorf("%d ends of %d holds", len(ends), len(holds))
		}
		for _, h := range holds {
			if got := ends[h.Hold]; max(got, h.Start) != max(h.End, h.Start) {
				t.Errorf("the claim of %s ends at %d, but %d for the sweeps\n%s", h.Hold, got, h.End, show(events))
			}
		}
	})
}

// TestSegments: a history judged in parts is as legal as the whole.
func TestSegments(t *testing.T) {
	cutUp, counts := 0, map[bool]int{}
	seeds(t, 6000, func(r *rand.Rand, seed uint64) {
		events := lawful(r, 1+r.IntN(12))
		if r.IntN(3) == 0 {
			events = withTokens(r, randomHistory(r, 10+r.IntN(60)))
		}
		for _, task := range porcupineTasks(events) {
			if task.readers {
				continue
			}
			whole := porcupine.CheckOperations(fencedModel(0, !task.claims), task.ops)
			parts, n := true, 0
			for _, s := range task.segments(1 + r.IntN(4)) {
				parts = parts && porcupine.CheckOperations(task.model(s), s.ops)
				n++
			}
			cutUp += n - 1
			counts[whole]++
			if parts != whole {
				t.Errorf("%s: legal in parts %v, as a whole %v\n%s", task.key, parts, whole, show(events))
			}
		}
	})
	if *seedFlag == 0 && (cutUp < 1000 || counts[true] < 500 || counts[false] < 500) {
		t.Errorf("%d cuts, %v: too much alike", cutUp, counts)
	}
}

// crowded has holds one after the other on one key, with so many clients that
// wait all the time; every waits'th acquire of unknown outcome.
func crowded(holds, clients int) []Event {
	var events []Event
	r := rand.New(rand.NewPCG(7, 7))
	process := make([]Process, clients)
	next := Process(clients)
	now := int64(0)
	put := func(p Process, typ Type, f F, v Value) {
		now += ms
		events = append(events, Event{Index: len(events), Time: now, Process: p, Type: typ, F: f, Key: "k", Value: v})
	}
	for c := range process {
		process[c] = Process(c)
		put(process[c], Invoke, Acquire, Value{Client: fmt.Sprintf("c%d", c)})
	}
	for i := range holds {
		c := r.IntN(clients)
		client := fmt.Sprintf("c%d", c)
		until := now + 100*ms
		v := Value{Client: client, Hold: fmt.Sprintf("h%d", i), Token: Token(i + 1), ValidUntil: &until}
		put(process[c], OK, Acquire, v)
		put(process[c], Invoke, Release, Value{Client: client, Hold: v.Hold})
		put(process[c], OK, Release, Value{Client: client, Hold: v.Hold})
		put(process[c], Invoke, Acquire, Value{Client: client})
		if d := r.IntN(clients); d != c && i%10 == 0 {
			client := fmt.Sprintf("c%d", d)
			put(process[d], Info, Acquire, Value{Client: client})
			process[d], next = next, next+1
			put(process[d], Invoke, Acquire, Value{Client: client})
		}
	}
	return events
}

// TestSearchIsShort counts porcupine's steps rather than the time they take.
func TestSearchIsShort(t *testing.T) {
	events := crowded(5000, 16)
	task := porcupineTasks(events)[0]
	segments := task.segments(segmentSize)
	asked, ops := 0, 0
	for _, s := range segments {
		b := newBudget(context.Background(), len(s.ops))
		if !porcupine.CheckOperations(b.watch(task.model(s)), s.ops) || b.spent != "" {
			t.Fatalf("porcupine convicts a legal history, or gave up: %q", b.spent)
		}
		asked += b.asked
		ops += len(s.ops)
	}
	if ops != 10_000 || len(segments) < 4 {
		t.Errorf("%d operations in %d segments", ops, len(segments))
	}
	if most := 200 * ops; asked > most {
		t.Errorf("porcupine asked for %d steps for %d operations, want at most %d", asked, ops, most)
	}
	t.Logf("%d steps for %d operations", asked, ops)
}

func BenchmarkOpine5000Holds16Waiters(b *testing.B) { benchmarkOpine(b, crowded(5000, 16)) }
func BenchmarkOpine50000Holds4Waiters(b *testing.B) { benchmarkOpine(b, crowded(50_000, 4)) }

func benchmarkOpine(b *testing.B, events []Event) {
	b.ReportAllocs()
	for b.Loop() {
		o, err := Opine(context.Background(), events, time.Minute)
		if err != nil || o.Agreement != Agrees || o.Outcome != Valid {
			b.Fatal(o, err)
		}
	}
}

// TestBudget: a search that is told to stop, or takes too much, ends and says
// nothing.
func TestBudget(t *testing.T) {
	task := porcupineTasks(crowded(50, 4))[0]
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	b := newBudget(stopped, len(task.ops))
	if porcupine.CheckOperations(b.watch(fencedModel(0, false)), task.ops); b.spent == "" {
		t.Error("the search went on although it was told to stop")
	}
	b = newBudget(context.Background(), len(task.ops))
	b.left = 10 * b.step
	if porcupine.CheckOperations(b.watch(fencedModel(0, false)), task.ops); b.spent == "" {
		t.Error("the search took more than its budget")
	}
}

func TestOrderOfReturns(t *testing.T) {
	for _, task := range porcupineTasks(crowded(40, 3)) {
		if !slices.IsSortedFunc(task.ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) }) {
			t.Error("the operations are not in the order of their returns")
		}
	}
}
