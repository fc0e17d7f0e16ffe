package quorum_test

import (
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"pgregory.net/rapid"
)

func TestNodeClock(t *testing.T) {
	const deadline = 50 * time.Millisecond
	for _, tt := range []struct {
		name  string
		took  time.Duration
		reply quorum.Reply
		known bool
	}{
		{"in time", deadline, quorum.Reply{Code: quorum.OK, Now: 5_000_000}, true},
		{"late", deadline + 1, quorum.Reply{Code: quorum.OK, Now: 5_000_000}, false},
		{"late, about the time", deadline + 1, quorum.Reply{Code: quorum.TooLate, Now: 5_000_000}, true},
		{"late, about the time, twice", 2 * deadline, quorum.Reply{Code: quorum.TooLate, Now: 5_000_000}, true},
		{"very late, about the time", 2*deadline + 1, quorum.Reply{Code: quorum.TooLate, Now: 5_000_000}, false},
		{"without a time", 0, quorum.Reply{Code: quorum.OK}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c quorum.NodeClock
			sent := quorum.Time(2 * time.Second)
			c.Learn(sent, sent.Add(tt.took), deadline, tt.reply)
			at, want := c.At(sent.Add(time.Second)), int64(0)
			if tt.known {
				want = 6_000_001
			}
			if c.Known() != tt.known || at != want {
				t.Errorf("known %v and node time %d, want %v and %d", c.Known(), at, tt.known, want)
			}
			if c.At(0) != 0 {
				t.Error("none became a moment")
			}
		})
	}
}

// TestNodeClockIsNeverEarly: whatever part of the round trip the request took,
// the node time of a moment after it was sent is at or after the true one, and
// late by no more than the round trip and 3 µs of rounding.
func TestNodeClockIsNeverEarly(t *testing.T) {
	check(t, 3000, func(rt *rapid.T) {
		ahead := rapid.Int64Range(-1e15, 1e15).Draw(rt, "the node's clock is ahead, ns")
		sent := quorum.Time(rapid.Int64Range(2e15, 4e15).Draw(rt, "sent"))
		took := time.Duration(rapid.Int64Range(0, int64(50*time.Millisecond)).Draw(rt, "round trip"))
		there := sent.Add(time.Duration(rapid.Int64Range(0, int64(took)).Draw(rt, "request")))
		var c quorum.NodeClock
		c.Learn(sent, sent.Add(took), 50*time.Millisecond, quorum.Reply{Code: quorum.OK, Now: (int64(there) + ahead) / 1000})
		at := sent.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(rt, "later")))
		truly := (int64(at) + ahead) / 1000
		if got := c.At(at); got < truly || got > truly+took.Microseconds()+3 {
			rt.Fatalf("node time %d, truly %d, by a round trip of %v", got, truly, took)
		}
	})
}

func TestHints(t *testing.T) {
	var h quorum.Hints
	for _, tt := range []struct {
		event quorum.Event // before
		wall  int64
		want  uint64
	}{
		{quorum.Event{}, 100, 100},
		{quorum.Event{}, 0, 1},
		{quorum.Event{}, -5, 1},
		{quorum.Event{Kind: quorum.Won, Token: 99}, 100, 100},
		{quorum.Event{Kind: quorum.Won, Token: 100}, 100, 101},
		{quorum.Event{Kind: quorum.Won, Token: 50}, 100, 101},
		{quorum.Event{Kind: quorum.Unlocked, Token: 500}, 100, 101}, // was seen when it was won
		{quorum.Event{Kind: quorum.Bootstrapped, Token: 200}, 100, 201},
		{quorum.Event{}, 202, 202},
	} {
		h.Note(tt.event)
		if got := h.Next(tt.wall); got != tt.want {
			t.Errorf("after %+v at %d: %d, want %d", tt.event, tt.wall, got, tt.want)
		}
	}
}

// TestHintsExceedTokens: a hint lies above every token seen, and is no earlier
// than the clock.
func TestHintsExceedTokens(t *testing.T) {
	check(t, 1000, func(rt *rapid.T) {
		var h quorum.Hints
		highest := uint64(0)
		for range 20 {
			token := rapid.Uint64Range(1, 1<<53).Draw(rt, "token")
			h.Note(quorum.Event{Kind: among(rt, "event", quorum.Won, quorum.Bootstrapped), Token: token})
			highest = max(highest, token)
			wall := rapid.Int64Range(-1<<53, 1<<53).Draw(rt, "wall")
			got := h.Next(wall)
			if wall > int64(highest) && got != uint64(wall) || wall <= int64(highest) && got != highest+1 {
				rt.Fatalf("hint %d at %d with %d seen", got, wall, highest)
			}
		}
	})
}

// TestNodeClockReliable: what was learnt is good for as long as drift may take to
// use up one node deadline, and not at all from an answer that took longer.
func TestNodeClockReliable(t *testing.T) {
	p := quorum.Params{N: 3, NodeDeadline: 50 * time.Millisecond, MaxTTL: time.Second, Drift: quorum.PPM(0.1)}
	sent := quorum.Time(time.Hour)
	var c quorum.NodeClock
	if c.Reliable(sent, p) {
		t.Error("a clock of which nothing is known is relied on")
	}
	c.Learn(sent, sent.Add(50*time.Millisecond), p.NodeDeadline, quorum.Reply{Code: quorum.OK, Now: 1})
	if !c.Reliable(sent.Add(500*time.Millisecond), p) || c.Reliable(sent.Add(501*time.Millisecond), p) {
		t.Error("good for another time than half a second, which is 50 ms at ρ = 10 %")
	}
	c.Learn(sent, sent.Add(51*time.Millisecond), p.NodeDeadline, quorum.Reply{Code: quorum.TooLate, Now: 1})
	if !c.Known() || c.Reliable(sent.Add(51*time.Millisecond), p) {
		t.Error("an answer that took longer than a node deadline is relied on")
	}
}
