package linearizability

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// historiesFlag says how many random histories the methods are compared on.
var historiesFlag = flag.Uint64("histories", 0, "compare the methods on so many random histories (0: 100,000; fewer with -short or -race)")

// drawnModels are the models that random histories are drawn for.
var drawnModels = []string{ModelMutex, ModelOwnerAwareMutex, ModelReentrantMutex, ModelFencedMutex, ModelReentrantFencedMutex,
	ModelReentrantFencedMutex, "semaphore:1", "semaphore:2", "semaphore:3", ModelRWMutex, ModelLease}

// drawer makes a random history of one key or two, around a lock that obeys a
// model, or nearly.
type drawer struct {
	r       *rand.Rand
	model   string
	claims  bool // some lines have deadlines
	nesting bool // clients acquire more than once
	wild    int  // percent of calls that take effect although the model forbids it, or of strange releases
	events  []Event
	now     int64
	next    Process // number of the next process that begins
	holds   int
	token   int
	threads []thread
	locks   map[string]tiny
	granted []grant
}

// thread is a client's thread of control.
type thread struct {
	p      Process
	client int
	call   *Event // open, or nil
	effect bool   // it has taken effect
	token  Token
}

// grant is a hold as its client knows it.
type grant struct {
	name, key string
	client    int
	permits   int
	mode      Mode
	released  bool
}

func draw(r *rand.Rand, model string) []Event {
	d := &drawer{r: r, model: model, claims: r.IntN(5) < 2, nesting: r.IntN(2) == 0, wild: []int{0, 5, 15, 40, 80}[r.IntN(5)],
		locks: map[string]tiny{}, token: 1}
	for c := range 2 + r.IntN(2) {
		for range 1 + r.IntN(2) {
			d.threads = append(d.threads, thread{p: d.next, client: c})
			d.next++
		}
	}
	for range 8 + r.IntN(32) {
		d.now += int64(r.IntN(3))
		d.move(&d.threads[r.IntN(len(d.threads))])
	}
	return d.events
}

func (d *drawer) put(p Process, typ Type, f F, key string, v Value) *Event {
	d.events = append(d.events, Event{Index: len(d.events), Time: d.now, Process: p, Type: typ, F: f, Key: key, Value: v})
	return &d.events[len(d.events)-1]
}

// chance is true in so many of a hundred cases.
func (d *drawer) chance(percent int) bool { return d.r.IntN(100) < percent }

// move lets a thread call, or its call take effect or return.
func (d *drawer) move(t *thread) {
	switch {
	case t.call == nil && d.claims && d.chance(8) && len(d.granted) > 0:
		g := d.granted[d.r.IntN(len(d.granted))]
		d.put(Observer, Info, LostHold, g.key, Value{Client: fmt.Sprintf("c%d", g.client), Hold: g.name})
	case t.call == nil:
		d.invoke(t)
	case !t.effect && d.chance(60):
		d.takeEffect(t)
	default:
		d.finish(t)
	}
}

func (d *drawer) invoke(t *thread) {
	client := fmt.Sprintf("c%d", t.client)
	v, f, key := Value{Client: client}, Acquire, "k"
	if d.chance(4) {
		key = "l"
	}
	if g := d.toRelease(t.client); g != nil {
		f, key, v.Hold = Release, g.key, g.name
		if d.claims && d.chance(20) {
			f = Extend
		} else {
			g.released = true
		}
		if d.chance(d.wild) {
			v.Hold = "" // as other harnesses record it
		}
		if v.Hold == "" || d.chance(50) {
			v.Permits, v.Mode = g.permits, g.mode
		}
	} else if f == Acquire && d.chance(d.wild/2) && len(d.granted) > 0 {
		f, v.Hold = Release, []string{"", "nothing", d.granted[0].name}[d.r.IntN(3)]
	}
	if f == Acquire && strings.HasPrefix(d.model, "semaphore") {
		v.Permits = d.r.IntN(4)
	}
	if f == Acquire && d.r.IntN(2) == 0 {
		v.Mode = []Mode{ModeRead, ModeRead, ModeWrite}[d.r.IntN(3)]
	}
	e := *d.put(t.p, Invoke, f, key, v)
	t.call, t.effect, t.token = &e, false, 0
}

