package redlocktest

import (
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// TestRules tells each rule of the scripts as a story, once to a State and once
// to a real redis-server.
func TestRules(t *testing.T) {
	var all []rule
	all = append(all, voteRules...)
	all = append(all, fenceRules...)
	all = append(all, admissionRules...)
	all = append(all, lineRules...)
	run := func(t *testing.T, b backend) {
		for _, r := range all {
			t.Run(r.name, func(t *testing.T) {
				b.restart(t)
				b.flush(t)
				b.setTime(t, start)
				r.tell(&teller{T: t, b: b, now: start})
			})
		}
	}
	t.Run("memory", func(t *testing.T) { run(t, newMemory()) })
	t.Run("server", func(t *testing.T) { run(t, newServer(t)) })
}

type rule struct {
	name string
	tell func(*teller)
}

// teller tells a story to a node that begins as a blank primary.
type teller struct {
	*testing.T
	b     backend
	now   int64
	nonce string
}

const (
	static = "1/aa/3/2500500/d1"
	view0  = "0-.0-.0-"
	config = static + "|" + view0
	ttl1   = time.Duration(step+half) * time.Millisecond
	ttl2   = time.Duration(2*step+half) * time.Millisecond // the node's maxttl
	ttl3   = time.Duration(3*step+half) * time.Millisecond
	keep   = 50 * step // ms
)

// expect plays a call and compares the answer.
func (s *teller) expect(c script.Call, want script.Reply) {
	s.Helper()
	if got := s.b.apply(s.T, c); !alike(got, want) {
		s.Fatalf("%+v\nanswered %+v\nwant     %+v", c, got, want)
	}
}

// code is expect for answers of which only the code counts.
func (s *teller) code(c script.Call, want int) script.Reply {
	s.Helper()
	got := s.b.apply(s.T, c)
	if got.Code != want {
		s.Fatalf("%+v\nanswered %+v\nwant code %d", c, got, want)
	}
	return got
}

func (s *teller) probe() script.Reply {
	s.Helper()
	r := s.code(script.Call{Op: script.Probe, Nonce: "n"}, script.OK)
	s.nonce = r.Nonce
	return r
}

// pair is a call of Prepare, Admit or Retire with what the last probe showed.
func (s *teller) pair(op script.Op) script.Call {
	s.Helper()
	return script.Call{
		Op: op, Inc: s.b.inc(s.T), Nonce: s.nonce, Cfg: config, Self: 1,
		MaxTTL: ttl2, Keep: time.Duration(keep) * time.Millisecond,
	}
}

// admit admits the node with its tokens above floor.
func (s *teller) admit(floor uint64) {
	s.Helper()
	s.probe()
	c := s.pair(script.Admit)
	c.Floor = floor
	s.code(c, script.OK)
}

func (s *teller) pass(ms int64) {
	s.Helper()
	s.now += ms * 1000
	s.b.setTime(s.T, s.now)
}

// record returns a field of the node's record.
func (s *teller) record(field string) string {
	s.Helper()
	for _, e := range s.b.dump(s.T) {
		for i := 0; e.Key == script.NodeKey && i < len(e.Value); i += 2 {
			if e.Value[i] == field {
				return e.Value[i+1]
			}
		}
	}
	return ""
}

// lock returns what stands at a name.
func (s *teller) lock(name string) (value string, left int64) {
	s.Helper()
	for _, e := range s.b.dump(s.T) {
		if e.Key == name {
			return e.Value[0], e.PTTL
		}
	}
	return "", -2
}

func (s *teller) stands(name, value string, ttl time.Duration) {
	s.Helper()
	if v, left := s.lock(name); v != value || !near(left, ttl.Milliseconds()) {
		s.Fatalf("%q is %q for %d ms, want %q for %v", name, v, left, value, ttl)
	}
}

func (s *teller) free(name string) {
	s.Helper()
	if v, left := s.lock(name); left != -2 {
		s.Fatalf("%q is %q for %d ms, want it free", name, v, left)
	}
}

func call(op script.Op, id string, names ...string) script.Call {
	return script.Call{Op: op, Names: names, ID: id, Cfg: config, Self: 1, TTL: ttl1}
}

func acquire(id string, names ...string) script.Call { return call(script.Acquire, id, names...) }

func with(op script.Op, token uint64, id string, names ...string) script.Call {
	c := call(op, id, names...)
	c.Token = token
	return c
}

func granted(token uint64, now int64) script.Reply {
	return script.Reply{Code: script.OK, Token: token, Now: now}
}

var voteRules = []rule{
	{"a blank node does not vote", func(s *teller) {
		s.expect(acquire("A", "x"), code(script.NotAdmitted))
		s.expect(with(script.Raise, 5, "A", "x"), code(script.NotAdmitted))
		s.expect(with(script.Extend, 5, "A", "x"), code(script.NotAdmitted))
		s.probe()
		s.expect(acquire("A", "x"), code(script.NotAdmitted))
	}},
	{"another configuration or name gets the node's own", func(s *teller) {
		s.admit(0)
		for _, c := range []script.Call{acquire("A", "x"), with(script.Raise, 5, "A", "x"), with(script.Extend, 5, "A", "x")} {
			differs := script.Reply{Code: script.OtherConfig, Cfg: config, Self: 1}
			c.Self = 2
			s.expect(c, differs)
			c.Self, c.Cfg = 1, static+"|1-aa.0-.0-"
			s.expect(c, differs)
		}
		s.free("x")
	}},
	{"tokens rise from one hold to the next", func(s *teller) {
		s.admit(100)
		s.expect(acquire("A", "x"), granted(101, s.now))
		s.stands("x", "A", ttl1)
		s.expect(call(script.Release, "A", "x"), script.Reply{Code: script.OK, Deleted: 1})
		s.expect(acquire("B", "x"), granted(102, s.now))
		s.expect(acquire("B", "y"), granted(101, s.now))
		s.pass(2 * step) // x and y expire
		s.expect(acquire("C", "x"), granted(103, s.now))
	}},
	{"a repeated call finds its own grant, even too late", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x", "y"), granted(1, s.now))
		already := script.Reply{Code: script.Already, Token: 1, Now: s.now}
		s.expect(acquire("A", "x", "y"), already)
		late := acquire("A", "x", "y")
		late.NotAfter = s.now - 1
		s.expect(late, already)
	}},
	{"own keys with unequal fences are not a grant of one token", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.expect(call(script.Release, "A", "x"), script.Reply{Code: script.OK, Deleted: 1})
		s.expect(acquire("B", "x"), granted(2, s.now))
		s.expect(acquire("B", "y"), granted(1, s.now))
		s.expect(acquire("B", "x", "y"), script.Reply{Code: script.Refused, Token: 2, Wait: ttl1, Now: s.now})
	}},
	{"a taken name is busy, with its remaining ttl", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		long := acquire("B", "y")
		long.TTL = ttl2
		s.expect(long, granted(1, s.now))
		s.expect(acquire("C", "x"), script.Reply{Code: script.Refused, Token: 1, Wait: ttl1, Now: s.now})
		s.expect(acquire("C", "z", "x", "y"), script.Reply{Code: script.Refused, Token: 1, Wait: ttl2, Now: s.now})
		s.free("z")
	}},
	{"several names get one token, the largest of what each needs", func(s *teller) {
		s.admit(0)
		for i := range uint64(3) {
			s.expect(acquire("A", "y"), granted(i+1, s.now))
			s.expect(call(script.Release, "A", "y"), script.Reply{Code: script.OK, Deleted: 1})
		}
		s.expect(acquire("B", "x", "y"), granted(4, s.now))
		s.expect(with(script.Raise, 9, "B", "x", "y"), script.Reply{Code: script.OK, Token: 9})
		s.expect(call(script.Release, "B", "x", "y"), script.Reply{Code: script.OK, Deleted: 2})
		s.expect(acquire("C", "x"), granted(10, s.now))
	}},
	{"the ttl has bounds", func(s *teller) {
		s.admit(0)
		c := acquire("A", "x")
		c.TTL = ttl3
		s.expect(c, script.Reply{Code: script.TTLTooLong, MaxTTL: ttl2})
		c.TTL = 999 * time.Microsecond
		s.expect(c, code(script.OutOfRange))
		c.TTL = ttl2
		s.expect(c, granted(1, s.now))
		e := with(script.Extend, 1, "A", "x")
		e.TTL = ttl3
		s.expect(e, script.Reply{Code: script.TTLTooLong, MaxTTL: ttl2})
		e.TTL = 0
		s.expect(e, code(script.OutOfRange))
	}},
	{"a hint counts from the next token up to node time + 60 s", func(s *teller) {
		s.admit(10)
		for i, hint := range []struct{ hint, want uint64 }{
			{5, 11}, {11, 12}, {100, 100}, {100, 101},
			{uint64(s.now + script.MaxHint + 1), 102},
			{1 << 60, 103},
			{uint64(s.now + script.MaxHint), uint64(s.now + script.MaxHint)},
			{uint64(s.now + script.MaxHint), uint64(s.now + script.MaxHint + 1)},
		} {
			c := acquire("A", "x")
			c.Hint = hint.hint
			s.Log("hint", i)
			s.expect(c, granted(hint.want, s.now))
			s.code(call(script.Release, "A", "x"), script.OK)
		}
	}},
	{"a late call takes nothing and learns the node's time", func(s *teller) {
		s.admit(0)
		c := acquire("A", "x")
		c.NotAfter = s.now - 1
		s.expect(c, script.Reply{Code: script.TooLate, Now: s.now})
		s.free("x")
		c.NotAfter = s.now
		s.expect(c, granted(1, s.now))
		c.ID, c.NotAfter = "B", s.now-1
		s.expect(c, script.Reply{Code: script.TooLate, Now: s.now}) // rather than busy
	}},
	{"a foreign key is named and never overwritten", func(s *teller) {
		s.admit(0)
		s.b.setList(s.T, "l", "A", step+half)
		s.b.set(s.T, "p", "A", 0)
		for _, c := range []script.Call{acquire("A", "x", "l"), with(script.Raise, 5, "A", "x", "l"), with(script.Extend, 5, "A", "x", "l"), acquire("A", "x", "p")} {
			s.expect(c, script.Reply{Code: script.ForeignKey, Name: 2})
		}
		s.stands("l", "A", ttl1)
		if v, left := s.lock("p"); v != "A" || left != -1 {
			s.Fatalf("p is %q for %d ms", v, left)
		}
		s.free("x")
	}},
	{"a redsync client excludes and is excluded", func(s *teller) {
		s.admit(0)
		s.b.set(s.T, "x", "theirs", step+half)
		s.expect(acquire("A", "x"), script.Reply{Code: script.Refused, Wait: ttl1, Now: s.now})
		s.b.del(s.T, "x")
		s.expect(acquire("A", "x"), granted(1, s.now))
	}},
	{"prefixes are apart", func(s *teller) {
		s.admit(7)
		c := acquire("A", "x")
		c.Prefix = "p:"
		s.expect(c, code(script.NotAdmitted))
		s.expect(acquire("A", "x"), granted(8, s.now))
	}},
	{"a replica takes no part", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.b.demote(s.T)
		c := s.pair(script.Admit)
		for _, op := range []script.Op{script.Acquire, script.Raise, script.Extend, script.Release, script.Probe, script.Seal, script.Prepare, script.Admit, script.Retire} {
			c.Op, c.Names, c.ID, c.TTL, c.Token, c.Mark, c.Static, c.Index = op, []string{"x"}, "A", ttl1, 1, "m", static, 1
			s.expect(c, code(script.NotAdmitted))
		}
		s.expect(call(script.Release, "B", "x"), script.Reply{Code: script.OK}) // nothing to write
		s.stands("x", "A", ttl1)
	}},
}

