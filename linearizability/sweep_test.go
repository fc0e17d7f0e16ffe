package linearizability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// busy feeds a history of so many acquires and releases to a function, event by
// event: clients that all wait for one lock, which serves them one by one. So
// many in a hundred operations have an unknown outcome.
func busy(ops, clients, unknown int, claims bool, feed func(*Event)) {
	r := rand.New(rand.NewPCG(5, 5))
	process := make([]Process, clients)
	names := make([]string, clients)
	next, index, now := Process(clients), 0, int64(0)
	put := func(p Process, typ Type, f F, v Value) {
		now += 1000
		feed(&Event{Index: index, Time: now, Process: p, Type: typ, F: f, Key: "k", Value: v})
		index++
	}
	for c := range process {
		process[c], names[c] = Process(c), "c"+strconv.Itoa(c)
		put(process[c], Invoke, Acquire, Value{Client: names[c]})
	}
	lost := func(c int) { // the client goes on under another number
		process[c], next = next, next+1
	}
	for done := clients; done < ops; {
		c := r.IntN(clients)
		client := Value{Client: names[c]}
		if r.IntN(100) < unknown {
			put(process[c], Info, Acquire, client)
			lost(c)
			put(process[c], Invoke, Acquire, client)
			done++
			continue
		}
		v := Value{Client: names[c], Hold: "h" + strconv.Itoa(done), Token: Token(done)}
		if claims {
			until := now + 1_000_000
			v.ValidUntil = &until
		}
		put(process[c], OK, Acquire, v)
		release := Value{Client: names[c], Hold: v.Hold}
		put(process[c], Invoke, Release, release)
		if r.IntN(100) < unknown {
			put(process[c], Info, Release, release)
			lost(c)
		} else {
			put(process[c], OK, Release, release)
		}
		put(process[c], Invoke, Acquire, client)
		done += 2
	}
}

// checkerOf returns a checker to which a busy history was added.
func checkerOf(t testing.TB, model string, opts CheckOptions, ops, clients, unknown int, claims bool) *Checker {
	t.Helper()
	c, err := NewChecker(model, opts)
	if err != nil {
		t.Fatal(err)
	}
	busy(ops, clients, unknown, claims, c.Add)
	return c
}

// TestTenUnknownAcquires: a short history with ten acquires of unknown outcome,
// on which a search for an order of all operations may take as good as for
// ever, is settled by the sweep, and by the search in few steps.
func TestTenUnknownAcquires(t *testing.T) {
	var events []Event
	busy(200, 12, 12, false, func(e *Event) { events = append(events, *e) })
	if err := Validate(events); err != nil {
		t.Fatal(err)
	}
	unknown := 0
	for _, e := range events {
		if e.F == Acquire && e.Type == Info {
			unknown++
		}
	}
	if unknown < 10 {
		t.Fatalf("only %d acquires of unknown outcome", unknown)
	}
	for _, model := range []string{ModelMutex, ModelOwnerAwareMutex, ModelReentrantMutex, ModelFencedMutex, "semaphore:1", ModelRWMutex} {
		if v := judgeBy(t, events, model, ""); v.Outcome != Valid || v.Keys[0].Method != MethodSweep {
			t.Errorf("%s: %+v", model, v)
		}
		v, err := Check(context.Background(), events, model, CheckOptions{Method: MethodSearch, Steps: 2_000_000})
		if err != nil || v.Outcome != Valid {
			t.Errorf("%s: the search: %+v, %v", model, v, err)
		}
	}
}

// TestSearchStaysSmall: along a history that the sweep could judge, the search
// takes a number of steps that grows with its length alone.
func TestSearchStaysSmall(t *testing.T) {
	for _, ops := range []int{500, 4000} {
		c := checkerOf(t, ModelFencedMutex, CheckOptions{}, ops, 12, 0, true)
		c.r.finish()
		limit := limits{steps: 1 << 40, bytes: 1 << 30}
		if got := search(context.Background(), c.m, c.r.windows(true)[0], &limit); got.outcome != Valid {
			t.Fatalf("%d operations: %+v", ops, got)
		}
		if steps := 1<<40 - limit.steps; steps > 100*ops {
			t.Errorf("%d operations took %d steps", ops, steps)
		}
	}
}

