package quorum

import "time"

// Unlock releases a held lease and reports whether it was held; the outcome
// comes as Unlocked or UnlockFailed.
func (h *Hold) Unlock(now Time, out *Effects) bool {
	h.pass(now, out)
	if h.phase != Holding {
		return false
	}
	h.why = Released
	h.closeRound(Released, out)
	h.waiting = true
	h.beginRelease(now, out)
	return true
}

// beginRelease stops everything else and sends RELEASE to all nodes. It is sent
// again to a node that has not answered, every node deadline, until it answers
// or every key has expired by itself.
func (h *Hold) beginRelease(now Time, out *Effects) {
	h.phase, h.renewAt = Releasing, Never
	h.until = now.Add(h.p.NodeDeadline)
	h.relUntil = max(now, h.settledAt()).Add(h.p.Outlive(h.longest))
	for i := range h.p.N {
		n := &h.nodes[i]
		if !n.reached && n.acquire == 0 && n.extend == 0 {
			n.final, n.answered = 1, 1 // no call ever reached it: there is nothing to release
			continue
		}
		n.unsettled = n.unsettled || n.acquire != 0
		h.sendRelease(now, i, out)
		if !n.unsettled {
			n.final = n.release
		}
	}
}

// sendRelease sends RELEASE to a node. Once an EXTEND was ever sent it carries
// the token, so that the node refuses an EXTEND that arrives after it.
func (h *Hold) sendRelease(now Time, node int, out *Effects) {
	n := &h.nodes[node]
	n.release, n.releaseAt = h.nextTag(), now
	// An ACQUIRE of unknown outcome may still be on its way, and on another
	// connection than this RELEASE. Its not-after ends that.
	timed := h.req.Untimed>>node&1 == 0
	if n.unsettled && n.final == 0 && timed && now >= h.settledAt() {
		n.final = n.release
	}
	c := Call{Ref: Ref{node, OpRelease, n.release}, ID: h.req.ID}
	if h.extended {
		c.Token = h.token
	}
	switch {
	case h.won: // to every node: waiters may believe that another keeps the line
		c.Pass, c.Place = PassOn, h.req.Place
	case h.leaves && node == h.req.Keeper-1:
		c.Pass, c.Place = PassUp, h.req.Place
	}
	out.call(c)
}

// settledAt is when a node whose clock is known refuses an ACQUIRE of this
// attempt as too late. What is known of the clock comes from an answer that took
// up to two node deadlines, so its not-after may be late by as much.
func (h *Hold) settledAt() Time { return h.asked.Add(3 * h.p.NodeDeadline) }

// settle notes that the ACQUIRE on a node certainly came to nothing: then any
// answered RELEASE will do.
func (h *Hold) settle(node int) {
	n := &h.nodes[node]
	n.unsettled = false
	if h.phase == Releasing && n.final == 0 {
		n.final = 1
	}
}

// releaseReply notes a node's answer. A replica cannot release; it may become
// a primary again before the key expires, so it is asked again.
func (h *Hold) releaseReply(ref Ref, r Reply) {
	n := &h.nodes[ref.Node]
	if r.Code == NotAdmitted {
		return
	}
	n.answered = max(n.answered, ref.Tag)
	n.deleted = n.deleted || r.Deleted > 0
}

// clean reports whether nothing of the hold can be left on a node.
func (n *holdNode) clean() bool { return n.final != 0 && n.answered >= n.final }

// decideReleasing tells a waiting Unlock its outcome, sends RELEASE again where
// it is due, and ends the hold.
func (h *Hold) decideReleasing(now Time, out *Effects) {
	if h.waiting {
		h.tellUnlock(now, out)
	}
	left := 0
	for i := range h.p.N {
		n := &h.nodes[i]
		if n.clean() {
			continue
		}
		left++
		if now < h.relUntil && now >= h.releaseDue(i) {
			h.sendRelease(now, i, out)
		}
	}
	if left == 0 || now >= h.relUntil {
		h.phase = Done
		out.event(Event{Kind: Over})
	}
}

// releaseDue is when RELEASE is sent to a node again.
func (h *Hold) releaseDue(node int) Time {
	n := &h.nodes[node]
	due := n.releaseAt.Add(h.pace())
	if n.answered == n.release && n.final == 0 { // answered, but perhaps too early
		due = max(due, h.settledAt())
	}
	return due
}

// pacedFrom is how many holds of a client send RELEASE again at the full pace.
const pacedFrom = 64

// pace is the time between two RELEASEs to a node that does not answer: a node
// deadline, and longer where many holds wait for the same node, so that a dead
// one does not cost the client all its time. Every key expires by itself.
func (h *Hold) pace() time.Duration {
	return h.p.NodeDeadline * time.Duration(1+h.crowd/pacedFrom)
}

// Crowd tells the hold how many other holds of the client are sending RELEASE
// when it is about to begin.
func (h *Hold) Crowd(n int) { h.crowd = n }

func (h *Hold) nextRelease() Time {
	next := h.relUntil
	for i := range h.p.N {
		if !h.nodes[i].clean() {
			next = min(next, h.releaseDue(i))
		}
	}
	if h.waiting {
		next = min(next, h.until)
	}
	return next
}

// tellUnlock decides what came of Unlock: it succeeded if a majority deleted
// the key, it found the lease expired if so many answered that they had not to
// delete anything that no majority can be left, and otherwise nobody knows.
func (h *Hold) tellUnlock(now Time, out *Effects) {
	deleted, without := 0, 0
	for i := range h.p.N {
		switch n := &h.nodes[i]; {
		case n.deleted:
			deleted++
		case n.answered != 0 || n.clean():
			without++
		}
	}
	switch q := h.p.Quorum(); {
	case deleted >= q:
		out.event(Event{Kind: Unlocked, Token: h.token})
	case without > h.p.N-q:
		out.event(Event{Kind: UnlockFailed, Token: h.token, Reason: Expired})
	case now >= h.until:
		out.event(Event{Kind: UnlockFailed, Token: h.token, Reason: Unknown})
	default:
		return
	}
	h.waiting = false
}