var fenceRules = []rule{
	{"RAISE needs the key and a fence of this life", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.expect(with(script.Raise, 5, "B", "x"), script.Reply{Code: script.Refused, Token: 1})
		s.expect(with(script.Raise, 5, "A", "x", "y"), script.Reply{Code: script.Refused, Token: 1})
		s.b.set(s.T, "z", "A", step+half) // a key without a fence
		s.expect(with(script.Raise, 5, "A", "z"), script.Reply{Code: script.Refused})
		s.b.restart(s.T)
		s.admit(3) // the key and its fence, 1, are of an earlier life
		s.expect(with(script.Raise, 5, "A", "x"), script.Reply{Code: script.Refused, Token: 3})
	}},
	{"RAISE writes T, also the same T, and never a lower one", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		for range 2 {
			s.expect(with(script.Raise, 5, "A", "x"), script.Reply{Code: script.OK, Token: 5})
		}
		s.expect(with(script.Raise, 4, "A", "x"), script.Reply{Code: script.Refused, Token: 5})
		if hw := s.record("hw"); hw != "5" {
			s.Fatalf("hw is %s", hw)
		}
	}},
	{"EXTEND prolongs and never shortens", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		e := with(script.Extend, 1, "A", "x")
		e.TTL = ttl2
		s.expect(e, script.Reply{Code: script.OK, Token: 1})
		s.stands("x", "A", ttl2)
		e.TTL = ttl1
		s.expect(e, script.Reply{Code: script.OK, Token: 1})
		s.stands("x", "A", ttl2)
		s.expect(with(script.Extend, 1, "B", "x"), script.Reply{Code: script.Refused, Token: 1, Wait: ttl2})
	}},
	{"EXTEND repairs a node without the key, up to T", func(s *teller) {
		s.admit(4)
		s.expect(with(script.Extend, 4, "A", "x"), script.Reply{Code: script.Already, Token: 4})
		s.expect(with(script.Extend, 3, "A", "y"), script.Reply{Code: script.Superseded, Token: 4})
		s.free("y")
		s.expect(with(script.Extend, 6, "A", "x", "y"), script.Reply{Code: script.Already, Token: 6})
		s.stands("y", "A", ttl1)
	}},
	{"EXTEND below the counter leaves the key alone", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.expect(with(script.Raise, 5, "A", "x"), script.Reply{Code: script.OK, Token: 5})
		s.expect(with(script.Extend, 4, "A", "x"), script.Reply{Code: script.Superseded, Token: 5})
		s.stands("x", "A", ttl1)
	}},
	{"a release keeps a late EXTEND out, whether or not the key stood", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.expect(with(script.Release, 1, "A", "x"), script.Reply{Code: script.OK, Deleted: 1})
		s.expect(with(script.Release, 1, "A", "y"), script.Reply{Code: script.OK})
		s.expect(with(script.Extend, 1, "A", "x"), script.Reply{Code: script.Superseded, Token: 2})
		s.expect(with(script.Extend, 1, "A", "y"), script.Reply{Code: script.Superseded, Token: 2})
		s.expect(with(script.Release, 1, "A", "x"), script.Reply{Code: script.OK})
		s.expect(acquire("B", "x"), granted(3, s.now))
		s.expect(with(script.Release, 1, "A", "x"), script.Reply{Code: script.OK}) // late: lowers nothing
		s.expect(with(script.Extend, 2, "A", "y", "z"), script.Reply{Code: script.Already, Token: 2})
		s.code(call(script.Release, "B", "x"), script.OK)
		s.expect(acquire("C", "x"), granted(4, s.now))
		if hw := s.record("hw"); hw != "4" {
			s.Fatalf("hw is %s", hw)
		}
	}},
	{"a release frees only what is its own, and all of that", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.expect(acquire("B", "y"), granted(1, s.now))
		s.b.setList(s.T, "l", "A", step+half)
		s.expect(call(script.Release, "A", "l", "y", "x"), script.Reply{Code: script.OK, Deleted: 1})
		s.free("x")
		s.stands("y", "B", ttl1)
		s.stands("l", "A", ttl1)
	}},
	{"a release works on a node that may not vote", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.b.restart(s.T)
		s.expect(acquire("A", "y"), code(script.NotAdmitted))
		s.expect(with(script.Release, 1, "A", "x"), script.Reply{Code: script.OK, Deleted: 1})
		if hw := s.record("hw"); hw != "2" {
			s.Fatalf("hw is %s", hw)
		}
		s.b.flush(s.T)
		s.expect(with(script.Release, 1, "A", "x"), script.Reply{Code: script.OK})
		if d := s.b.dump(s.T); len(d) != 1 || s.record("hw") != "2" {
			s.Fatalf("a release left %+v on a blank node, want its fence for all names", d)
		}
		s.b.flush(s.T)
		s.expect(call(script.Release, "A", "x"), script.Reply{Code: script.OK})
		if d := s.b.dump(s.T); len(d) != 0 {
			s.Fatalf("a release left %+v on a blank node", d)
		}
	}},
	{"a release on a blank node keeps a late EXTEND out of what is admitted then", func(s *teller) {
		s.probe()
		s.expect(with(script.Release, 7, "A", "x"), script.Reply{Code: script.OK})
		s.admit(3)
		s.expect(with(script.Extend, 7, "A", "x"), script.Reply{Code: script.Superseded, Token: 8})
		s.free("x")
	}},
	{"wild tokens are refused and change nothing", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		for _, wild := range []uint64{script.MaxSent + 1, uint64(fencing.Max), 1 << 53, 1 << 63} {
			s.expect(with(script.Raise, wild, "A", "x"), code(script.OutOfRange))
			s.expect(with(script.Extend, wild, "A", "x"), code(script.OutOfRange))
			s.expect(with(script.Release, wild, "C", "x"), script.Reply{Code: script.OK})
		}
		s.expect(with(script.Raise, 0, "A", "x"), code(script.OutOfRange))
		s.expect(with(script.Extend, 0, "A", "y"), code(script.OutOfRange))
		if hw := s.record("hw"); hw != "1" {
			s.Fatalf("hw is %s", hw)
		}
		s.expect(with(script.Raise, script.MaxSent, "A", "x"), script.Reply{Code: script.OK, Token: script.MaxSent})
		s.code(call(script.Release, "A", "x"), script.OK)
		s.expect(acquire("B", "x"), granted(script.MaxSent+1, s.now))
	}},
	{"two turns drop an idle name, and its counter does not fall", func(s *teller) {
		s.admit(0)
		for i := range uint64(5) {
			s.expect(acquire("A", "x"), granted(i+1, s.now))
			s.code(call(script.Release, "A", "x"), script.OK)
		}
		turn := func() {
			s.pass(keep)
			s.code(acquire("B", "y"), script.OK)
			s.code(call(script.Release, "B", "y"), script.OK)
		}
		turn()
		if mark, omark := s.record("mark"), s.record("omark"); mark != "0" || omark != "5" {
			s.Fatalf("mark is %s, omark %s", mark, omark)
		}
		s.expect(acquire("C", "x"), granted(6, s.now)) // found in the old table
		s.b.flush(s.T)
		s.admit(0)
		for i := range uint64(5) {
			s.expect(acquire("A", "x"), granted(i+1, s.now))
			s.code(call(script.Release, "A", "x"), script.OK)
		}
		turn()
		turn()
		// Both turns are over: x is in neither table, and mark is what hw was
		// at the first one.
		if mark, omark := s.record("mark"), s.record("omark"); mark != "5" {
			s.Fatalf("mark is %s, omark %s", mark, omark)
		}
		for _, e := range s.b.dump(s.T) {
			for _, v := range e.Value {
				if e.Type == "hash" && v == "x" {
					s.Fatalf("%s still has x", e.Key)
				}
			}
		}
		// What mark stands in for is not an assignment to whoever holds the key.
		s.b.set(s.T, "x", "A", step+half)
		s.expect(with(script.Raise, 9, "A", "x"), script.Reply{Code: script.Refused, Token: 5})
		s.b.del(s.T, "x")
		s.expect(acquire("A", "x"), granted(6, s.now))
	}},
	{"a clock set back only restarts the retention", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.pass(-10 * step)
		s.expect(acquire("B", "y"), granted(1, s.now))
		s.pass(keep - step)
		s.code(acquire("C", "z"), script.OK)
		if mark := s.record("omark"); mark != "0" {
			s.Fatalf("the tables turned early: omark is %s", mark)
		}
		s.pass(step)
		s.code(acquire("D", "w"), script.OK)
		if mark := s.record("omark"); mark != "1" {
			s.Fatalf("the tables did not turn: omark is %s", mark)
		}
	}},
	{"EXTEND keeps the fence of a long hold young", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.expect(with(script.Raise, 7, "A", "x"), script.Reply{Code: script.OK, Token: 7})
		for range 3 * keep / step {
			s.pass(step)
			s.expect(with(script.Extend, 7, "A", "x"), script.Reply{Code: script.OK, Token: 7})
		}
		if mark := s.record("mark"); mark != "7" {
			s.Fatalf("the tables turned less than twice: mark is %s", mark)
		}
		s.expect(with(script.Raise, 7, "A", "x"), script.Reply{Code: script.OK, Token: 7})
	}},
	{"the counter ends before 2^53", func(s *teller) {
		s.probe()
		c := s.pair(script.Admit)
		c.Floor = script.MaxSent
		s.code(c, script.OK)
		near := acquire("A", "x")
		near.Hint = uint64(fencing.Max)
		// Only a node time up there lets a hint come near.
		s.now = int64(fencing.Max) - script.MaxHint
		s.b.setTime(s.T, s.now)
		s.expect(near, granted(uint64(fencing.Max), s.now))
		s.code(call(script.Release, "A", "x"), script.OK)
		s.expect(acquire("B", "x"), code(script.OutOfRange))
		s.free("x")
	}},
}
