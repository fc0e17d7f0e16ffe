package quorum

import "time"

// The waiting line of a lock's name stands on one node, its keeper, on which
// clients agree without talking to one another: the first, in an order that
// follows from the names of lock and nodes, that is not known to be absent. A
// line only ever refuses. Where clients disagree, or a line is lost, waiters
// are served in another order, and no more.

// Place is a waiter's place in a line: the same for all its attempts, whose ids
// are fresh. It has the same fields as script.Place; the zero value is none.
type Place struct {
	Client string
	Number uint64
	Turn   time.Duration // how long the lock is kept for it when its turn has come
}

// Pass is what a RELEASE does about the line, as in package script.
type Pass uint8

// The kinds of Pass; 0 leaves the line alone.
const (
	PassOn Pass = iota + 1 // a hold ended: whoever waited longest gets the turn
	PassUp                 // a waiter gave up: it leaves the line
)

// minTurn is how long a waiter's turn lasts besides its round trips: enough for
// a process that has to be woken.
const minTurn = 20 * time.Millisecond

// Turn is for how long a lock is to be kept for a waiter whose answers take
// trip, 0 where that is not known, and which asks every poll, 0 where it is told
// of its turn. One that never comes costs the others this long.
func (p Params) Turn(trip, poll time.Duration) time.Duration {
	turn := p.NodeDeadline
	if trip > 0 {
		turn = min(turn, minTurn+2*trip)
	}
	return max(time.Millisecond, min(turn+poll, p.MaxTTL)).Truncate(time.Millisecond)
}

// Attendance is which nodes a client believes to be able to keep lines. It is a
// plain value; its zero value believes it of all.
type Attendance struct {
	absent uint16 // bit i: node i
}

// Note takes an event that a Hold told.
func (a *Attendance) Note(e Event) {
	switch e.Kind {
	case PassedOver, Unadmitted:
		a.absent |= 1 << e.Node
	}
}

// Answered takes a node's answer to a call, and Failed that there was none.
func (a *Attendance) Answered(node int, op Op, r Reply) {
	switch {
	case op > OpExtend: // a node answers those that may not vote
	case r.Code == NotAdmitted:
		a.absent |= 1 << node
	default:
		a.absent &^= 1 << node
	}
}

// Failed notes that a node did not answer a call.
func (a *Attendance) Failed(node int) { a.absent |= 1 << node }

// Keeper returns the node that keeps a lock's line, −1 where none is believed
// to be able to. names are the nodes'.
//
// The order is that of rendezvous hashing: names of locks spread evenly over
// the nodes, and where one is absent its lines spread over the others.
func (a Attendance) Keeper(lock string, names []string) int {
	keeper, best := -1, uint64(0)
	for i, name := range names {
		if h := mix(hash(hash(fnvBasis, name), lock)); a.absent>>i&1 == 0 && (keeper < 0 || h > best) {
			keeper, best = i, h
		}
	}
	return keeper
}

const (
	fnvBasis = 14695981039346656037
	fnvPrime = 1099511628211
)

// hash continues an FNV-1a hash with a text and its end.
func hash(h uint64, text string) uint64 {
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * fnvPrime
	}
	return (h ^ 0xff) * fnvPrime
}

// mix makes every bit of h matter for every bit of the result, as the finalizer
// of MurmurHash3 does.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Rivals is when a client last had to wait for a lock. A client that takes one
// in turns with others asks its keeper first, or each of its attempts would take
// votes from whose turn it is. It is a plain value; its zero value has met none.
type Rivals struct {
	met Time
}

// Meet notes that an attempt found the lock taken.
func (r *Rivals) Meet(now Time) { r.met = max(now, 1) }

// Near reports whether others are likely to want the lock.
func (r Rivals) Near(now Time, p Params) bool {
	return r.met != 0 && now.Sub(r.met) < 10*p.NodeDeadline
}
