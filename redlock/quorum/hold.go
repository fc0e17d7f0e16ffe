package quorum

import "time"

// Phase is where a Hold stands.
type Phase uint8

// The phases, in order. A failed attempt goes from Asking or Raising straight
// to Releasing.
const (
	Asking    Phase = iota + 1 // ACQUIRE was sent to all nodes
	Raising                    // a majority granted different values; only the largest may win
	Holding                    // the lease is held
	Releasing                  // RELEASE is being sent until every node has answered it
	Done                       // nothing can be left of the hold on any node
)

// Request is what a Hold asks for.
type Request struct {
	ID   string        // fresh for every attempt, never reused
	Cfg  string        // the configuration whose nodes vote
	TTL  time.Duration // whole milliseconds
	Hint uint64        // a token to aim at, or 0
	Auto bool          // renew at a third of the ttl until released

	// Untimed has bit i set where no reliance can be put on the clock of node i
	// (NodeClock.Reliable): an ACQUIRE sent there may be executed at any time.
	Untimed uint16

	Keeper int   // 1-based node that keeps the lock's line, 0 for none
	Place  Place // in that line; zero for an attempt that does not stand in it
	First  bool  // ask the keeper alone, and the others once it has granted or does not answer
}

// Hold is one attempt to take a lock and what becomes of it. Make it with
// NewHold, then Start it.
type Hold struct {
	p     Params
	req   Request
	phase Phase
	why   Reason // why the attempt or the lease ended

	start Time // before the first ACQUIRE was sent
	asked Time // before the last of them were; not-afters count from here
	until Time // Asking, Raising: when waiting ends
	grace Time // Asking: until when to wait for equal grants rather than raise; 0 while a majority is missing

	token    uint64
	deadline Time          // Holding: the lease's end on the client's clock
	longest  time.Duration // the largest ttl ever asked for

	extended bool  // an EXTEND was ever sent
	round    round // the current extension
	renewAt  Time

	alone  bool // the keeper alone has been asked
	leaves bool // the waiter asks no more
	won    bool // it was a lease

	waiting  bool // an Unlock waits for the outcome
	relUntil Time // after this, every key has expired by itself
	crowd    int  // how many holds of the client awaited RELEASEs when this one began to

	tag   uint32
	nodes [MaxNodes]holdNode
}

// holdNode is what a Hold knows of one node. Its fields are ordered by size: a
// hold is copied often, and holds fifteen of these.
type holdNode struct {
	token     uint64        // that the node assigned to this attempt; 0 for none
	code      int           // of its answer to ACQUIRE or the latest EXTEND
	wait      time.Duration // Refused: when the holder's key expires there
	releaseAt Time          // when the last RELEASE was sent

	acquire  uint32 // tag of the ACQUIRE that is in the air; 0 for none
	raise    uint32
	extend   uint32
	release  uint32 // tag of the last RELEASE; 0 for none
	answered uint32 // largest tag of a RELEASE that was answered
	final    uint32 // answered ≥ final > 0: nothing is left on the node

	vote      vote
	member    member
	tries     uint8 // ACQUIREs sent
	same      bool  // OtherConfig: the configurations are equal, so the node has another of our names
	old       bool  // OtherConfig: the node's view is older than ours; it needs a CatchUp
	alien     bool  // OtherConfig: the node belongs to another cluster of the same nodes
	reached   bool  // the node answered a call of this hold, or may have executed one
	deleted   bool
	unsettled bool // no answer told what came of the ACQUIRE
}

// vote is a node's part in the attempt.
type vote uint8

const (
	noVote  vote = iota // no answer yet, or none will come
	granted             // it assigned token
	denied              // it answered, and did not
)

// member is a node's part in a lease.
type member uint8

const (
	unknownMember    member = iota
	keeps                   // it assigned the lease's token and has the key
	lacks                   // it lacks the key, or has another's
	supersededMember        // its counter is above the token
)

// NewHold returns a Hold that has not been started.
func NewHold(p Params, r Request) Hold {
	return Hold{p: p, req: r, longest: r.TTL, renewAt: Never}
}

// Start sends ACQUIRE to all nodes, or to the keeper of the lock's line first.
func (h *Hold) Start(now Time, out *Effects) {
	h.phase, h.start = Asking, now
	if h.req.First && h.req.Keeper > 0 {
		// Half a node deadline: when the others are asked after that in vain, no
		// more than one and a half have passed.
		h.alone, h.asked, h.until = true, now, now.Add(h.p.NodeDeadline/2)
		h.ask(h.req.Keeper-1, out)
		return
	}
	h.askAll(now, out)
}

// Phase says where the hold stands.
func (h *Hold) Phase() Phase { return h.phase }

// ID is the attempt's id.
func (h *Hold) ID() string { return h.req.ID }

// Token is the token once the lease is held, else 0.
func (h *Hold) Token() uint64 {
	if h.phase == Asking || h.phase == Raising {
		return 0
	}
	return h.token
}

