package quorum

import "time"

// round is one extension of a lease: an EXTEND on all nodes under one
// configuration. Votes from two configurations are never added up.
type round struct {
	seq   uint32
	open  bool // its outcome has not been told
	auto  bool
	start Time // before the EXTENDs were sent
	until Time // when it is told as failed
	ttl   time.Duration
	ok    int // nodes that prolonged or repaired
}

// lossAt is when the lease is given up.
func (h *Hold) lossAt() Time { return h.deadline.Add(-LossMargin) }

// Extend begins an extension by ttl and returns the number of its round, which
// its events carry. A running one is replaced. On a hold that is not held it
// returns 0 and does nothing.
//
// Asking for less than before lowers the deadline at once: nodes never shorten
// a key, but the caller asked to be bound by less.
func (h *Hold) Extend(now Time, ttl time.Duration, out *Effects) uint32 {
	h.pass(now, out)
	if h.phase != Holding {
		return 0
	}
	if ttl < h.req.TTL {
		h.deadline = min(h.deadline, now.Add(h.p.Validity(ttl)))
	}
	h.beginExtend(now, ttl, false, out)
	return h.round.seq
}

func (h *Hold) beginExtend(now Time, ttl time.Duration, auto bool, out *Effects) {
	h.closeRound(Replaced, out)
	h.round = round{seq: h.round.seq + 1, open: true, auto: auto, ttl: ttl}
	h.req.TTL, h.longest = ttl, max(h.longest, ttl)
	out.event(Event{Kind: Extending, Round: h.round.seq, Auto: auto, Token: h.token})
	h.sendExtend(now, out)
}

// sendExtend sends the current round's EXTEND to all nodes, and counts from
// zero.
func (h *Hold) sendExtend(now Time, out *Effects) {
	h.extended = true
	h.round.start, h.round.until, h.round.ok = now, now.Add(h.patience(now)), 0
	if h.req.Auto {
		h.renewAt = now.Add(h.p.renewal(h.round.ttl))
	}
	for i := range h.p.N {
		n := &h.nodes[i]
		n.reached = n.reached || n.extend != 0 // the one in the air is forgotten now
		n.extend, n.code = h.nextTag(), OK     // until it refuses
		out.call(Call{Ref: Ref{i, OpExtend, n.extend}, ID: h.req.ID, Cfg: h.req.Cfg, Token: h.token, TTL: h.round.ttl})
	}
}

// patience is how long the current round waits for answers: a node deadline,
// and twice as long for a renewal of a lease of which much is left, since nobody
// waits for it and what was executed late is prolonged all the same.
func (h *Hold) patience(now Time) time.Duration {
	if !h.round.auto {
		return h.p.NodeDeadline
	}
	return max(h.p.NodeDeadline, min(2*h.p.NodeDeadline, h.lossAt().Sub(now)/8))
}

// Haste says how soon a hold needs its next Tick.
type Haste uint8

// The degrees of haste.
const (
	AtOnce   Haste = iota // somebody waits, or something ends
	Soon                  // it would only begin a renewal
	Sometime              // it would only send RELEASE, which nobody waits for, again
)

// Haste tells how much haste there is with a Tick that is due at now, and until
// when it can be put off in favour of other work: until the lease's end, or until
// the keys have expired by themselves.
func (h *Hold) Haste(now Time) (haste Haste, until Time) {
	switch {
	case h.phase == Holding && !h.round.open && now >= h.renewAt && now < h.lossAt():
		return Soon, h.lossAt()
	case h.phase == Releasing && !h.waiting && now < h.relUntil:
		return Sometime, h.relUntil
	}
	return AtOnce, now
}

// extendReply counts a node's answer to the current round.
func (h *Hold) extendReply(now Time, ref Ref, r Reply, out *Effects) {
	n := &h.nodes[ref.Node]
	if ref.Tag != n.extend || h.phase != Holding {
		return
	}
	n.extend, n.code = 0, r.Code
	switch r.Code {
	case OK, Already:
		n.member = keeps
		n.token = h.token
		h.round.ok++
		if r.Code == Already {
			out.event(Event{Kind: TookRepair, Node: ref.Node})
		}
	case Superseded:
		if n.member != supersededMember {
			out.event(Event{Kind: TookSuperseded, Node: ref.Node})
		}
		n.member = supersededMember
	case NotAdmitted:
		n.member = lacks
		out.event(Event{Kind: Unadmitted, Node: ref.Node})
	case OtherConfig:
		if h.other(ref.Node, r, out) {
			// What was counted under the old view is worthless under the new.
			h.req.Cfg = JoinConfig(h.req.Cfg, r.Cfg)
			if h.round.open {
				h.sendExtend(now, out)
			}
			return
		}
		n.member = lacks
	default:
		n.member = lacks
	}
}

// decideHolding tells a round's outcome and begins renewals.
func (h *Hold) decideHolding(now Time, out *Effects) {
	r := &h.round
	if r.open {
		open := 0
		for i := range h.p.N {
			if h.nodes[i].extend != 0 {
				open++
			}
		}
		switch q := h.p.Quorum(); {
		case r.ok >= q:
			h.deadline = max(h.deadline, r.start.Add(h.p.Validity(r.ttl)))
			r.open = false
			out.event(Event{Kind: Extended, Round: r.seq, Auto: r.auto, Token: h.token, Deadline: h.deadline})
		case r.ok+open < q || now >= r.until:
			h.closeRound(h.extendReason(), out)
			h.retryRenewal(now)
		}
	}
	if now >= h.renewAt && !r.open {
		h.beginExtend(now, h.req.TTL, true, out)
	}
}

// retryRenewal sets the next renewal after a failed round: soon, but no more
// often than once in a node deadline, and after an eighth of what is left of
// the lease where that is more. Thousands of leases whose nodes are overloaded
// would otherwise keep them so, and those that are about to end go before. It is
// never, where the token was superseded.
func (h *Hold) retryRenewal(now Time) {
	if !h.req.Auto {
		return
	}
	h.renewAt = max(now, h.round.start.Add(max(h.p.NodeDeadline, h.lossAt().Sub(now)/8)))
	if h.count(supersededMember) > h.p.N-h.p.Quorum() {
		h.renewAt = Never
	}
}

func (h *Hold) closeRound(why Reason, out *Effects) {
	if h.round.open {
		h.round.open = false
		out.event(Event{Kind: ExtendFailed, Round: h.round.seq, Auto: h.round.auto, Token: h.token, Reason: why})
	}
}

func (h *Hold) count(m member) int {
	c := 0
	for i := range h.p.N {
		if h.nodes[i].member == m {
			c++
		}
	}
	return c
}

// extendReason says why a round found no majority.
func (h *Hold) extendReason() Reason {
	r := h.refusals(func(n *holdNode) bool { return n.extend == 0 })
	need := h.p.N - h.p.Quorum() + 1
	switch {
	case h.count(supersededMember) >= need:
		return TokenSuperseded
	case r.code[-TTLTooLong] >= need:
		return TTLAboveMax
	case r.code[-OtherConfig] >= need && r.same > 0:
		return SameServer
	case r.code[-OtherConfig] >= need:
		return ConfigDiffers
	case r.alien >= need:
		return ClusterChanged
	case r.code[-NotAdmitted] > 0 || r.old > 0:
		return Quarantined
	}
	return NoQuorum
}

// end makes the lease lost.
func (h *Hold) end(now Time, why Reason, out *Effects) {
	h.why = why
	h.closeRound(why, out)
	out.event(Event{Kind: Lost, Token: h.token, Deadline: h.deadline, Reason: why})
	h.beginRelease(now, out)
}
