package quorum

import "time"

// Waiter says when a client whose attempt failed asks again. It only ever
// delays: it grants nothing.
type Waiter struct {
	p    Params
	poll time.Duration
	at   Time // Never while an attempt is under way

	splits int // attempts in a row whose votes were split
}

// NewWaiter returns a Waiter that asks at least once in poll.
func NewWaiter(p Params, poll time.Duration) Waiter {
	return Waiter{p: p, poll: poll, at: Never}
}

// Next is when to ask again, or Never while an attempt is under way.
func (w *Waiter) Next() Time { return w.at }

// Asked notes that an attempt has begun.
func (w *Waiter) Asked() { w.at = Never }

// Refused sets the next attempt after h failed; h is nil where it did not even
// come to an attempt. random is a fresh random number: it keeps contenders from
// colliding again.
//
// A holder stands on a majority of nodes. The earliest moment at which its lock
// can be free by expiry is when the (q−g)-th of the refusing nodes' keys has
// expired, g being the number of nodes that granted; asking earlier is a poll,
// for a release may come first. Where fewer refused, votes were split among
// contenders: nobody holds the lock, and a short pause will do, which doubles
// as long as that goes on.
func (w *Waiter) Refused(now Time, h *Hold, random uint64) {
	pause := w.poll/2 + spread(random, w.poll/2)
	split := false
	switch {
	case h == nil:
	case h.why == ViewChanged:
		pause = 0
	case h.why == Held:
		waits, grants := h.waits()
		q := w.p.Quorum()
		if split = len(waits) < q; split {
			short := w.p.NodeDeadline / 8 << min(w.splits, 4)
			pause = min(pause, time.Millisecond+spread(random, short))
		} else if need := q - grants; need > 0 {
			expiry := time.Duration(waits[need-1]) + time.Millisecond
			pause = min(pause, expiry+spread(random, time.Millisecond))
		}
	}
	if w.splits++; !split {
		w.splits = 0
	}
	w.at = now.Add(pause)
}

// spread maps a random number to [0, d).
func spread(random uint64, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(random % uint64(d))
}