// toRelease picks a hold for a client to release, sometimes again, or nil.
func (d *drawer) toRelease(client int) *grant {
	var mine []*grant
	for i := range d.granted {
		if g := &d.granted[i]; g.client == client && (!g.released || d.chance(d.wild)) {
			mine = append(mine, g)
		}
	}
	if len(mine) == 0 || d.nesting && d.chance(40) || d.chance(10) {
		return nil
	}
	return mine[d.r.IntN(len(mine))]
}

// takeEffect asks the lock.
func (d *drawer) takeEffect(t *thread) {
	v := t.call.Value
	op := tinyOp{what: t.call.F[0], c: t.client, n: int8(max(1, v.Permits)), reader: v.Mode == ModeRead}
	if t.call.F == Extend {
		t.effect = true
		return
	}
	for i := range d.granted {
		if g := &d.granted[i]; t.call.F == Release && g.name == v.Hold {
			op.n, op.reader = int8(max(1, g.permits)), g.mode == ModeRead
		}
	}
	s := d.locks[t.call.Key]
	if op.what == 'a' && d.chance(85) {
		op.token = int8(d.token)
		if s.cur != 0 && d.chance(95) {
			op.token = s.cur
		}
		if d.chance(d.wild / 3) {
			op.token = int8(max(1, d.token-d.r.IntN(3)))
		}
	}
	next, ok := tinyStep(d.model, s, op)
	if !ok && !d.chance(d.wild) {
		return
	}
	if ok {
		d.locks[t.call.Key] = next
	}
	if int(op.token) == d.token {
		d.token += d.r.IntN(2) + 1
	}
	t.effect, t.token = true, Token(op.token)
}

// finish returns a call, sometimes without saying what came of it.
func (d *drawer) finish(t *thread) {
	v, f, key := t.call.Value, t.call.F, t.call.Key
	typ := Fail
	if t.effect {
		typ = OK
	}
	switch {
	case d.chance(4): // it crashes: no line at all
		t.p, t.call, d.next = d.next, nil, d.next+1
		return
	case d.chance(12):
		typ = Info
	}
	if f == Acquire && typ == OK {
		d.holds++
		v.Hold, v.Token = fmt.Sprintf("h%d", d.holds), t.token
		d.granted = append(d.granted, grant{name: v.Hold, key: key, client: t.client, permits: v.Permits, mode: v.Mode})
	}
	if d.claims && typ == OK && f != Release && d.chance(80) {
		until := d.now + int64(d.r.IntN(60))
		if d.chance(30) {
			until = d.now + int64(d.r.IntN(5)) - 1
		}
		v.ValidUntil = &until
	}
	d.put(t.p, typ, f, key, v)
	t.call = nil
	if typ == Info {
		t.p, d.next = d.next, d.next+1
	}
}

// judgeBy has one method judge the history.
func judgeBy(t *testing.T, events []Event, model string, method Method) *ModelVerdict {
	t.Helper()
	v, err := Check(context.Background(), events, model, CheckOptions{Method: method, Limit: time.Minute})
	if err != nil {
		t.Fatalf("%s: %v\n%s", model, err, show(events))
	}
	for _, k := range v.Keys {
		if method != "" && k.Method != method {
			t.Errorf("%s: %s judged, not %s", model, k.Method, method)
		}
		if (k.Outcome == Invalid) != (k.Counterexample != nil) || k.Reason == "" {
			t.Errorf("%s: %s says %s, with reason %q and counterexample %+v", model, k.Method, k.Outcome, k.Reason, k.Counterexample)
		}
	}
	return v
}