// Deadline is until when the lease may be relied on.
func (h *Hold) Deadline() Time { return h.deadline }

// TTL is what the next extension asks for.
func (h *Hold) TTL() time.Duration { return h.req.TTL }

// Keeps reports whether the node is known to hold the lock for this lease.
func (h *Hold) Keeps(node int) bool {
	return h.phase == Holding && h.nodes[node].member == keeps
}

// Answer returns the code of the node's last answer to ACQUIRE or EXTEND, and
// whether it has answered at all. SameServer is reported apart from other
// configurations.
func (h *Hold) Answer(node int) (code int, same, ok bool) {
	n := &h.nodes[node]
	return n.code, n.same, n.extend == 0 && (n.vote != noVote || n.member != unknownMember)
}

// Reply takes a node's answer.
func (h *Hold) Reply(now Time, ref Ref, r Reply, out *Effects) {
	h.pass(now, out)
	h.nodes[ref.Node].reached = true
	switch ref.Op {
	case OpAcquire:
		h.acquireReply(now, ref, r, out)
	case OpRaise:
		h.raiseReply(now, ref, r, out)
	case OpExtend:
		h.extendReply(now, ref, r, out)
	case OpRelease:
		h.releaseReply(ref, r)
	}
	h.decide(now, out)
}

// Fail takes the news that no answer will come.
func (h *Hold) Fail(now Time, ref Ref, notSent bool, out *Effects) {
	h.pass(now, out)
	n := &h.nodes[ref.Node]
	n.reached = n.reached || !notSent && ref.Op != OpRelease
	switch ref.Op {
	case OpAcquire:
		if ref.Tag == n.acquire {
			n.acquire = 0
			if notSent {
				h.settle(ref.Node)
			} else {
				n.unsettled = true
			}
		}
	case OpRaise:
		if ref.Tag == n.raise {
			n.raise = 0
		}
	case OpExtend:
		if ref.Tag == n.extend {
			n.extend = 0
		}
	}
	h.decide(now, out)
}

// Tick lets deadlines pass.
func (h *Hold) Tick(now Time, out *Effects) {
	h.pass(now, out)
	h.decide(now, out)
}

// Next is when the hold wants the next Tick.
func (h *Hold) Next() Time {
	switch h.phase {
	case Asking:
		if h.grace != 0 {
			return min(h.grace, h.until)
		}
		return h.until
	case Raising:
		return h.until
	case Holding:
		next := min(h.lossAt(), h.renewAt)
		if h.round.open {
			next = min(next, h.round.until)
		}
		return next
	case Releasing:
		return h.nextRelease()
	}
	return Never
}

// pass lets the lease end before anything else is looked at: an answer that
// comes at or after the deadline must not prolong it.
func (h *Hold) pass(now Time, out *Effects) {
	if h.phase == Holding && now >= h.lossAt() {
		h.end(now, Expired, out)
	}
}

// decide draws the conclusions of a step.
func (h *Hold) decide(now Time, out *Effects) {
	switch h.phase {
	case Asking:
		h.decideAsking(now, out)
	case Raising:
		h.decideRaising(now, out)
	case Holding:
		h.decideHolding(now, out)
	case Releasing:
		h.decideReleasing(now, out)
	}
}

// refusals is how many nodes refused, by what they refused for.
type refusals struct {
	code  [codes]int // by the answer's code; the nodes below are left out
	old   int        // their view is older; they vote again once a CatchUp has reached them
	alien int        // they belong to another cluster of the same nodes
	same  int        // they have another of our names; counted among OtherConfig too
}

func (h *Hold) refusals(answered func(n *holdNode) bool) (r refusals) {
	for i := range h.p.N {
		n := &h.nodes[i]
		switch {
		case !answered(n) || n.code > Refused || -n.code >= codes:
		case n.code == OtherConfig && n.old:
			r.old++
		case n.code == OtherConfig && n.alien:
			r.alien++
		default:
			r.code[-n.code]++
			if n.code == OtherConfig && n.same {
				r.same++
			}
		}
	}
	return r
}

func (h *Hold) nextTag() uint32 {
	h.tag++
	return h.tag
}

// other tells what an OtherConfig answer means, and reports whether the node
// answered under a newer view of our configuration.
func (h *Hold) other(node int, r Reply, out *Effects) (newer bool) {
	n := &h.nodes[node]
	rel := relate(h.req.Cfg, r.Cfg)
	n.same, n.old, n.alien = rel == sameConfig, rel == olderView, rel == otherCluster
	switch rel {
	case newerView:
		out.event(Event{Kind: NewView, Node: node, Cfg: r.Cfg})
		return true
	case olderView:
		out.event(Event{Kind: OldView, Node: node, Cfg: r.Cfg})
	case otherCluster:
		out.event(Event{Kind: OtherCluster, Node: node, Cfg: r.Cfg})
	case sameConfig, otherConfig: // the answer's code says it
	}
	return false
}
