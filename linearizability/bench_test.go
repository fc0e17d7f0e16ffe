package linearizability

import (
	"bytes"
	"context"
	"fmt"
	"testing"
)

// tokenOf makes a token of a test's number.
func tokenOf(n int64) Token { return Token(n) }

// longHistory has at least ops operations: clients that take turns on eight
// keys, each acquiring, writing and releasing, with samples and faults between.
func longHistory(ops int) []Event {
	var events []Event
	now := int64(0)
	add := func(e Event) {
		now += ms / 10
		e.Time = now
		events = append(events, e)
	}
	both := func(p Process, f F, key string, call, result Value) {
		add(Event{Process: p, Type: Invoke, F: f, Key: key, Value: call})
		add(Event{Process: p, Type: OK, F: f, Key: key, Value: result})
	}
	counts := map[string]int64{}
	for i := 0; i*3 < ops; i++ {
		p, key := Process(i%16), fmt.Sprintf("lock-%d", i%8)
		client, hold, until := fmt.Sprintf("c%d", p), fmt.Sprintf("h%d", i), now+2000*ms
		token := tokenOf(int64(i + 1))
		both(p, Acquire, key, Value{Client: client}, Value{Client: client, Hold: hold, ID: hold, Token: token, ValidUntil: &until})
		counts[key]++
		n := counts[key]
		work := Value{Client: client, Hold: hold, Token: token, N: &n, Resource: Fenced}
		both(p, Write, key, work, work)
		if i%10 == 0 {
			node := NodeSample{Admitted: true, Keys: map[string]string{key: hold}, NoTTL: []string{}}
			add(Event{Process: Observer, Type: Info, F: SampleKeys, Value: Value{Keys: &Keys{From: now, To: now + 1,
				Nodes: map[string]NodeSample{"n1": node, "n2": node, "n3": node}}}})
		}
		both(p, Release, key, Value{Client: client, Hold: hold}, Value{Client: client, Hold: hold})
	}
	return Order(events)
}

// worstHistory has holds that are never released, all on one key, so that every
// claim overlaps every later one, and every client stalls all the time.
func worstHistory(ops int) []Event {
	var events []Event
	for i := range ops {
		now := int64(i) * ms
		client, hold, until := fmt.Sprintf("c%d", i%16), fmt.Sprintf("h%d", i), int64(ops)*ms
		p := Process(i)
		events = append(events,
			Event{Time: now, Process: p, Type: Invoke, F: Acquire, Key: "k", Value: Value{Client: client}},
			Event{Time: now, Process: p, Type: OK, F: Acquire, Key: "k", Value: Value{Client: client, Hold: hold, ID: hold, Token: tokenOf(int64(i + 1)), ValidUntil: &until}},
			Event{Time: now, Process: Observer, Type: Info, F: StallSeen, Value: Value{Stall: &Stall{From: now, To: now + ms/2, Clients: []string{client}}}},
			Event{Time: now, Process: Observer, Type: Info, F: SampleKeys, Value: Value{Keys: &Keys{From: now, To: now, Nodes: map[string]NodeSample{"n1": {}, "n2": {}, "n3": {Admitted: true}}}}})
	}
	return Order(events)
}

func benchmarkJudge(b *testing.B, events []Event) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Judge(events, testParams); err != nil {
			b.Fatal(err)
		}
		TallyOf(events)
	}
}

func BenchmarkJudge100kOps(b *testing.B)      { benchmarkJudge(b, longHistory(100_000)) }
func BenchmarkJudgeWorst100kOps(b *testing.B) { benchmarkJudge(b, worstHistory(100_000)) }

func BenchmarkCheckLease100kOps(b *testing.B) {
	events := longHistory(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if v, err := Check(context.Background(), events, ModelLease, CheckOptions{}); err != nil || v.Outcome != Valid {
			b.Fatal(v, err)
		}
	}
}

func BenchmarkReadWrite100kOps(b *testing.B) {
	events := longHistory(100_000)
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		w := NewWriter(&out)
		for i := range events {
			if err := w.Write(events[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		if _, err := ReadAll(&out, ReaderOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLongHistory keeps the benchmarks' history honest.
func TestLongHistory(t *testing.T) {
	events := longHistory(3000)
	v, err := Judge(events, testParams)
	if err != nil || v.Word() != WordNoViolation {
		t.Fatalf("%v, %+v", err, v)
	}
	for _, p := range []Property{MutualExclusion, HonestValidity, TokenOrder, FencedResource, NoOrphans, Overrun} {
		if v.Property(p).Outcome != Valid {
			t.Errorf("%s: %s: %s", p, v.Property(p).Outcome, v.Property(p).Reason)
		}
	}
}
