package quorum

import "time"

// NodeClock is what a client knows of a node's clock: how it stood to the
// client's own when the node last answered. A not-after is made with it. It is
// a plain value; its zero value knows nothing.
type NodeClock struct {
	known  bool
	offset int64 // node time minus the client's, µs
	trip   time.Duration
	at     Time // when it stood so; 0 where that is too uncertain to rely on
}

// Learn takes an answer to a call that was sent at sent and answered at now.
// deadline is the node deadline.
//
// It counts from the sending, so that node time derived from it is late rather
// than early: a not-after refuses nothing that is in time. An answer that took
// longer than the deadline says little and is left out, unless it is about just
// that: then up to twice as long.
func (c *NodeClock) Learn(sent, now Time, deadline time.Duration, r Reply) {
	took := now.Sub(sent)
	if r.Now == 0 || took > deadline && (r.Code != TooLate || took > 2*deadline) {
		return
	}
	if c.trip += (took - c.trip) / 8; !c.known {
		c.trip = took
	}
	c.known, c.offset, c.at = true, r.Now-microseconds(sent), sent
	if took > deadline {
		c.at = 0
	}
}

// Known reports whether anything is known.
func (c NodeClock) Known() bool { return c.known }

// Reliable reports whether a not-after made now is certainly late by no more
// than two node deadlines: one that the answer may have taken, and one by which
// the clocks may have drifted apart since. Who waits at a lock's keeper does not
// hear of the other nodes meanwhile.
func (c NodeClock) Reliable(now Time, p Params) bool {
	return c.known && c.at != 0 && p.drift(now.Sub(c.at)) <= p.NodeDeadline
}

// Trip is how long answers took of late, 0 while nothing is known.
func (c NodeClock) Trip() time.Duration { return c.trip }

// At converts a moment on the client's clock to node time in Unix µs, rounded
// up; 0, which stands for none, is 0, and so is every moment while nothing is
// known.
func (c NodeClock) At(t Time) int64 {
	if t == 0 || !c.known {
		return 0
	}
	return c.offset + microseconds(t) + 1
}

func microseconds(t Time) int64 { return time.Duration(t).Microseconds() }
