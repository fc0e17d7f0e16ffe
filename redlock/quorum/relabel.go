package quorum

import "time"

// Frame moves the moments that a machine keeps, so that an explorer can let
// time pass while its own clock stands still: a machine of which every moment
// lies as much earlier as time has passed behaves like one that grew older.
//
// A moment before Floor is moved to Floor. That is sound where no constant
// that the machine adds to a moment before it compares it with now reaches
// from Floor to now: no comparison can tell the difference any longer. A
// moment at or after Horizon stays where it is, which stands for a client of
// unlimited patience. Zero stands for a moment that was not set.
type Frame struct {
	By      time.Duration
	Floor   Time
	Horizon Time
}

func (f Frame) move(moments ...*Time) {
	for _, t := range moments {
		if *t != 0 && *t < f.Horizon {
			*t = max(t.Add(-f.By), f.Floor)
		}
	}
}

// Labels gives nodes other places and texts other names. A machine that is
// relabelled behaves as before, only under the other names.
type Labels struct {
	Node func(int) int       // a permutation of the nodes
	Text func(string) string // of ids and configurations
}

// permute moves each of the first n elements to its node's new place.
func permute[T any](l Labels, n int, a *[MaxNodes]T) {
	old := *a
	for i := range n {
		a[l.Node(i)] = old[i]
	}
}

// Shift moves the hold's moments.
func (h *Hold) Shift(f Frame) {
	f.move(&h.start, &h.asked, &h.until, &h.grace, &h.deadline, &h.round.start, &h.round.until, &h.renewAt, &h.relUntil)
	for i := range h.p.N {
		f.move(&h.nodes[i].releaseAt)
	}
}

// Relabel gives the hold's nodes and texts other labels.
func (h *Hold) Relabel(l Labels) {
	h.req.ID, h.req.Cfg = l.Text(h.req.ID), l.Text(h.req.Cfg)
	untimed := uint16(0)
	for i := range h.p.N {
		untimed |= h.req.Untimed >> i & 1 << l.Node(i)
	}
	h.req.Untimed = untimed
	h.req.Place.Client = l.Text(h.req.Place.Client)
	if h.req.Keeper > 0 {
		h.req.Keeper = l.Node(h.req.Keeper-1) + 1
	}
	permute(l, h.p.N, &h.nodes)
}

// Tags replaces every tag by what rename returns for it. Tags are only ever
// compared with others of the same node, so a renaming that keeps their order
// for each node changes nothing; the hold's next tag is above all of them, and
// above last: the largest, by its new name, that a call in the air bears, which
// the hold may have forgotten.
func (h *Hold) Tags(last uint32, rename func(node int, tag uint32) uint32) {
	h.tag = last
	for i := range h.p.N {
		n := &h.nodes[i]
		for _, t := range []*uint32{&n.acquire, &n.raise, &n.extend, &n.release, &n.answered, &n.final} {
			if *t != 0 {
				*t = rename(i, *t)
				h.tag = max(h.tag, *t)
			}
		}
	}
}

// Awaits reports whether an answer to the call can still change the hold's
// decision: whether it wins, or whether the extension that is under way
// succeeds. Answers that come later only mend a lease or lead to clean-up.
func (h *Hold) Awaits(ref Ref) bool {
	n := &h.nodes[ref.Node]
	switch ref.Op {
	case OpAcquire:
		return h.phase <= Raising && n.acquire == ref.Tag
	case OpRaise:
		return h.phase == Raising && n.raise == ref.Tag
	case OpExtend:
		return h.phase == Holding && h.round.open && n.extend == ref.Tag
	}
	return false
}

// ForgetReasons clears what only goes into the Reasons of events and into the
// numbers of rounds, and what only a Waiter reads.
func (h *Hold) ForgetReasons() {
	h.why, h.round.seq, h.crowd = NoReason, 0, 0
	for i := range h.p.N {
		n := &h.nodes[i]
		n.code, n.same, n.old, n.alien, n.wait, n.member = 0, false, false, false, 0, unknownMember
	}
}

// ForgetCleanUp clears what only beginRelease and the steps after it read. It
// is for whoever stops stepping the hold at its end and sends RELEASE in its
// place, whenever and wherever it likes. Where alone is set, no answer will come
// to an ACQUIRE or RAISE of a lease, nor to an EXTEND of a round that is over.
func (h *Hold) ForgetCleanUp(alone bool) {
	h.longest, h.waiting, h.relUntil = 0, false, 0
	if h.phase == Holding {
		h.until, h.grace, h.start, h.asked = 0, 0, 0, 0
	}
	if !h.round.open {
		h.round = round{}
	}
	for i := range h.p.N {
		n := &h.nodes[i]
		n.reached, n.unsettled = true, false // RELEASE goes to every node
		if h.phase == Holding && alone {
			n.vote, n.token, n.acquire, n.raise, n.tries = noVote, 0, 0, 0, 0
		}
		if !h.round.open && alone {
			n.extend = 0
		}
	}
}

// Shift moves the rejoin's moment.
func (j *Rejoin) Shift(f Frame) { f.move(&j.until) }

// Waits reports whether the rejoin is in its quarantine.
func (j *Rejoin) Waits() bool { return j.phase == rejoinWaiting }

// ForgetDeadline clears the moment at which the rejoin gives up on answers. It
// is for whoever ticks a rejoin in its quarantine only.
func (j *Rejoin) ForgetDeadline() {
	if j.phase != rejoinWaiting {
		j.until = 0
	}
}

// Relabel gives the rejoin's nodes and texts other labels.
func (j *Rejoin) Relabel(l Labels) {
	j.target = l.Node(j.target)
	for i := range j.p.N {
		if s := &j.sealed[i]; s.self != 0 {
			s.self = l.Node(s.self-1) + 1
		}
	}
	permute(l, j.p.N, &j.sealed)
	permute(l, j.p.N, &j.view.Entries)
}

// FirstSeal is a tag that any SEAL of the rejoin's present try may bear as well
// as its own: they are told apart by their nodes.
func (j *Rejoin) FirstSeal() uint32 { return j.first }

// Awaits reports whether an answer to the call can still change the rejoin.
func (j *Rejoin) Awaits(ref Ref) bool {
	switch j.phase {
	case rejoinProbing:
		return ref.Op == OpProbe && ref.Tag == j.tag
	case rejoinSurvey:
		return ref.Op == OpProbe
	case rejoinSealing:
		return ref.Op == OpSeal && ref.Tag >= j.first
	case rejoinAdmitting:
		return ref.Op == OpAdmit
	}
	return false
}

// Shift moves the bootstrap's moment.
func (b *Bootstrap) Shift(f Frame) { f.move(&b.until) }

// Waits reports whether the bootstrap lets every lease end.
func (b *Bootstrap) Waits() bool { return b.phase == bootWaiting }

// ForgetDeadline clears the moment at which the bootstrap gives up on answers.
// It is for whoever ticks a bootstrap that waits only.
func (b *Bootstrap) ForgetDeadline() {
	if b.phase != bootWaiting {
		b.until = 0
	}
}

// Awaits reports whether an answer to the call can still change the bootstrap.
func (b *Bootstrap) Awaits(ref Ref) bool { return b.phase != bootDone && ref.Tag >= b.first }
