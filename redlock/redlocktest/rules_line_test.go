package redlocktest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

const turn = 20 // ms for which a lock is kept for a waiter of these rules

func place(number uint64) script.Place {
	return script.Place{Client: fmt.Sprint("c", number), Number: number, Turn: turn * time.Millisecond}
}

// queued is an ACQUIRE that stands in line.
func queued(id string, number uint64, names ...string) script.Call {
	c := acquire(id, names...)
	c.Place = place(number)
	return c
}

// passes is a RELEASE that has to do with the line.
func passes(id string, number uint64, pass script.Pass, names ...string) script.Call {
	c := call(script.Release, id, names...)
	c.Pass = pass
	if number != 0 {
		c.Place = place(number)
	}
	return c
}

func busy(c uint64, left time.Duration, now int64) script.Reply {
	return script.Reply{Code: script.Refused, Token: c, Wait: left, Now: now}
}

func kept(c uint64, ms int64, now int64) script.Reply {
	return script.Reply{Code: script.Reserved, Token: c, Wait: time.Duration(ms) * time.Millisecond, Now: now}
}

func released(n int) script.Reply { return script.Reply{Code: script.OK, Deleted: n} }

// line returns the numbers of who stands in a name's line, in order; negative
// for whom the lock is kept.
func (s *teller) line(name string, want ...int) {
	s.Helper()
	var got []int
	for _, e := range s.b.dump(s.T) {
		for i := 0; e.Key == script.LineKey("", name) && i < len(e.Value); i += 2 {
			var c, n, ms, score int
			if _, err := fmt.Sscanf(e.Value[i]+" "+e.Value[i+1], "c%d:%d:%d %d", &c, &n, &ms, &score); err != nil {
				s.Fatalf("%q: %v", e.Value, err)
			}
			if score < 0 {
				n = -n
			}
			got = append(got, n)
		}
	}
	if !slices.Equal(got, want) {
		s.Fatalf("in the line of %q stand %v, want %v", name, got, want)
	}
}

