package quorum

import "time"

// Waiter says when a client whose attempt failed asks again. It only ever
// delays: it grants nothing.
type Waiter struct {
	p    Params
	poll time.Duration
	at   Time // Never while an attempt is under way
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
// come to an attempt. random is a fresh random
// number: it keeps contenders from colliding again.
//
// The earliest moment at which a majority can be free by expiry is when the
// (q−g)-th of the refusing nodes' keys has expired, g being the number of
// nodes that granted; asking earlier is a poll, for a release may come first.
// Where votes were split, nobody holds the lock and a short pause will do.
func (w *Waiter) Refused(now Time, h *Hold, random uint64) {
	pause := w.poll/2 + spread(random, w.poll/2)
	if h == nil {
		w.at = now.Add(pause)
		return
	}
	switch h.why {
	case ViewChanged:
		pause = 0
	case Held:
		waits, grants := h.waits()
		if len(waits) <= w.p.N-w.p.Quorum() || grants > 0 {
			pause = min(pause, time.Millisecond+spread(random, w.p.NodeDeadline/4))
		} else if need := w.p.Quorum() - grants; need <= len(waits) {
			pause = min(pause, time.Duration(waits[need-1])+time.Millisecond+spread(random, time.Millisecond))
		}
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
