package chaos

import (
	"errors"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock"
)

// tick is a clock that moves by a millisecond with every reading.
func tick() func() time.Duration {
	var now time.Duration
	return func() time.Duration {
		now += time.Millisecond
		return now
	}
}

// begun is a recorder whose run has begun.
func begun() *recorder {
	rec := newRecorder(tick())
	rec.begin()
	return rec
}

// valid fails the test unless the events are a history by its own rules.
func valid(t *testing.T, events []linearizability.Event) {
	t.Helper()
	if err := linearizability.Validate(events); err != nil {
		t.Fatalf("the recorded history is refused: %v", err)
	}
}

// observed feeds a trace with events and returns the history that it made.
func observed(t *testing.T, events ...redlock.Event) []linearizability.Event {
	t.Helper()
	rec := begun()
	tr := newTrace("c1", rec)
	for _, e := range events {
		e.Name, e.ID = "lock-1", "id-1"
		tr.Observe(e)
	}
	history := rec.end()
	valid(t, history)
	return history
}

func TestRenewalsAreExtendsOfTheirOwnProcess(t *testing.T) {
	h := observed(t,
		redlock.Event{Kind: redlock.EventAcquired, Token: 7, Deadline: time.Second},
		redlock.Event{Kind: redlock.EventExtend, Auto: true},
		redlock.Event{Kind: redlock.EventExtended, Auto: true, Deadline: 2 * time.Second},
		redlock.Event{Kind: redlock.EventExtend, Auto: true},
		redlock.Event{Kind: redlock.EventExtended, Auto: true, Deadline: 3 * time.Second})
	if len(h) != 4 {
		t.Fatalf("%d lines, want 4: %+v", len(h), h)
	}
	for i, e := range h {
		if e.F != linearizability.Extend || e.Process != h[0].Process || e.Value.Hold != "c1-1" {
			t.Errorf("line %d: %+v", i, e)
		}
	}
	// The run began at the clock's first millisecond.
	if got := *h[3].Value.ValidUntil; got != int64(3*time.Second-time.Millisecond) {
		t.Errorf("valid until %d", got)
	}
}

func TestNothingBeforeTheBeginCounts(t *testing.T) {
	rec := newRecorder(tick())
	tr := newTrace("c1", rec)
	tr.Observe(redlock.Event{Kind: redlock.EventPath, Path: redlock.PathRaise})
	tr.Observe(redlock.Event{Kind: redlock.EventAcquired, ID: "a", Name: "lock-1"})
	if _, ok := tr.acquired("a"); ok || tr.path("raise") != 0 {
		t.Error("what happened before the run is counted")
	}
}

func TestFailedRenewals(t *testing.T) {
	begin := redlock.Event{Kind: redlock.EventExtend, Auto: true}
	fail := func(kind error) redlock.Event {
		return redlock.Event{Kind: redlock.EventExtendFailed, Auto: true, Err: &redlock.Error{Op: "extend", Kind: kind}}
	}
	h := observed(t, redlock.Event{Kind: redlock.EventAcquired},
		begin, fail(redlock.ErrNoQuorum), begin, fail(redlock.ErrSuperseded), begin, fail(redlock.ErrExpired), begin)
	want := []linearizability.Type{
		linearizability.Invoke, linearizability.Info, linearizability.Invoke, linearizability.Fail,
		linearizability.Invoke, linearizability.Fail, linearizability.Invoke,
	}
	if len(h) != len(want) {
		t.Fatalf("%d lines, want %d", len(h), len(want))
	}
	for i, e := range h {
		if e.Type != want[i] {
			t.Errorf("line %d is %s, want %s", i, e.Type, want[i])
		}
	}
	if h[1].Process == h[2].Process {
		t.Error("the process goes on after an unknown outcome")
	}
}

func TestExplicitExtensionsAreTheCallersToRecord(t *testing.T) {
	h := observed(t, redlock.Event{Kind: redlock.EventAcquired},
		redlock.Event{Kind: redlock.EventExtend}, redlock.Event{Kind: redlock.EventExtended, Deadline: time.Second})
	if len(h) != 0 {
		t.Errorf("recorded %+v", h)
	}
}

func TestTraceNamesHoldsAndCountsPaths(t *testing.T) {
	tr := newTrace("c1", begun())
	for _, id := range []string{"a", "b"} {
		tr.Observe(redlock.Event{Kind: redlock.EventAcquired, ID: id, Name: "lock-1"})
	}
	tr.Observe(redlock.Event{Kind: redlock.EventPath, Path: redlock.PathRaise})
	a, okA := tr.acquired("a")
	b, okB := tr.acquired("b")
	if !okA || !okB || a.hold == b.hold {
		t.Errorf("holds %+v and %+v", a, b)
	}
	if _, ok := tr.acquired("c"); ok {
		t.Error("knows a lease that was never acquired")
	}
	if got := tr.path("raise"); got != 1 {
		t.Errorf("raise was counted %d times", got)
	}
}

func TestNothingIsHeardOfACrashedClient(t *testing.T) {
	rec := begun()
	c := &client{name: "s1", rec: rec}
	th, other := c.thread(), (&client{name: "s2", rec: rec}).thread()
	v := linearizability.Value{Client: "s1"}
	th.record(rec.now(), linearizability.Invoke, linearizability.Acquire, "lock-1", v, nil)
	l := newLedger(rec, 0)
	e := l.open(crashOf("s1"), "crash")
	l.crash(e)
	th.record(rec.now(), linearizability.Fail, linearizability.Acquire, "lock-1", v, errors.New("too late"))
	other.record(rec.now(), linearizability.Invoke, linearizability.Acquire, "lock-1", linearizability.Value{Client: "s2"}, nil)
	h := rec.end()
	valid(t, h)
	if len(h) != 3 || h[1].F != linearizability.Crash || h[2].Value.Client != "s2" {
		t.Errorf("history %+v", h)
	}
	if !rec.dead("s1") || rec.dead("s2") {
		t.Error("the wrong client is dead")
	}
}

func TestTheHistoryEnds(t *testing.T) {
	rec := begun()
	th := (&client{name: "c1", rec: rec}).thread()
	before := len(rec.end())
	th.record(rec.now(), linearizability.Invoke, linearizability.Acquire, "lock-1", linearizability.Value{Client: "c1"}, nil)
	if got := len(rec.end()); got != before {
		t.Errorf("the history grew after its end: %d lines", got)
	}
}

func TestUnknownOutcomeEndsTheProcess(t *testing.T) {
	rec := begun()
	th := (&client{name: "c1", rec: rec}).thread()
	v := linearizability.Value{Client: "c1", Hold: "c1-1"}
	first := th.process
	th.record(rec.now(), linearizability.Invoke, linearizability.Release, "lock-1", v, nil)
	th.record(rec.now(), linearizability.Info, linearizability.Release, "lock-1", v, redlock.ErrUnknown)
	th.record(rec.now(), linearizability.Invoke, linearizability.Release, "lock-1", v, nil)
	valid(t, rec.end())
	if th.process == first {
		t.Error("the process goes on")
	}
}