var lineRules = []rule{
	{"who is refused stands in line by arrival, once", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		s.line("x") // who is granted does not
		for _, n := range []uint64{3, 2, 3} {
			s.pass(1)
			s.expect(queued(fmt.Sprint("B", n), n, "x"), busy(1, ttl1, s.now))
		}
		s.line("x", 3, 2)
		s.expect(acquire("C", "x"), busy(1, ttl1, s.now)) // without a place
		s.line("x", 3, 2)
	}},
	{"the end of a hold gives the turn to who came first, and to nobody else", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		s.expect(queued("B", 2, "x"), busy(1, ttl1, s.now))
		s.pass(1)
		s.expect(queued("C", 3, "x"), busy(1, ttl1, s.now))
		s.expect(passes("A", 1, script.PassOn, "x"), released(1))
		s.line("x", -2, 3)
		s.expect(queued("D", 3, "x"), kept(1, turn, s.now))
		s.pass(1)
		s.expect(queued("E", 1, "x"), kept(1, turn-1, s.now))
		s.line("x", -2, 3, 1)
		s.pass(4)
		s.expect(queued("F", 3, "x"), kept(1, turn-5, s.now))
		s.expect(queued("G", 2, "x"), granted(2, s.now))
		s.line("x", -2, 3, 1) // until its RELEASE
		s.expect(passes("G", 2, script.PassOn, "x"), released(1))
		s.line("x", -3, 1)
	}},
	{"a waiter that does not come costs one turn", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		for n := uint64(2); n <= 4; n++ {
			s.pass(1)
			s.expect(queued("B", n, "x"), busy(1, ttl1, s.now))
		}
		s.expect(passes("A", 1, script.PassOn, "x"), released(1))
		s.pass(turn - 1)
		s.expect(queued("C", 4, "x"), kept(1, 1, s.now))
		s.pass(1)
		s.expect(queued("C", 4, "x"), kept(1, turn, s.now))
		s.line("x", -3, 4)
		s.pass(turn)
		s.expect(queued("C", 4, "x"), granted(2, s.now))
		s.line("x", 4)
	}},
	{"late in its turn is in time while nobody else has asked", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		s.expect(queued("B", 2, "x"), busy(1, ttl1, s.now))
		s.expect(passes("A", 1, script.PassOn, "x"), released(1))
		s.pass(10 * turn)
		s.expect(queued("C", 2, "x"), granted(2, s.now))
	}},
	{"after an expiry the first in line has the turn", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		s.expect(queued("B", 2, "x"), busy(1, ttl1, s.now))
		s.pass(step)
		s.expect(queued("C", 3, "x"), busy(1, ttl1-time.Duration(step)*time.Millisecond, s.now))
		s.pass(step)
		s.expect(queued("D", 3, "x"), kept(1, turn, s.now))
		s.expect(queued("E", 2, "x"), granted(2, s.now))
	}},
	{"an attempt that lost elsewhere passes nothing on and keeps its turn", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		s.expect(queued("B", 2, "x"), busy(1, ttl1, s.now))
		s.pass(1)
		s.expect(queued("C", 3, "x"), busy(1, ttl1, s.now))
		s.expect(passes("A", 1, script.PassOn, "x"), released(1))
		s.expect(queued("D", 2, "x"), granted(2, s.now))
		s.expect(call(script.Release, "D", "x"), released(1))
		s.line("x", -2, 3)
		s.expect(queued("E", 3, "x"), kept(2, turn, s.now))
	}},
	{"a repeated RELEASE gives no second turn", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		s.expect(queued("B", 2, "x"), busy(1, ttl1, s.now))
		s.pass(1)
		s.expect(queued("C", 3, "x"), busy(1, ttl1, s.now))
		s.expect(passes("A", 1, script.PassOn, "x"), released(1))
		s.expect(passes("A", 1, script.PassOn, "x"), released(0))
		s.line("x", -2, 3)
		s.expect(queued("D", 2, "x"), granted(2, s.now))
		s.pass(turn) // the turn is over, and the lock is held in it
		s.expect(passes("A", 1, script.PassOn, "x"), released(0))
		s.line("x", -2, 3)
	}},
	{"a hold without this node's vote passes the turn on where the name is free", func(s *teller) {
		s.admit(0)
		s.expect(acquire("L", "x"), granted(1, s.now))
		s.expect(queued("B", 2, "x"), busy(1, ttl1, s.now))
		s.expect(call(script.Release, "L", "x"), released(1))
		s.line("x", 2)
		s.expect(passes("A", 0, script.PassOn, "x"), released(0))
		s.line("x", -2)
	}},
	{"a waiter that gives up leaves, and passes on the turn that it had", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		for n := uint64(2); n <= 4; n++ {
			s.pass(1)
			s.expect(queued("B", n, "x"), busy(1, ttl1, s.now))
		}
		s.expect(passes("C", 3, script.PassUp, "x"), released(0))
		s.line("x", 2, 4)
		s.expect(passes("A", 1, script.PassOn, "x"), released(1))
		s.line("x", -2, 4)
		s.expect(passes("D", 2, script.PassUp, "x"), released(0))
		s.line("x", -4)
		s.expect(passes("E", 4, script.PassUp, "x"), released(0))
		s.line("x")
	}},
	{"who comes in its turn and meets a key goes back to the front", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		s.expect(queued("B", 2, "x"), busy(1, ttl1, s.now))
		s.pass(1)
		s.expect(queued("C", 3, "x"), busy(1, ttl1, s.now))
		s.expect(passes("A", 1, script.PassOn, "x"), released(1))
		s.b.set(s.T, "x", "foreign", step+half)
		s.expect(queued("D", 2, "x"), busy(1, ttl1, s.now))
		s.line("x", 2, 3)
	}},
	{"a turn ends where the clock was set back", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		s.expect(queued("B", 2, "x"), busy(1, ttl1, s.now))
		s.expect(passes("A", 1, script.PassOn, "x"), released(1))
		s.pass(-step)
		s.expect(queued("C", 3, "x"), granted(2, s.now))
	}},
	{"a line that nobody asks about goes by itself", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		s.expect(queued("B", 2, "x"), busy(1, ttl1, s.now))
		s.pass(3 * step)
		s.line("x")
		s.expect(queued("C", 3, "x"), granted(2, s.now))
	}},
	{"several names have the line of the first", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x", "y"), granted(1, s.now))
		s.expect(queued("B", 2, "y", "x"), busy(1, ttl1, s.now))
		s.expect(queued("C", 3, "x"), busy(1, ttl1, s.now))
		s.line("y", 2)
		s.line("x", 3)
		s.expect(passes("A", 1, script.PassOn, "x", "y"), released(2))
		s.line("y", 2)
		s.line("x", -3)
		s.expect(queued("D", 4, "y"), kept(1, turn, s.now))
	}},
	{"a line is not asked before the not-after, nor by who has the lock", func(s *teller) {
		s.admit(0)
		s.expect(queued("A", 1, "x"), granted(1, s.now))
		late := queued("B", 2, "x")
		late.NotAfter = s.now - 1
		s.expect(late, script.Reply{Code: script.TooLate, Now: s.now})
		s.expect(queued("A", 1, "x"), script.Reply{Code: script.Already, Token: 1, Now: s.now})
		s.line("x")
	}},
}

// TestLineRefusesOnly plays the same random calls to two nodes, one of which
// keeps no line: it grants wherever the other does, until they differ.
func TestLineRefusesOnly(t *testing.T) {
	refused := 0
	for seed := uint64(1); seed <= 300; seed++ {
		p := newPlayer(seed)
		p.mem.Restart("one")
		for range 400 {
			s := p.next()
			if s.call == nil {
				if s.do != nil {
					s.do()
				}
				continue
			}
			without := p.mem.Clone()
			plain := *s.call
			plain.Place, plain.Pass = script.Place{}, 0
			got, want := p.play(&s), without.Apply(&plain, p.now)
			if got.Code == script.Reserved {
				refused++
				if want.Code != script.OK {
					t.Fatalf("seed %d: %+v\nanswered %+v, without a line %+v", seed, s.call, got, want)
				}
				continue
			}
			if got != want {
				t.Fatalf("seed %d: %+v\nanswered %+v, without a line %+v", seed, s.call, got, want)
			}
			lined := p.mem.Clone()
			for i := range lined.spaces { // beyond the lines they hold the same
				lined.spaces[i].lines, without.spaces[i].lines = nil, nil
			}
			if a, b := lined.Append(nil, p.now), without.Append(nil, p.now); string(a) != string(b) {
				t.Fatalf("seed %d: after %+v the nodes differ:\n%s\n%s", seed, s.call, a, b)
			}
		}
	}
	if refused < 100 {
		t.Errorf("only %d calls were refused for the line's sake", refused)
	}
}
