package quorum

import (
	"slices"
	"time"
)

// ask sends ACQUIRE to a node. It carries a not-after, so that a request held
// up in the network does not take a lock that nobody wants any longer.
func (h *Hold) ask(node int, out *Effects) {
	n := &h.nodes[node]
	n.acquire = h.nextTag()
	n.tries++
	c := Call{
		Ref: Ref{node, OpAcquire, n.acquire}, ID: h.req.ID, Cfg: h.req.Cfg, TTL: h.req.TTL,
		Hint: h.req.Hint, NotAfter: h.asked.Add(h.p.NodeDeadline),
	}
	if node == h.req.Keeper-1 {
		c.Place = h.req.Place
	}
	out.call(c)
}

// askAll sends ACQUIRE to all nodes that were not asked yet. The lease's time
// runs from the first of them, however late the others are asked. The keeper is
// asked first: it may say that it is another's turn, and the sooner the better.
func (h *Hold) askAll(now Time, out *Effects) {
	h.alone, h.asked, h.until = false, now, now.Add(h.p.NodeDeadline)
	if k := h.req.Keeper - 1; k >= 0 && h.nodes[k].tries == 0 {
		h.ask(k, out)
	}
	for i := range h.p.N {
		if h.nodes[i].tries == 0 {
			h.ask(i, out)
		}
	}
}

// decideAlone decides what the keeper's answer means while it alone has been
// asked. It reports whether the others are asked now: not before it answered,
// and not where it refused, since then the others would refuse as well.
func (h *Hold) decideAlone(now Time, out *Effects) bool {
	n := &h.nodes[h.req.Keeper-1]
	switch {
	case n.vote == denied && (n.code == Refused || n.code == Reserved):
		h.fail(now, Held, out)
		return false
	case n.vote != noVote:
	case n.acquire != 0 && now < h.until:
		return false
	default:
		out.event(Event{Kind: PassedOver, Node: h.req.Keeper - 1})
	}
	h.askAll(now, out)
	return true
}

// kept reports whether the keeper refused because it is another waiter's turn.
// What other nodes granted is given back then: taking a lock out of turn would
// only send who waits for it to nodes that are taken.
func (h *Hold) kept() bool {
	k := h.req.Keeper - 1
	return k >= 0 && h.nodes[k].vote == denied && h.nodes[k].code == Reserved
}

// keeperSays returns what the keeper said for all, if it did: it alone was
// asked, or it is another waiter's turn.
func (h *Hold) keeperSays() (told bool, wait time.Duration) {
	if !h.kept() && !h.alone {
		return false, 0
	}
	return true, h.nodes[h.req.Keeper-1].wait
}

func (h *Hold) keeperGranted() bool {
	return h.req.Keeper > 0 && h.nodes[h.req.Keeper-1].vote == granted
}

// acquireReply counts a node's answer to ACQUIRE, or undoes a grant that nobody
// wants any longer.
func (h *Hold) acquireReply(now Time, ref Ref, r Reply, out *Effects) {
	n := &h.nodes[ref.Node]
	if ref.Tag != n.acquire {
		return
	}
	n.acquire, n.code, n.vote = 0, r.Code, denied
	switch r.Code {
	case OK, Already:
		n.vote, n.token = granted, r.Token
		if r.Code == Already {
			out.event(Event{Kind: TookRetry, Node: ref.Node})
		}
		h.lateGrant(now, ref.Node, out)
	case Refused, Reserved:
		n.wait = r.Wait
	case NotAdmitted:
		out.event(Event{Kind: Unadmitted, Node: ref.Node})
	case OtherConfig:
		if h.other(ref.Node, r, out) && h.phase <= Raising {
			h.fail(now, ViewChanged, out)
		}
	case TooLate:
		out.event(Event{Kind: TookTooLate, Node: ref.Node})
		// The node's clock and our idea of it disagree; the answer has set
		// that right, so one more try is worth it.
		if h.phase <= Raising && n.tries < 2 && now < h.asked.Add(h.p.NodeDeadline) {
			n.vote = noVote
			h.ask(ref.Node, out)
		}
	}
	if n.vote == denied {
		h.settle(ref.Node)
	}
}