// TestMethodsAgree compares the sweep, the search, porcupine and a brute force
// that shares nothing with them, on random histories for all models.
func TestMethodsAgree(t *testing.T) {
	n := *historiesFlag
	switch {
	case n > 0:
	case race:
		n = 5_000
	case testing.Short():
		n = 10_000
	default:
		n = 100_000
	}
	counts := map[string]int{}
	seeds(t, n, func(r *rand.Rand, seed uint64) {
		model := drawnModels[r.IntN(len(drawnModels))]
		events := draw(r, model)
		claims := hasDeadlines(events) || model == ModelLease
		auto := judgeBy(t, events, model, "")
		others := map[Method]*ModelVerdict{}
		for _, m := range []Method{MethodSearch, MethodPorcupine} {
			others[m] = judgeBy(t, events, model, m)
		}
		counts["histories"]++
		for i, k := range auto.Keys {
			want := Invalid
			if tinyLegal(model, tinyOps(events, k.Key, claims), tinyPlace{}, map[tinyPlace]bool{}) {
				want = Valid
			}
			counts[string(want)]++
			counts[string(k.Method)+" "+string(want)]++
			counts[model+" "+string(want)]++
			if k.Outcome != want {
				t.Errorf("%s of %s: %s says %s, brute force %s: %s\n%s", k.Key, model, k.Method, k.Outcome, want, k.Reason, show(events))
			}
			for m, v := range others {
				got := v.Keys[i].Outcome
				if got == Unknown && m != MethodSearch {
					counts[string(m)+" unknown"]++
					continue
				}
				if got != want {
					t.Errorf("%s of %s: %s says %s, brute force %s: %s\n%s", k.Key, model, m, got, want, v.Keys[i].Reason, show(events))
				}
			}
			if want == Invalid && !t.Failed() {
				checkMinimal(t, events, model, k, claims)
				checkMinimal(t, events, model, others[MethodSearch].Keys[i], claims)
			}
		}
	})
	if *seedFlag != 0 {
		return
	}
	checkCounts(t, n, counts)
}

// checkCounts: there was enough of everything.
func checkCounts(t *testing.T, n uint64, counts map[string]int) {
	t.Helper()
	t.Logf("seeds 1 to %d: %v", n, counts)
	least := int(n / 200)
	for _, model := range drawnModels {
		for _, o := range []Outcome{Valid, Invalid} {
			if counts[model+" "+string(o)] < least {
				t.Errorf("only %d keys of %s are %s", counts[model+" "+string(o)], model, o)
			}
		}
	}
	for _, kind := range []string{"sweep valid", "sweep invalid", "search valid", "search invalid"} {
		if counts[kind] < least {
			t.Errorf("only %d keys with %s", counts[kind], kind)
		}
	}
}

// checkMinimal: what a counterexample shows is illegal by itself. Where it is
// let go of operations, rather than of whole holds, it is so also if they may
// have happened as it suits. And it is legal without any one of its own.
func checkMinimal(t *testing.T, events []Event, model string, k KeyVerdict, claims bool) {
	t.Helper()
	c := k.Counterexample
	if c == nil || len(c.Indices) == 0 || !slices.IsSorted(c.Indices) || c.Story == "" {
		t.Errorf("counterexample %+v of %s\n%s", c, model, show(events))
		return
	}
	ops := tinyOps(events, k.Key, claims)
	ops = slices.DeleteFunc(ops, func(op tinyOp) bool { return k.Since > 0 && op.first <= k.Since })
	whole := k.Method == MethodSweep || claims && model != ModelReentrantFencedMutex
	legal := func(ops []tinyOp) bool { return tinyLegal(model, ops, tinyPlace{}, map[tinyPlace]bool{}) }
	units := map[string]bool{} // holds that are shown, or operations
	unit := func(i int) string {
		if whole {
			return ops[i].hold
		}
		return fmt.Sprint(i)
	}
	for i, op := range ops {
		// An operation is shown by its return, and the end of a claim by its line.
		if slices.Contains(c.Indices, op.last) && !op.maybe && (op.what != 'r' || !whole) {
			units[unit(i)] = true
		}
	}
	without := func(gone string) []tinyOp {
		var left []tinyOp
		for i, op := range ops {
			if !units[unit(i)] || unit(i) == gone {
				if whole {
					continue
				}
				op.maybe = true
			}
			left = append(left, op)
		}
		return left
	}
	if legal(without("-")) {
		t.Errorf("%s: what the %s's counterexample %v shows is legal: %s\n%s", model, k.Method, c.Indices, c.Story, show(events))
	}
	if k.Method == MethodPorcupine || claims && !whole {
		return // which of the lines are ends of claims is not told
	}
	for u := range units {
		if !legal(without(u)) {
			t.Errorf("%s: the %s's counterexample %v is illegal also without %s: %s\n%s", model, k.Method, c.Indices, u, c.Story, show(events))
		}
	}
}
