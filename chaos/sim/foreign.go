package sim

import (
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// foreign is an attempt of a client that does not speak the protocol: it sets
// the key on all nodes where there is none, holds the lock if a majority did,
// and deletes its keys at the end, as redsync does. It votes where our clients
// would not, on nodes in quarantine, and has no token. Unlike redsync's, its
// validity allows for the plan's drift, so that what falls is never its
// arithmetic.
//
// It is a quorum.Machine, so that the same network and the same history serve
// it; none of the protocol is in it.
type foreign struct {
	p        quorum.Params
	id       string
	ttl      time.Duration
	phase    quorum.Phase
	start    quorum.Time
	deadline quorum.Time
	until    quorum.Time
	tag      uint32
	granted  int
	open     int // answers awaited in this phase
	deleted  int
	waiting  bool

	set   uint16                  // nodes whose answer to SET NX is known
	since [quorum.MaxNodes]uint32 // and the tag of the last operation that was sent before it was
	clean uint16                  // nodes that answered a DEL that was sent since
}

// startForeign begins an attempt.
func (r *run) startForeign(c *client, l *lock, key stream, waiter *routine) *attempt {
	a := r.newAttempt(c, l, key, jobForeign)
	a.waiter = waiter
	a.foreign = foreign{p: r.p, id: a.id, ttl: r.plan.TTL.D()}
	a.task.machine = &a.foreign
	out := r.effects()
	a.foreign.begin(c.now(), out)
	r.after(a.task, out)
	return a
}

func (h *foreign) begin(now quorum.Time, out *quorum.Effects) {
	h.phase, h.start, h.until = quorum.Asking, now, now.Add(h.p.NodeDeadline)
	h.ask(opSetNX, out)
}

// ask sends one operation to all nodes that are not clean.
func (h *foreign) ask(op quorum.Op, out *quorum.Effects) {
	h.open = 0
	for i := range h.p.N {
		if h.clean>>i&1 != 0 {
			continue
		}
		h.open++
		h.tag++
		out.Calls = append(out.Calls, quorum.Call{Ref: quorum.Ref{Node: i, Op: op, Tag: h.tag}, ID: h.id, TTL: h.ttl})
	}
}

func (h *foreign) tell(out *quorum.Effects, e quorum.Event) { out.Events = append(out.Events, e) }

// Reply takes a node's answer.
func (h *foreign) Reply(now quorum.Time, ref quorum.Ref, r quorum.Reply, out *quorum.Effects) {
	bit := uint16(1) << ref.Node
	switch {
	case ref.Op == opSetNX:
		h.known(ref.Node)
		if h.phase == quorum.Asking {
			h.open--
			if r.Code == quorum.OK {
				h.granted++
			}
		}
	case h.phase == quorum.Releasing:
		h.open--
		h.deleted += r.Deleted
		// A SET NX that was not answered may yet arrive, and may have arrived
		// behind this DEL where the answer to it was the faster one.
		if h.set&bit != 0 && ref.Tag > h.since[ref.Node] {
			h.clean |= bit
		}
	}
	h.decide(now, out)
}

// known notes that nothing is to come of the SET NX to a node any more.
func (h *foreign) known(node int) {
	if h.set>>node&1 == 0 {
		h.set |= 1 << node
		h.since[node] = h.tag
	}
}

// Fail takes the news that no answer will come.
func (h *foreign) Fail(now quorum.Time, ref quorum.Ref, notSent bool, out *quorum.Effects) {
	if ref.Op == opSetNX && notSent {
		h.known(ref.Node)
	}
	if (ref.Op == opSetNX) == (h.phase == quorum.Asking) {
		h.open--
	}
	h.decide(now, out)
}

// Tick lets time pass.
func (h *foreign) Tick(now quorum.Time, out *quorum.Effects) { h.decide(now, out) }

// Next is when it wants the next Tick.
func (h *foreign) Next() quorum.Time {
	switch h.phase {
	case quorum.Asking, quorum.Releasing:
		return h.until
	case quorum.Holding:
		return h.deadline.Add(-quorum.LossMargin)
	}
	return quorum.Never
}

func (h *foreign) decide(now quorum.Time, out *quorum.Effects) {
	switch h.phase {
	case quorum.Asking:
		h.deadline = h.start.Add(h.p.Validity(h.ttl))
		switch {
		case h.granted >= h.p.Quorum() && now < h.deadline.Add(-quorum.LossMargin):
			h.phase = quorum.Holding
			h.tell(out, quorum.Event{Kind: quorum.Won, Deadline: h.deadline})
		case h.granted+h.open < h.p.Quorum() || now >= h.until:
			h.tell(out, quorum.Event{Kind: quorum.Failed, Reason: quorum.Held})
			h.free(now, out)
		}
	case quorum.Holding:
		if now >= h.deadline.Add(-quorum.LossMargin) {
			h.tell(out, quorum.Event{Kind: quorum.Lost, Deadline: h.deadline, Reason: quorum.Expired})
			h.free(now, out)
		}
	case quorum.Releasing:
		h.decideFree(now, out)
	}
}

// free deletes the key wherever it may stand, and goes on for as long as a key
// may live, so that it leaves none behind that would be laid at our clients'
// door.
func (h *foreign) free(now quorum.Time, out *quorum.Effects) {
	h.phase, h.until = quorum.Releasing, now.Add(h.p.NodeDeadline)
	h.ask(opDelIf, out)
}

func (h *foreign) decideFree(now quorum.Time, out *quorum.Effects) {
	if h.waiting && (h.deleted >= h.p.Quorum() || h.open == 0 || now >= h.until) {
		h.waiting = false
		e := quorum.Event{Kind: quorum.UnlockFailed, Reason: quorum.Unknown}
		if h.deleted >= h.p.Quorum() {
			e = quorum.Event{Kind: quorum.Unlocked}
		}
		h.tell(out, e)
	}
	switch {
	case h.clean == 1<<h.p.N-1 || now >= max(h.start, h.deadline).Add(h.p.Outlive(h.ttl)):
		h.phase = quorum.Done
		h.tell(out, quorum.Event{Kind: quorum.Over})
	case now >= h.until:
		h.free(now, out)
	}
}

func (h *foreign) cancel(now quorum.Time, out *quorum.Effects) {
	if h.phase == quorum.Asking {
		h.tell(out, quorum.Event{Kind: quorum.Failed, Reason: quorum.Cancelled})
		h.free(now, out)
	}
}

// unlock gives the lock back, and reports whether it was held.
func (h *foreign) unlock(now quorum.Time, out *quorum.Effects) bool {
	h.decide(now, out)
	if h.phase != quorum.Holding {
		return false
	}
	h.waiting = true
	h.free(now, out)
	return true
}

var _ quorum.Machine = (*foreign)(nil)
