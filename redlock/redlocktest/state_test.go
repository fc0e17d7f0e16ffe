package redlocktest

import (
	"bytes"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/redlock/script"
)

func TestMaxTokenIsFencings(t *testing.T) {
	if script.MaxToken != uint64(fencing.Max) {
		t.Fatalf("nodes assign up to %d, tokens end at %d", uint64(script.MaxToken), fencing.Max)
	}
}

// walk calls f with a State after each of n random steps.
func walk(n int, f func(p *player)) {
	p := newPlayer(2)
	p.mem.Restart("one")
	for range n {
		s := p.next()
		if s.sync == nil {
			p.play(&s)
		} else {
			p.fresh++
			p.mem.Restart(string(rune('A' + p.fresh%26)))
			p.incs = append(p.incs, p.mem.Inc())
		}
		f(p)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	var previous State
	var was []byte
	walk(3000, func(p *player) {
		// Had the step written into what the clone holds, its encoding would
		// have changed. Time 0 lets nothing expire.
		if was != nil && !bytes.Equal(previous.Append(nil, 0), was) {
			t.Fatalf("a clone changed under a later step:\n%q\n%q", was, previous.Append(nil, 0))
		}
		previous = p.mem.Clone()
		was = previous.Append(nil, 0)
		if !bytes.Equal(was, p.mem.Append(nil, 0)) {
			t.Fatalf("a clone differs:\n%q\n%q", was, p.mem.Append(nil, 0))
		}
	})
}

func TestAppendTellsStatesApart(t *testing.T) {
	seen := make(map[string]State)
	walk(3000, func(p *player) {
		enc := string(p.mem.Append(nil, p.now))
		other, found := seen[enc]
		if !found {
			seen[enc] = p.mem.Clone()
			return
		}
		if d := diff(other.Dump(p.now), p.mem.Dump(p.now)); d != "" || other.Inc() != p.mem.Inc() || other.Replica() != p.mem.Replica() {
			t.Fatalf("one encoding for two states: %s", d)
		}
	})
	if len(seen) < 500 {
		t.Fatalf("only %d states were seen", len(seen))
	}
	a, b := NewState("i"), NewState("i")
	b.Apply(&script.Call{Op: script.Acquire, Prefix: "never:", Names: []string{"x"}}, start)
	if !bytes.Equal(a.Append(nil, start), b.Append(nil, start)) {
		t.Error("looking at a prefix changed the encoding")
	}
	b.Demote()
	if bytes.Equal(a.Append(nil, start), b.Append(nil, start)) {
		t.Error("the role is not in the encoding")
	}
}

// TestAppendKnowsNoOrder brings two nodes to the same keys in different orders.
func TestAppendKnowsNoOrder(t *testing.T) {
	a, b := NewState("i"), NewState("i")
	calls := []script.Call{}
	for _, prefix := range []string{"b:", "", "a:"} {
		calls = append(calls,
			script.Call{Op: script.Probe, Prefix: prefix, Nonce: "n"},
			script.Call{Op: script.Prepare, Prefix: prefix, Inc: "i", Nonce: "n.5", Mark: "m"},
			script.Call{Op: script.Admit, Prefix: prefix, Inc: "i", Nonce: "n.5", Mark: "m", Cfg: "c", Self: 1, MaxTTL: time.Second})
		for _, name := range []string{"y", "z", "x"} {
			calls = append(calls, script.Call{Op: script.Acquire, Prefix: prefix, Names: []string{name}, ID: "id", Cfg: "c", Self: 1, TTL: time.Second})
		}
	}
	const perPrefix = 6
	for i := range calls {
		if r := a.Apply(&calls[i], 5); r.Code != script.OK {
			t.Fatalf("%+v: %+v", calls[i], r)
		}
		group, place := i/perPrefix, i%perPrefix
		if place > 2 { // the locks in another order too
			place = perPrefix + 2 - place
		}
		b.Apply(&calls[(2-group)*perPrefix+place], 5)
	}
	if !bytes.Equal(a.Append(nil, 5), b.Append(nil, 5)) {
		t.Errorf("the same keys, two encodings:\n%q\n%q", a.Append(nil, 5), b.Append(nil, 5))
	}
	if _, ok := a.Get("a:x", 5); !ok || len(a.Dump(5)) != 15 {
		t.Errorf("the keys are not where they belong: %+v", a.Dump(5))
	}
	for i := range calls {
		if c := calls[i]; c.Op == script.Acquire {
			c.Op = script.Release
			if r := a.Apply(&c, 5); r.Deleted != 1 {
				t.Errorf("%+v: %+v", c, r)
			}
		}
	}
}

func TestUnknownOp(t *testing.T) {
	s := NewState("i")
	if r := s.Apply(&script.Call{Op: 99}, start); r != code(script.OutOfRange) {
		t.Fatalf("%+v", r)
	}
}
