package redlocktest

import (
	"slices"
	"strings"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// line is the waiting line of one lock.
type line struct {
	key    string
	expire int64     // Unix ms
	places []waiting // sorted as a server sorts them: by score, then by text
}

// waiting is one place in a line. score is its arrival in Unix µs, 1 for the
// front, or, negative, until when the lock is kept for it.
type waiting struct {
	place script.Place
	score int64
}

func (w waiting) compare(o waiting) int {
	switch {
	case w.score < o.score:
		return -1
	case w.score > o.score:
		return 1
	}
	return strings.Compare(w.place.String(), o.place.String())
}

// expired judges as for a lock's key.
func (l *line) expired(now int64) bool { return now/1000 > l.expire }

// Woken returns the place whose client the last Apply told that it is its turn.
func (s *State) Woken() (p script.Place, ok bool) { return s.woken, s.woken != script.Place{} }

// line returns the index of a lock's line in its space, and whether it is there.
func (sp *space) line(lock string) (int, bool) {
	return slices.BinarySearchFunc(sp.lines, lock, func(l line, lock string) int {
		return strings.Compare(l.key, script.LineKey(sp.prefix, lock))
	})
}

// find returns the index of a place in the line, −1 for none.
func (l *line) find(p script.Place) int {
	return slices.IndexFunc(l.places, func(w waiting) bool { return w.place == p })
}

// put gives a place another score.
func (l *line) put(p script.Place, score int64) {
	if i := l.find(p); i >= 0 {
		l.places = slices.Delete(l.places, i, i+1)
	}
	w := waiting{p, score}
	i, _ := slices.BinarySearchFunc(l.places, w, waiting.compare)
	l.places = slices.Insert(l.places, i, w)
}

// expireLines removes the lines that nobody asked about for long.
func (s *State) expireLines(now int64) {
	for i := range s.spaces {
		sp := &s.spaces[i]
		for j := range sp.lines {
			if sp.lines[j].expired(now) {
				sp.lines = slices.DeleteFunc(sp.lines, func(l line) bool { return l.expired(now) })
				break
			}
		}
	}
}

// turn returns for how many ms the lock is kept for another than me, 0 where
// nobody else has a better claim; with again it tells the other once more.
func (s *State) turn(sp *space, i int, me script.Place, now int64, again bool) int64 {
	l := &sp.lines[i]
	if len(l.places) == 0 || l.places[0].place == me {
		return 0
	}
	if first := &l.places[0]; first.score < 0 {
		left := -first.score - now
		if left > 0 && left <= first.place.Millis()*1000 {
			if again {
				s.woken = first.place
			}
			return (left + 999) / 1000
		}
		l.places = slices.Delete(l.places, 0, 1) // it did not come in its turn
		if len(l.places) == 0 || l.places[0].place == me {
			return 0
		}
	}
	next := l.places[0].place
	ms := next.Millis()
	l.put(next, -now-ms*1000)
	s.woken = next
	return ms
}

// prune drops a line that has become empty, as a server drops an empty set.
func (sp *space) prune(i int) {
	if len(sp.lines[i].places) == 0 {
		sp.lines = slices.Delete(sp.lines, i, i+1)
	}
}

// queue has ACQUIRE's place stand in line where the names are taken, or kept
// for another: then it returns for how many ms.
func (b *ballot) queue() (kept int64) {
	sp, lock, me := b.sp, b.call.Names[0], b.call.Place
	i, found := sp.line(lock)
	if found && !b.taken {
		if kept = b.s.turn(sp, i, me, b.now, false); kept == 0 {
			sp.prune(i)
		}
	}
	if !b.taken && kept == 0 {
		return 0
	}
	if !found {
		sp.lines = slices.Insert(sp.lines, i, line{key: script.LineKey(sp.prefix, lock)})
	}
	l := &sp.lines[i]
	switch j := l.find(me); {
	case j < 0:
		l.put(me, b.now)
	case l.places[j].score < 0:
		l.put(me, 1)
	}
	l.expire = b.now/1000 + sp.rec.maxTTL
	return kept
}

// pass gives RELEASE's turn to the next in the line.
func (s *State) pass(c *script.Call, now int64) {
	sp := s.space(c.Prefix)
	i, found := sp.line(c.Names[0])
	if !found {
		return
	}
	l := &sp.lines[i]
	had := l.places[0].place == c.Place && l.places[0].score < 0
	if j := l.find(c.Place); j >= 0 {
		l.places = slices.Delete(l.places, j, j+1)
	}
	if (had || c.Pass == script.PassOn) && s.find(joined{c.Prefix, c.Names[0]}) == nil {
		s.turn(sp, i, c.Place, now, true)
	}
	sp.prune(i)
}

// retell is what is left of pass on a replica, which may not write: whose turn
// it is is told once more.
func (s *State) retell(c *script.Call, now int64) {
	sp := s.space(c.Prefix)
	i, found := sp.line(c.Names[0])
	if !found || s.find(joined{c.Prefix, c.Names[0]}) != nil {
		return
	}
	first := &sp.lines[i].places[0]
	left := -first.score - now
	if first.score < 0 && first.place != c.Place && c.Pass == script.PassOn && left > 0 && left <= first.place.Millis()*1000 {
		s.woken = first.place
	}
}
