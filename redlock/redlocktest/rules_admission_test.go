package redlocktest

import (
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/redlock/script"
)

func sealing(index, k int, entry string) script.Call {
	return script.Call{Op: script.Seal, Static: static, Index: index, K: k, Entry: entry}
}

func sealed(hw uint64, view string) script.Reply {
	return script.Reply{Code: script.OK, HW: hw, Cfg: static + "|" + view, Self: 1}
}

var admissionRules = []rule{
	{"PROBE draws one nonce per life and shows what is known", func(s *teller) {
		r := s.probe()
		if r.Nonce != "n.1750000000000000" {
			s.Fatalf("nonce %q", r.Nonce)
		}
		again := script.Call{Op: script.Probe, Nonce: "other"}
		blank := script.Reply{Code: script.OK, Inc: s.b.inc(s.T), Nonce: r.Nonce, Now: s.now}
		s.expect(again, blank)
		s.admit(9)
		admitted := blank
		admitted.Admitted, admitted.HW, admitted.Floor, admitted.MaxTTL, admitted.Cfg, admitted.Self = true, 9, 9, ttl2, config, 1
		s.expect(again, admitted)
		s.expect(acquire("A", "x"), granted(10, s.now))
		s.b.restart(s.T)
		restarted := admitted
		restarted.Admitted, restarted.Inc, restarted.HW, restarted.Nonce = false, s.b.inc(s.T), 10, "other.1750000000000000"
		s.expect(again, restarted)
	}},
	{"a PROBE on both sides of a loss of memory shows two lives", func(s *teller) {
		first := s.probe()
		s.b.flush(s.T)
		s.now++
		s.b.setTime(s.T, s.now)
		if second := s.probe(); first.Nonce == second.Nonce || first.Inc != second.Inc {
			s.Fatalf("before %+v\nafter  %+v", first, second)
		}
	}},
	{"ADMIT takes the pair of this life only", func(s *teller) {
		s.expect(s.pair(script.Admit), code(script.Refused)) // never probed
		s.probe()
		stale := s.pair(script.Admit)
		s.b.restart(s.T)
		s.expect(stale, code(script.Refused))
		stale.Inc = s.b.inc(s.T)
		s.expect(stale, code(script.Refused)) // its nonce is of the other life
		s.probe()
		stale = s.pair(script.Admit)
		s.b.flush(s.T)
		s.expect(stale, code(script.Refused))
		s.now++
		s.b.setTime(s.T, s.now)
		s.probe()
		s.expect(stale, code(script.Refused)) // of this incarnation, but before the loss
		s.expect(s.pair(script.Admit), code(script.OK))
		s.expect(s.pair(script.Admit), code(script.Already))
		other := s.pair(script.Admit)
		other.Cfg, other.Floor = "9/x/3|", 99
		s.expect(other, code(script.Already))
		s.expect(acquire("A", "x"), granted(1, s.now))
	}},
	{"a re-admitted node assigns above its floor and its own memory", func(s *teller) {
		s.admit(0)
		s.expect(acquire("A", "x"), granted(1, s.now))
		s.expect(with(script.Raise, 20, "A", "x"), script.Reply{Code: script.OK, Token: 20})
		s.b.restart(s.T)
		s.expect(with(script.Extend, 20, "A", "x"), code(script.NotAdmitted))
		s.admit(12)
		s.expect(acquire("B", "y"), granted(21, s.now))
		s.expect(acquire("A", "x"), script.Reply{Code: script.Refused, Token: 20, Wait: ttl1, Now: s.now})
		s.b.flush(s.T)
		s.admit(30)
		s.expect(acquire("B", "y"), granted(31, s.now))
		s.expect(with(script.Extend, 20, "A", "x"), script.Reply{Code: script.Superseded, Token: 30})
	}},
	{"ADMIT has bounds", func(s *teller) {
		s.probe()
		c := s.pair(script.Admit)
		c.Floor = script.MaxSent + 1
		s.expect(c, code(script.OutOfRange))
		c.Floor, c.MaxTTL = 0, 0
		s.expect(c, code(script.OutOfRange))
		c.MaxTTL, c.Keep = ttl2, 0
		s.expect(c, code(script.OK))
		if adm := s.record("adm"); !strings.Contains(adm, " 2500000 25000000 1 ") {
			s.Fatalf("the record says %q, want keep of ten times maxttl", adm)
		}
	}},
	{"PREPARE takes one mark per pair", func(s *teller) {
		s.probe()
		c := s.pair(script.Prepare)
		s.expect(c, code(script.OutOfRange)) // no mark
		c.Mark = "m1"
		stale := c
		stale.Nonce = "n.1"
		s.expect(stale, code(script.Refused))
		stale = c
		stale.Inc = "f"
		s.expect(stale, code(script.Refused))
		s.expect(c, code(script.OK))
		s.expect(c, code(script.OK))
		c.Mark = "m2"
		s.expect(c, script.Reply{Code: script.Refused, Mark: "m1"})
		if r := s.probe(); r.Mark != "m1" {
			s.Fatalf("%+v", r)
		}
	}},
	{"a prepared node is admitted by its mark alone", func(s *teller) {
		s.probe()
		c := s.pair(script.Admit)
		c.Mark = "m1"
		s.expect(c, code(script.Refused)) // not prepared
		c.Op = script.Prepare
		s.expect(c, code(script.OK))
		c.Op, c.Mark = script.Admit, ""
		s.expect(c, code(script.Refused)) // a rejoin
		c.Mark = "m2"
		s.expect(c, code(script.Refused))
		c.Mark = "m1"
		s.expect(c, code(script.OK))
		c.Op = script.Prepare
		s.expect(c, script.Reply{Code: script.Refused, Cfg: config})
	}},
	{"PROBE gets rid of a dead operator's mark", func(s *teller) {
		before := s.probe()
		c := s.pair(script.Prepare)
		c.Mark = "m1"
		s.expect(c, code(script.OK))
		s.now++
		s.b.setTime(s.T, s.now)
		renew := script.Call{Op: script.Probe, Nonce: "n", Renew: "m2"}
		if r := s.code(renew, script.OK); r.Nonce != before.Nonce || r.Mark != "m1" {
			s.Fatalf("another mark was renewed: %+v", r)
		}
		renew.Renew = "m1"
		if r := s.code(renew, script.OK); r.Nonce == before.Nonce || r.Mark != "" {
			s.Fatalf("not renewed: %+v", r)
		}
		c.Op = script.Admit
		s.expect(c, code(script.Refused))
	}},
	{"SEAL takes the larger entry and shows hw", func(s *teller) {
		s.expect(sealing(2, 1, "ab"), code(script.NotAdmitted))
		s.admit(3)
		s.expect(acquire("A", "x"), granted(4, s.now))
		s.expect(sealing(2, 1, "ab"), sealed(4, "0-.1-ab.0-"))
		s.expect(sealing(2, 1, "ab"), sealed(4, "0-.1-ab.0-"))
		smaller := sealed(4, "0-.1-ab.0-")
		smaller.Code = script.Refused
		s.expect(sealing(2, 1, "aa"), smaller)
		s.expect(sealing(2, 0, "ff"), smaller)
		s.expect(sealing(2, 1, "b"), sealed(4, "0-.1-b.0-"))
		s.expect(sealing(2, 10, "0"), sealed(4, "0-.10-0.0-"))
		s.expect(sealing(3, 1, "0"), sealed(4, "0-.10-0.1-0"))
		other := sealing(3, 1, "0")
		other.Static = "1/bb"
		s.expect(other, script.Reply{Code: script.OtherConfig, Cfg: static + "|0-.10-0.1-0", Self: 1})
		s.expect(acquire("B", "x"), script.Reply{Code: script.OtherConfig, Cfg: static + "|0-.10-0.1-0", Self: 1})
	}},
	{"SEAL refuses what is no entry", func(s *teller) {
		s.admit(0)
		for _, c := range []script.Call{sealing(0, 1, "a"), sealing(4, 1, "a"), sealing(-1, 1, "a"), sealing(2, 1, "A"), sealing(2, 1, "a.b")} {
			s.expect(c, code(script.OutOfRange))
		}
	}},
	{"a node whose name went to another retires and keeps its memory", func(s *teller) {
		s.admit(3)
		s.expect(acquire("A", "x"), granted(4, s.now))
		s.expect(sealing(1, 0, ""), sealed(4, view0)) // its own entry, again
		s.expect(sealing(1, 1, "ab"), code(script.NotAdmitted))
		s.expect(acquire("A", "x"), code(script.NotAdmitted))
		s.expect(s.pair(script.Admit), code(script.Refused)) // its nonce is gone
		s.stands("x", "A", ttl1)
		s.admit(0)
		s.expect(acquire("B", "y"), granted(5, s.now))
	}},
	{"a node whose own entry rises gives up its vote, even where the id is its own", func(s *teller) {
		s.probe()
		c := s.pair(script.Admit)
		c.Cfg = static + "|1-ab.0-.0-"
		s.expect(c, code(script.OK))
		s.expect(sealing(1, 1, "ab"), sealed(0, "1-ab.0-.0-"))
		s.expect(sealing(1, 2, "ab"), code(script.NotAdmitted))
		s.expect(sealing(1, 2, "ab"), code(script.NotAdmitted))
		s.expect(acquire("A", "x"), code(script.NotAdmitted))
	}},
	{"RETIRE takes the vote of the pair it names, and nothing else", func(s *teller) {
		s.admit(3)
		s.expect(acquire("A", "x"), granted(4, s.now))
		c := s.pair(script.Retire)
		other := c
		other.Inc = ""
		s.expect(other, code(script.Refused))
		other = c
		other.Nonce = ""
		s.expect(other, code(script.Refused))
		s.expect(c, code(script.OK))
		s.expect(acquire("B", "y"), code(script.NotAdmitted))
		s.expect(s.pair(script.Admit), code(script.Refused)) // the pair is gone with the vote
		c.Inc, c.Nonce = "", ""
		s.expect(c, code(script.Refused)) // a retired node has no incarnation
		s.stands("x", "A", ttl1)
		if r := s.probe(); r.Admitted || r.HW != 4 || r.Floor != 3 || r.MaxTTL != ttl2 || r.Cfg != config || r.Self != 1 {
			s.Fatalf("%+v", r)
		}
	}},
	{"an incarnation that comes back does not bring the vote back", func(s *teller) {
		s.admit(0)
		s.b.restart(s.T)
		s.probe()
		// The old incarnation is gone from the record, so it cannot match.
		if adm := s.record("adm"); !strings.HasPrefix(adm, " 0 2500000 ") {
			s.Fatalf("the record says %q", adm)
		}
	}},
}

// TestPartialIncarnation: an incarnation of which only the beginning fits is
// another one. Records are never written so, but a vote must not hang on it.
func TestPartialIncarnation(t *testing.T) {
	srv := newServer(t)
	s := &teller{T: t, b: srv, now: start}
	s.admit(0)
	adm := s.record("adm")
	for _, inc := range []string{"", adm[:39], adm[:1]} {
		srv.do(t, "HSET", script.NodeKey, "adm", inc+adm[40:])
		s.expect(acquire("A", "x"), code(script.NotAdmitted))
	}
	srv.do(t, "HSET", script.NodeKey, "adm", adm)
	s.expect(acquire("A", "x"), granted(1, s.now))
}