// TestSweepIsLinear: what a sweep allocates grows no faster than the history.
func TestSweepIsLinear(t *testing.T) {
	if race {
		t.Skip("SKIP: the race detector allocates too")
	}
	bytes := func(ops int) float64 {
		c := checkerOf(t, ModelFencedMutex, CheckOptions{}, ops, 50, 2, false)
		r := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v := c.Verdict(context.Background()); v.Outcome != Valid || v.Keys[0].Method != MethodSweep {
					b.Fatalf("%+v", v)
				}
			}
		})
		return float64(r.AllocedBytesPerOp()) / float64(ops)
	}
	if small, big := bytes(1000), bytes(20_000); big > 2*small {
		t.Errorf("%.0f bytes an operation of 1000, %.0f of 20000", small, big)
	}
}

// BenchmarkSweep judges histories of growing length: 50 clients that wait for
// one lock, 2 % of unknown outcome.
func BenchmarkSweep(b *testing.B) {
	for _, ops := range []int{1000, 10_000, 100_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("ops=%d", ops), func(b *testing.B) {
			c := checkerOf(b, ModelFencedMutex, CheckOptions{}, ops, 50, 2, false)
			b.ReportAllocs()
			for b.Loop() {
				if v := c.Verdict(context.Background()); v.Outcome != Valid || v.Keys[0].Method != MethodSweep {
					b.Fatalf("%+v", v)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(ops), "ns/operation")
		})
	}
}

// BenchmarkSweepModels judges 10⁶ operations by each model.
func BenchmarkSweepModels(b *testing.B) {
	for _, model := range []string{ModelMutex, ModelReentrantFencedMutex, "semaphore:1", ModelRWMutex, ModelLease} {
		b.Run(model, func(b *testing.B) {
			c := checkerOf(b, model, CheckOptions{}, 1_000_000, 50, 2, true)
			for b.Loop() {
				if v := c.Verdict(context.Background()); v.Outcome != Valid || v.Keys[0].Method != MethodSweep {
					b.Fatalf("%+v", v)
				}
			}
		})
	}
}

// BenchmarkSweepPorcupine gives the same histories to porcupine, for no longer
// than 20 s each, and says how often it came to an end.
func BenchmarkSweepPorcupine(b *testing.B) {
	for _, clients := range []int{4, 50} {
		for _, ops := range []int{1000, 10_000, 100_000} {
			for _, unknown := range []int{0, 2} {
				b.Run(fmt.Sprintf("ops=%d/clients=%d/unknown=%d", ops, clients, unknown), func(b *testing.B) {
					opts := CheckOptions{Method: MethodPorcupine, Limit: 20 * time.Second, Memory: 1 << 30}
					c := checkerOf(b, ModelFencedMutex, opts, ops, clients, unknown, false)
					decided := 0
					for b.Loop() {
						if c.Verdict(context.Background()).Outcome == Valid {
							decided++
						}
					}
					b.ReportMetric(float64(decided)/float64(b.N), "decided/op")
				})
			}
		}
	}
}

// TestTenUnknownAcquiresIllegal: 95 holds of one lock, all asked for at once and
// served one by one, beside ten acquires of unknown outcome; the last token is
// not above those before. Looking for a legal order of all of them takes
// porcupine longer than anybody waits; the sweep sees two tokens.
func TestTenUnknownAcquiresIllegal(t *testing.T) {
	const holds = 95
	var events []Event
	add := func(p int, ty Type, f F, v Value) {
		n := len(events)
		events = append(events, Event{Index: n, Time: int64(n), Process: Process(p), Type: ty, F: f, Key: "k", Value: v})
	}
	for i := range 10 {
		v := Value{Client: "u" + strconv.Itoa(i)}
		add(1000+i, Invoke, Acquire, v)
		add(1000+i, Info, Acquire, v)
	}
	for i := range holds {
		add(i, Invoke, Acquire, Value{Client: "c" + strconv.Itoa(i)})
	}
	for i := range holds {
		v := Value{Client: "c" + strconv.Itoa(i), Hold: "h" + strconv.Itoa(i), Token: Token(i + 1)}
		if i == holds-1 {
			v.Token = 1
		}
		add(i, OK, Acquire, v)
		add(i, Invoke, Release, v)
		add(i, OK, Release, v)
	}
	if err := Validate(events); err != nil {
		t.Fatal(err)
	}
	v := judgeBy(t, events, ModelFencedMutex, "")
	if k := v.Keys[0]; k.Outcome != Invalid || k.Method != MethodSweep || k.Counterexample == nil {
		t.Errorf("%+v", k)
	}
	if v := judgeBy(t, events, ModelOwnerAwareMutex, ""); v.Outcome != Valid {
		t.Errorf("without tokens: %+v", v)
	}
}
