package redlocktest_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
	"pgregory.net/rapid"
)

const relabelCfg = "1/c/3/1000/d|0-.0-.0-"

// admittedState is a node that was admitted at node time now.
func admittedState(now int64) redlocktest.State {
	s := redlocktest.NewState("s1")
	admit := func(c script.Call) script.Reply { return s.Apply(&c, now) }
	p := admit(script.Call{Op: script.Probe, Nonce: "q"})
	admit(script.Call{Op: script.Admit, Inc: p.Inc, Nonce: p.Nonce, Cfg: relabelCfg, Self: 1, MaxTTL: time.Second})
	return s
}

// randomCall is a call that a lock might send to the node.
func randomCall(t *rapid.T) script.Call {
	return script.Call{
		Op:    rapid.SampledFrom([]script.Op{script.Acquire, script.Raise, script.Extend, script.Release, script.Probe, script.Seal}).Draw(t, "op"),
		Names: []string{rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name")},
		ID:    rapid.SampledFrom([]string{"A", "B"}).Draw(t, "id"), Cfg: relabelCfg, Self: 1, TTL: time.Second,
		Token: rapid.Uint64Range(1, 5).Draw(t, "token"), Nonce: "n",
		Place:  script.Place{Client: "c", Number: rapid.Uint64Range(0, 3).Draw(t, "place"), Turn: 200 * time.Millisecond},
		Pass:   script.Pass(rapid.IntRange(0, 2).Draw(t, "pass")),
		Static: "1/c/3/1000/d", Index: rapid.IntRange(2, 3).Draw(t, "index"), K: rapid.IntRange(0, 1).Draw(t, "k"), Entry: "ab",
	}
}

// TestShiftedStateBehavesAlike moves a node's moments back by d, and its clock
// too: from then on both answer and keep alike. Fences neither turn nor become
// due meanwhile.
func TestShiftedStateBehavesAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := int64(1_000_000_000_000)
		s := admittedState(now)
		for range rapid.IntRange(0, 8).Draw(t, "before") {
			c := randomCall(t)
			s.Apply(&c, now)
			now += rapid.Int64Range(0, 400_000).Draw(t, "µs")
		}
		by := time.Duration(rapid.IntRange(0, 5).Draw(t, "by")) * 100 * time.Millisecond
		moved := s.Clone()
		moved.Shift(by, now-by.Microseconds(), 0)
		for range 8 {
			c := randomCall(t)
			earlier := c
			one, two := s.Apply(&c, now), moved.Apply(&earlier, now-by.Microseconds())
			if one.Now != 0 {
				one.Now -= by.Microseconds()
			}
			if one != two {
				t.Fatalf("%v: %+v, shifted %+v", c.Op, one, two)
			}
			now += rapid.Int64Range(0, 400_000).Draw(t, "µs")
		}
	})
}

// TestShiftMovesEveryMoment looks into the encoding, which has all a node
// keeps: shifted by d and looked at d earlier, it must have every moment moved.
func TestShiftMovesEveryMoment(t *testing.T) {
	const now, by = 5_000_000_000_000, time.Second
	build := func(now int64) redlocktest.State {
		s := admittedState(now)
		c := script.Call{Op: script.Acquire, Names: []string{"x"}, ID: "A", Cfg: relabelCfg, Self: 1, TTL: time.Second}
		if r := s.Apply(&c, now); r.Code != script.OK {
			t.Fatalf("ACQUIRE: %+v", r)
		}
		return s
	}
	s, want := build(now), build(now-by.Microseconds())
	s.Shift(by, now, 0)
	// The nonce has the time in it at which it was drawn; it is a name, not a moment.
	got := s.Append(nil, now-by.Microseconds())
	wanted := bytes.ReplaceAll(want.Append(nil, now-by.Microseconds()), fmt.Append(nil, "q.", now-by.Microseconds()), fmt.Append(nil, "q.", now))
	if !bytes.Equal(got, wanted) {
		t.Errorf("got  %s\nwant %s", got, wanted)
	}
}

func TestAgeFences(t *testing.T) {
	now := int64(1_000_000_000_000)
	s := admittedState(now)
	acquire := func(name, id string) uint64 {
		c := script.Call{Op: script.Acquire, Names: []string{name}, ID: id, Cfg: relabelCfg, Self: 1, TTL: time.Second}
		return s.Apply(&c, now).Token
	}
	acquire("x", "A")
	if !s.AgeFences("", now) || s.AgeFences("", now) {
		t.Fatal("fences must become due once")
	}
	s.Shift(time.Second, now, now-1)
	if s.AgeFences("", now) {
		t.Error("fences that were due are not any more after time has passed")
	}
	turned := s.Record("").Turned
	acquire("y", "B")
	if got := s.Record("").Turned; got == turned || got != now {
		t.Errorf("a write did not turn the fences that were due: turned at %d", got)
	}
	empty := redlocktest.NewState("s2")
	if empty.AgeFences("", now) {
		t.Error("an empty node has fences that are due")
	}
}

// TestRelabelledStateBehavesAlike renames ids, the incarnation and the own name
// of a node, and the same in every call: the answers must be the same, renamed.
func TestRelabelledStateBehavesAlike(t *testing.T) {
	text := func(s string) string {
		if s == "A" || s == "B" || s == "s1" {
			return s + "'"
		}
		return strings.ReplaceAll(s, "|0-.", "|1-cd.")
	}
	rapid.Check(t, func(t *rapid.T) {
		now := int64(1_000_000_000_000)
		s := admittedState(now)
		for range rapid.IntRange(0, 8).Draw(t, "before") {
			c := randomCall(t)
			s.Apply(&c, now)
		}
		renamed := s.Clone()
		renamed.Relabel(text, func(self int) int { return self + 3 })
		for range 8 {
			c := randomCall(t)
			other := c
			other.ID, other.Cfg, other.Self = text(c.ID), text(c.Cfg), c.Self+3
			one, two := s.Apply(&c, now), renamed.Apply(&other, now)
			one.Cfg, one.Inc = text(one.Cfg), text(one.Inc)
			if one.Self != 0 {
				one.Self += 3
			}
			if one != two {
				t.Fatalf("%v: %+v, renamed %+v", c.Op, one, two)
			}
		}
	})
}
