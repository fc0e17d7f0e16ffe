package redlocktest

import (
	"slices"
	"time"
)

// Shift moves every moment that the node keeps back by a whole number of
// milliseconds, so that an explorer can let time pass while the node's clock
// stands still at now. Fences that were turned before floor, a node time in
// Unix µs less than their retention before now, count as turned at floor, and
// fences that are due for the next turn stay just due: so neither becomes
// anything else by the passing of time, only by AgeFences.
func (s *State) Shift(by time.Duration, now, floor int64) {
	for i := range s.keys {
		if k := &s.keys[i]; k.expire != 0 {
			k.expire -= by.Milliseconds()
		}
	}
	for i := range s.spaces {
		for j := range s.spaces[i].lines {
			s.spaces[i].lines[j].shift(by)
		}
		switch rec := &s.spaces[i].rec; {
		case !rec.known:
		case rec.due(now):
			rec.turned = now - rec.keep*1000
		default:
			rec.turned = max(rec.turned-by.Microseconds(), floor)
		}
	}
}

// shift moves the line's moments back; the front of it is none.
func (l *line) shift(by time.Duration) {
	l.expire -= by.Milliseconds()
	for i := range l.places {
		switch w := &l.places[i]; {
		case w.score < 0:
			w.score += by.Milliseconds() * 1000
		case w.score > 1:
			w.score = max(w.score-by.Milliseconds()*1000, 2)
		}
	}
}

// due reports whether the next write turns the fences.
func (rec *record) due(now int64) bool { return now >= rec.turned+rec.keep*1000 }

// AgeFences lets the next write at node time now turn the fences, as when
// nothing was written for as long as they are kept. It reports whether there
// are any that were not due already.
func (s *State) AgeFences(prefix string, now int64) bool {
	rec := &s.space(prefix).rec
	if !rec.known || rec.due(now) {
		return false
	}
	rec.turned = now - rec.keep*1000
	return true
}

// Relabel gives the node another own name and its texts (incarnations, nonces,
// configurations and locks' values) other names.
func (s *State) Relabel(text func(string) string, self func(int) int) {
	s.inc = text(s.inc)
	for i := range s.keys {
		s.keys[i].value = text(s.keys[i].value)
	}
	for i := range s.spaces {
		rec := &s.spaces[i].rec
		for _, t := range []*string{&rec.inc, &rec.cfg, &rec.nonce, &rec.qrid, &rec.boot} {
			*t = text(*t)
		}
		if rec.self != 0 {
			rec.self = self(rec.self)
		}
		for j := range s.spaces[i].lines {
			l := &s.spaces[i].lines[j]
			for k := range l.places {
				l.places[k].place.Client = text(l.places[k].place.Client)
			}
			slices.SortFunc(l.places, waiting.compare)
		}
	}
}