// lateGrant handles a grant by what the hold has become meanwhile.
func (h *Hold) lateGrant(now Time, node int, out *Effects) {
	n := &h.nodes[node]
	switch h.phase {
	case Raising:
		h.raiseNode(node, out)
	case Holding:
		if n.token == h.token {
			n.member = keeps
		}
		h.raiseNode(node, out)
	case Releasing, Done:
		out.event(Event{Kind: TookLateGrant, Node: node})
		h.sendRelease(now, node, out)
		n.final = n.release
		h.phase = Releasing
		h.relUntil = max(h.relUntil, now.Add(h.p.Outlive(h.longest)))
	}
}

// decideAsking looks for a value that a majority assigned; failing that, it
// raises the nodes that assigned less.
func (h *Hold) decideAsking(now Time, out *Effects) {
	if h.alone && !h.decideAlone(now, out) {
		return
	}
	if h.kept() {
		h.fail(now, Held, out)
		return
	}
	grants, open := 0, 0
	best, bestCount := uint64(0), 0
	for i := range h.p.N {
		n := &h.nodes[i]
		if n.acquire != 0 {
			open++
		}
		if n.vote != granted {
			continue
		}
		grants++
		if c := h.assigned(n.token); c > bestCount {
			best, bestCount = n.token, c
		}
	}
	q := h.p.Quorum()
	switch {
	case bestCount >= q:
		h.win(now, best, out)
	case grants >= q:
		// The nodes still out may yet make a value's majority, which saves a
		// round trip. They get as long again as the majority took.
		if h.grace == 0 {
			h.grace = now.Add(now.Sub(h.asked))
		}
		if bestCount+open < q || now >= min(h.grace, h.until) {
			h.beginRaise(now, out)
		}
	case grants+open < q:
		h.fail(now, h.attemptReason(), out)
	case now >= h.until:
		h.fail(now, h.attemptReason(), out)
	}
}

// assigned counts the nodes that assigned exactly t to this attempt.
func (h *Hold) assigned(t uint64) int {
	c := 0
	for i := range h.p.N {
		if h.nodes[i].vote == granted && h.nodes[i].token == t {
			c++
		}
	}
	return c
}

// beginRaise fixes the token: the largest value granted. No other may win from
// here on, or two values could each find a majority.
func (h *Hold) beginRaise(now Time, out *Effects) {
	for i := range h.p.N {
		if h.nodes[i].vote == granted {
			h.token = max(h.token, h.nodes[i].token)
		}
	}
	h.phase, h.until = Raising, now.Add(h.p.NodeDeadline)
	out.event(Event{Kind: TookRaise, Token: h.token})
	for i := range h.p.N {
		h.raiseNode(i, out)
	}
	h.decideRaising(now, out)
}

// raiseNode raises a node that granted less than the token.
func (h *Hold) raiseNode(node int, out *Effects) {
	n := &h.nodes[node]
	if n.vote != granted || n.token >= h.token || n.raise != 0 {
		return
	}
	n.raise = h.nextTag()
	out.call(Call{Ref: Ref{node, OpRaise, n.raise}, ID: h.req.ID, Cfg: h.req.Cfg, Token: h.token})
}

// raiseReply counts a node's answer to RAISE.
func (h *Hold) raiseReply(now Time, ref Ref, r Reply, out *Effects) {
	n := &h.nodes[ref.Node]
	if ref.Tag != n.raise {
		return
	}
	n.raise = 0
	switch r.Code {
	case OK:
		n.token = h.token
		if h.phase == Holding {
			n.member = keeps
		}
	case NotAdmitted:
		n.vote, n.code = denied, r.Code
		out.event(Event{Kind: Unadmitted, Node: ref.Node})
	case OtherConfig:
		n.vote, n.code = denied, r.Code
		if h.other(ref.Node, r, out) && h.phase == Raising {
			h.fail(now, ViewChanged, out)
		}
	default:
		n.vote, n.code = denied, r.Code
	}
}

