package redlocktest

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// dumped reads the record under the prefix and a lock's counter from the keys
// that a Redis server would show.
func dumped(t *testing.T, s *State, prefix, lock string, now int64) (r Record, counter uint64) {
	t.Helper()
	hashes := map[string]map[string]string{}
	for _, e := range s.Dump(now) {
		if hashes[e.Key] = map[string]string{}; e.Type == "hash" {
			for i := 0; i < len(e.Value); i += 2 {
				hashes[e.Key][e.Value[i]] = e.Value[i+1]
			}
		}
	}
	number := func(text string) uint64 {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil && text != "" {
			t.Fatal(err)
		}
		return n
	}
	rec := hashes[prefix+script.NodeKey]
	if f := strings.SplitN(rec["adm"], " ", 6); len(f) == 6 {
		r.Admitted = f[0] != "" && f[0] == s.Inc() && !s.Replica()
		r.Floor, r.Self, r.Cfg = number(f[1]), int(number(f[4])), f[5]
	}
	r.HW, r.Mark, r.Turned = number(rec["hw"]), number(rec["mark"]), int64(number(rec["turned"]))
	r.Boot, r.Nonce = rec["boot"], rec["q"]
	fence, kept := hashes[prefix+script.YoungKey][prefix+lock]
	if !kept {
		fence, kept = hashes[prefix+script.OldKey][prefix+lock]
	}
	if !kept {
		fence = rec["mark"]
	}
	return r, max(number(fence), r.Floor)
}

func TestRecordAndCounterAreWhatTheKeysShow(t *testing.T) {
	seen := map[string]int{}
	walk(20_000, func(p *player) {
		before := p.mem.Append(nil, p.now)
		for range 3 {
			prefix, lock := p.prefix(), p.name()
			want, counter := dumped(t, &p.mem, prefix, lock, p.now)
			got := p.mem.Record(prefix)
			if got != want {
				t.Fatalf("under %q: %+v, the keys show %+v", prefix, got, want)
			}
			if c := p.mem.Counter(prefix, lock); c != counter {
				t.Fatalf("counter of %q under %q: %d, the keys show %d", lock, prefix, c, counter)
			}
			for what, so := range map[string]bool{
				"a vote": got.Admitted, "none": !got.Admitted, "a mark": got.Boot != "",
				"a floor": counter == got.Floor && counter > 0, "a fence": counter > max(got.Floor, got.Mark),
			} {
				if so {
					seen[what]++
				}
			}
		}
		if !bytes.Equal(before, p.mem.Append(nil, p.now)) {
			t.Fatal("looking changed the state")
		}
	})
	for _, what := range []string{"a vote", "none", "a mark", "a floor", "a fence"} {
		if seen[what] < 100 {
			t.Errorf("only %d records with %s were seen: %v", seen[what], what, seen)
		}
	}
}

// TestCounterAfterTurns reads locks whose fences stand in either table, in both,
// or were dropped: random steps seldom turn the tables twice in one life.
func TestCounterAfterTurns(t *testing.T) {
	s := NewState("one")
	sp := s.space("p:")
	sp.rec = record{known: true, inc: "one", floor: 5, hw: 30, mark: 9, omark: 12, keep: 1, maxTTL: 1, self: 2, cfg: "c", turned: start}
	sp.old = []fence{{"p:both", 20}, {"p:old", 21}}
	sp.young = []fence{{"p:both", 22}, {"p:young", 23}}
	for lock, want := range map[string]uint64{"old": 21, "young": 23, "both": 22, "dropped": 9} {
		if _, c := dumped(t, &s, "p:", lock, start); c != want || s.Counter("p:", lock) != want {
			t.Errorf("%s: counter %d, the keys show %d, want %d", lock, s.Counter("p:", lock), c, want)
		}
	}
	sp.rec.floor = 25
	if c := s.Counter("p:", "both"); c != 25 {
		t.Errorf("counter %d below the floor 25", c)
	}
	s.Demote()
	if want, _ := dumped(t, &s, "p:", "both", start); s.Record("p:") != want || want.Admitted {
		t.Errorf("a replica: %+v, the keys show %+v", s.Record("p:"), want)
	}
}

func TestRecordOfNothing(t *testing.T) {
	s := NewState("i")
	if r := s.Record("never:"); r != (Record{}) || s.Counter("never:", "x") != 0 || len(s.spaces) != 0 {
		t.Errorf("%+v, and %d spaces", r, len(s.spaces))
	}
}

func TestRecordAndCounterDoNotAllocate(t *testing.T) {
	p := newPlayer(5)
	p.mem.Restart("one")
	sp := p.mem.space("lock:")
	sp.rec = record{known: true, inc: "one", cfg: "c"}
	for _, name := range []string{"x", "y", "z"} {
		sp.setFence(name, 7)
	}
	if n := testing.AllocsPerRun(100, func() {
		if !p.mem.Record("lock:").Admitted || p.mem.Counter("lock:", "y") != 7 || p.mem.Counter("lock:", "yy") != 0 {
			t.Error("misread")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestJoined compares every name of up to three letters with every other one in
// two parts.
func TestJoined(t *testing.T) {
	texts := []string{""}
	for i := 0; len(texts[i]) < 3; i++ {
		texts = append(texts, texts[i]+"a", texts[i]+"b")
	}
	for _, name := range texts {
		for _, prefix := range texts {
			for _, rest := range texts {
				if got, want := (joined{prefix, rest}).compare(name), strings.Compare(name, prefix+rest); got != want {
					t.Fatalf("%q and %q+%q: %d, want %d", name, prefix, rest, got, want)
				}
			}
		}
	}
}
