package quorum

import "time"

// Waiter says whether, when and where a client whose attempt failed asks again.
// It only ever delays or gives up: it grants nothing.
type Waiter struct {
	p  Params
	o  WaiterOptions
	at Time // Never while an attempt is under way

	tries  int // attempts that failed
	splits int // attempts in a row whose votes were split

	behind bool // refused once: ask the keeper alone
	woken  bool // it is our turn: ask all
	expiry Time // when the key that stood on the keeper expires; 0 where none did
	solid  bool // that key is one of a majority's
	alone  int  // times in a row that the keeper alone was asked and showed that key
}

// WaiterOptions say how long a caller is ready to wait for a lock.
type WaiterOptions struct {
	Poll           time.Duration // ask at least that often
	Once           bool          // one attempt, if it can be made at all
	RecoverByClock bool          // the client bootstraps by clock, so waiting helps where nodes were lost

	Place  Place // in the lock's line; zero for a waiter that does not stand in line
	Rivals bool  // others are likely to want the lock: ask the keeper alone from the first attempt
}

// NewWaiter returns a Waiter before the first attempt. A caller who wants one
// attempt does not stand in line.
func NewWaiter(p Params, o WaiterOptions) Waiter {
	if o.Once {
		o.Place = Place{}
	}
	return Waiter{p: p, o: o, at: Never, behind: o.Rivals}
}

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

// Ask completes the request of an attempt that begins now; keeper is the node
// that keeps the lock's line, −1 for none.
//
// A first attempt goes to all nodes, and so does that of a waiter whose turn it
// is. Who was refused asks the keeper alone, which costs the holder and the
// others least; but a key that stays there is looked into on all nodes now and
// then, since it may be all that is left of an attempt that died.
func (w *Waiter) Ask(keeper int, r *Request) {
	w.at = Never
	if r.Keeper = keeper + 1; keeper < 0 || w.o.Place == (Place{}) {
		return
	}
	r.Place = w.o.Place
	patience := 1
	if w.solid {
		patience = 4
	}
	r.First = w.behind && !w.woken && w.alone < patience
}

// Woken notes a message that it is this waiter's turn.
func (w *Waiter) Woken(now Time) { w.woken, w.at = true, now }

// Refused sets the next attempt, for which Again was, after h failed; h is nil
// where it did not even come to an attempt. random is a fresh random number: it
// keeps contenders from colliding again.
//
// A holder stands on a majority of nodes. The earliest moment at which its lock
// can be free by expiry is when the (q−g)-th of the refusing nodes' keys has
// expired, g being the number of nodes that granted; asking earlier is a poll,
// for a release may come first. Where fewer refused, votes were split among
// contenders: nobody holds the lock, and a short pause will do, which doubles
// as long as that goes on. What the keeper says of its line, or alone, stands
// for what all would say.
func (w *Waiter) Refused(now Time, h *Hold, random uint64) {
	pause := w.o.Poll/2 + spread(random, w.o.Poll/2)
	split, mine := false, w.woken
	w.woken = false
	switch {
	case h == nil:
	case h.why == ViewChanged:
		pause = 0
	case h.why == Held:
		w.behind = true
		if told, wait := h.keeperSays(); told {
			w.look(now, h, wait)
			pause = min(pause, wait+time.Millisecond+spread(random, wait/4+time.Millisecond))
			break
		}
		waits, grants := h.waits()
		q := w.p.Quorum()
		if split = len(waits) < q; split {
			short := w.p.NodeDeadline / 8 << min(w.splits, 4)
			if w.woken = mine && w.splits < 4 && h.keeperGranted(); w.woken {
				short = time.Millisecond << w.splits // nobody else is let in meanwhile
			}
			pause = min(pause, time.Millisecond+spread(random, short))
		} else if need := q - grants; need > 0 {
			expiry := time.Duration(waits[need-1]) + time.Millisecond
			pause = min(pause, expiry+spread(random, time.Millisecond))
		}
		w.alone, w.solid = 0, !split
	}
	if w.splits++; !split {
		w.splits = 0
	}
	w.at = now.Add(pause)
}

// look notes what the keeper alone said: for how long does the same key stand
// there?
func (w *Waiter) look(now Time, h *Hold, wait time.Duration) {
	if h.nodes[h.req.Keeper-1].code == Reserved {
		w.expiry, w.alone = 0, 0 // the line moves
		return
	}
	expiry := now.Add(wait)
	same := w.expiry != 0 && expiry.Sub(w.expiry) < w.p.NodeDeadline/8
	if w.expiry = expiry; same {
		w.alone++
		return
	}
	w.alone, w.solid = 0, false
}

// spread maps a random number to [0, d).
func spread(random uint64, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(random % uint64(d))
}