// decideRaising waits until a majority has assigned the token.
func (h *Hold) decideRaising(now Time, out *Effects) {
	votes, open := h.assigned(h.token), 0
	for i := range h.p.N {
		if n := &h.nodes[i]; n.raise != 0 || n.acquire != 0 {
			open++
		}
	}
	switch q := h.p.Quorum(); {
	case votes >= q:
		h.win(now, h.token, out)
	case votes+open < q || now >= h.until:
		h.fail(now, h.attemptReason(), out)
	}
}

// win begins the lease, unless too little of its validity is left.
func (h *Hold) win(now Time, token uint64, out *Effects) {
	h.token = token
	h.deadline = h.start.Add(h.p.Validity(h.req.TTL))
	if now >= h.lossAt() {
		h.fail(now, TooSlow, out)
		return
	}
	h.phase, h.won = Holding, true
	if h.req.Auto {
		h.renewAt = h.start.Add(h.p.renewal(h.req.TTL))
	}
	for i := range h.p.N {
		if n := &h.nodes[i]; n.vote == granted && n.token == token {
			n.member = keeps
		}
	}
	out.event(Event{Kind: Won, Token: token, Deadline: h.deadline})
	for i := range h.p.N {
		h.raiseNode(i, out)
	}
}

// fail ends the attempt and cleans up on all nodes: on those too that did not
// answer, for their grant may be on its way.
func (h *Hold) fail(now Time, why Reason, out *Effects) {
	h.why, h.token = why, 0
	out.event(Event{Kind: Failed, Reason: why, Cfg: h.req.Cfg})
	h.beginRelease(now, out)
}

// Cancel ends an attempt whose caller gave up. It has no effect on a lease.
func (h *Hold) Cancel(now Time, out *Effects) {
	if h.phase == Asking || h.phase == Raising {
		h.fail(now, Cancelled, out)
	}
}

// Leave notes that the waiter whose attempt this is asks no more: it leaves the
// line. It is called once its attempt has failed, or before Cancel. It reports
// whether the hold is not over, or not over any longer, because of it. A node
// that does not answer is not asked for long: a place that stays costs the
// others one turn.
func (h *Hold) Leave(now Time, out *Effects) bool {
	if h.leaves || h.won || h.req.Keeper == 0 || h.req.Place == (Place{}) {
		return false
	}
	h.leaves = true
	if h.phase < Releasing {
		return true
	}
	if h.phase == Done {
		h.phase, h.relUntil = Releasing, now.Add(2*h.p.NodeDeadline)
	}
	k := h.req.Keeper - 1
	h.sendRelease(now, k, out)
	if n := &h.nodes[k]; n.final != 0 {
		n.final = n.release
	}
	return true
}

// attemptReason says why no majority came together. What only a person can put
// right counts only where it alone keeps a majority from forming; otherwise
// waiting may help.
func (h *Hold) attemptReason() Reason {
	r := h.refusals(func(n *holdNode) bool { return n.vote == denied })
	need := h.p.N - h.p.Quorum() + 1 // so many nodes keep a majority from forming
	foreign, ttl, other := r.code[-ForeignKey], r.code[-TTLTooLong], r.code[-OtherConfig]
	switch {
	case foreign >= need:
		return Foreign
	case ttl >= need:
		return TTLAboveMax
	case other >= need && r.same > 0:
		return SameServer
	case foreign+ttl+other >= need:
		return ConfigDiffers
	case r.alien >= need:
		return ClusterChanged
	case r.code[-NotAdmitted] >= need:
		return NeedsOperator // too few are left to admit the others
	case r.code[Refused]+r.code[-Reserved] > 0:
		return Held
	case r.code[-NotAdmitted] > 0 || r.old > 0:
		return Quarantined
	}
	return NoQuorum
}

// waits returns the remaining ttls that the refusing nodes told, in ascending
// order, and the number of nodes that granted.
func (h *Hold) waits() (waits []int64, grants int) {
	for i := range h.p.N {
		switch n := h.nodes[i]; {
		case n.vote == granted:
			grants++
		case n.vote == denied && n.code == Refused:
			waits = append(waits, int64(n.wait))
		}
	}
	slices.Sort(waits)
	return waits, grants
}
