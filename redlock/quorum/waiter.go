package quorum

import "time"

// Waiter says whether and when a client whose attempt failed asks again. It
// only ever delays or gives up: it grants nothing.
type Waiter struct {
	p  Params
	o  WaiterOptions
	at Time // Never while an attempt is under way

	tries  int // attempts that failed
	splits int // attempts in a row whose votes were split
}

// WaiterOptions say how long a caller is ready to wait for a lock.
type WaiterOptions struct {
	Poll           time.Duration // ask at least that often
	Once           bool          // one attempt, if it can be made at all
	RecoverByClock bool          // the client bootstraps by clock, so waiting helps where nodes were lost
}

// NewWaiter returns a Waiter before the first attempt.
func NewWaiter(p Params, o WaiterOptions) Waiter { return Waiter{p: p, o: o, at: Never} }

// maxViews bounds the attempts of a caller who wants only one: so often may the
// view or the cluster change under it.
const maxViews = 3

// Again reports whether another attempt follows one that failed for this
// reason. Where it did not come to an attempt, because the cluster could not be
// learnt, why is the Learn's reason.
func (w *Waiter) Again(why Reason) bool {
	w.tries++
	switch why {
	case ViewChanged, ClusterChanged: // the next attempt asks under what was learnt
		return !w.o.Once || w.tries < maxViews
	}
	return !w.o.Once && w.helps(why)
}

// helps reports whether waiting can help against the reason, rather than only a
// person who corrects the configuration or the nodes.
func (w *Waiter) helps(why Reason) bool {
	switch why {
	case Foreign, ConfigDiffers, TTLAboveMax, SameServer, NotPrimary:
		return false
	case NeedsOperator:
		return w.o.RecoverByClock
	}
	return true
}

// Next is when to ask again, or Never while an attempt is under way.
func (w *Waiter) Next() Time { return w.at }

// Asked notes that an attempt has begun.
func (w *Waiter) Asked() { w.at = Never }

// Refused sets the next attempt, for which Again was, after h failed; h is nil
// where it did not even come to an attempt. random is a fresh random number: it keeps contenders from
// colliding again.
//
// A holder stands on a majority of nodes. The earliest moment at which its lock
// can be free by expiry is when the (q−g)-th of the refusing nodes' keys has
// expired, g being the number of nodes that granted; asking earlier is a poll,
// for a release may come first. Where fewer refused, votes were split among
// contenders: nobody holds the lock, and a short pause will do, which doubles
// as long as that goes on.
func (w *Waiter) Refused(now Time, h *Hold, random uint64) {
	pause := w.o.Poll/2 + spread(random, w.o.Poll/2)
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
