package explore

import (
	"slices"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// stage is how far an actor has come.
type stage uint8

const (
	idle    stage = iota // not begun
	running              // its machine is stepped
	over                 // an attempt that has ended: only its RELEASE, and calls that stayed in the air, can do anything
)

// actor is one machine of a client, with its calls in the air and with what
// the checks must remember of it.
type actor struct {
	slot  uint8
	stage stage
	air   []flight

	// An attempt.
	hold    quorum.Hold
	extends uint8                 // extensions begun
	top     [maxLocks]uint64      // the highest token that was handed out for each lock before it asked
	won     uint64                // its token, once it was handed out
	votes   [maxServers][2]uint64 // per node, the tokens last assigned to this attempt; the last one first
	release quorum.Call           // over: what it sends

	// The machines of other kinds, nil in an actor that has none: they are large.
	rejoin    *quorum.Rejoin
	bootstrap *quorum.Bootstrap
	foreign   redsync

	// What follows is computed from the above.
	calls  []uint32 // numbers of the flights' calls
	valid  uint8    // the locks, as bits, that it may rely on
	images []uint32
}

// flight is a call in the air, or its answer.
type flight struct {
	call     quorum.Call
	answered bool // the node has executed it
	repeated bool // the node may not execute it once more
	reply    quorum.Reply
}

// kind is what an actor's slot is for.
type kind uint8

const (
	attempts kind = iota
	rejoiners
	operators
	foreigners
)

// effect is what a step of an actor means to the rest of the world.
type effect struct {
	won      uint64 // an attempt has won with this token
	bad      violation
	prepares bool // a bootstrap goes on to PREPARE: the operator says that no lock is held
	seals    int  // a rejoin seals with this k
	boots    string
}

// own gives the actor machines and calls that it shares with no other value.
func (a *actor) own() {
	a.air = slices.Clone(a.air)
	if a.rejoin != nil {
		j := *a.rejoin
		a.rejoin = &j
	}
	if a.bootstrap != nil {
		b := *a.bootstrap
		a.bootstrap = &b
	}
}

// addActor brings an actor into the one form that all have that behave like it,
// and numbers it.
func (w *world) addActor(a actor) uint32 {
	w.settle(&a)
	b := append(w.buf[:0], a.slot, byte(a.stage), a.extends)
	b = appendUint(b, a.won)
	switch {
	case a.stage == idle:
	case a.stage == over:
		b = quorum.Canonical(b, a.release)
	case w.kinds[a.slot] == attempts:
		for i := range maxLocks {
			b = appendUint(b, a.top[i])
		}
		for i := range w.p.N {
			b = appendUint(appendUint(b, a.votes[i][0]), a.votes[i][1])
		}
		b = quorum.Canonical(b, &a.hold)
	case w.kinds[a.slot] == rejoiners:
		b = quorum.Canonical(b, a.rejoin)
	case w.kinds[a.slot] == operators:
		b = quorum.Canonical(b, a.bootstrap)
	default:
		b = quorum.Canonical(b, a.foreign)
	}
	for i := range a.air {
		f := &a.air[i]
		b = append(b, flag(f.answered), flag(f.repeated))
		b = quorum.Canonical(b, f.call)
		if f.answered {
			b = quorum.Canonical(b, f.reply)
		}
	}
	w.buf = b
	return w.actors.intern(b, func() actor {
		a.air = slices.Clone(a.air)
		a.calls = make([]uint32, len(a.air))
		for i, f := range a.air {
			a.calls[i] = w.calls.id(callKey{f.call, w.locks[a.slot]})
		}
		a.valid = w.relied(&a)
		a.images = make([]uint32, len(w.group))
		return a
	})
}

// relied returns the locks that the actor may rely on now.
func (w *world) relied(a *actor) uint8 {
	switch {
	case a.stage != running:
	case w.kinds[a.slot] == attempts && a.hold.Phase() == quorum.Holding && now < a.hold.Deadline():
		return w.locks[a.slot]
	case w.kinds[a.slot] == foreigners && a.foreign.holds(w):
		return w.locks[a.slot]
	}
	return 0
}

// settle drops what can make no difference any more.
func (w *world) settle(a *actor) {
	if a.stage == running {
		switch w.kinds[a.slot] {
		case attempts:
			w.settleHold(a)
		case rejoiners:
			a.rejoin.ForgetDeadline()
			if a.rejoin.Next() == quorum.Never {
				*a = actor{slot: a.slot}
			}
		case operators:
			a.bootstrap.ForgetDeadline()
			if a.bootstrap.Next() == quorum.Never {
				*a = actor{slot: a.slot}
			}
		case foreigners:
			if a.foreign.ended(w) {
				a.stage, a.foreign = over, redsync{}
				a.release = quorum.Call{Ref: quorum.Ref{Op: opDelIf}, ID: foreignID}
			}
		}
	}
	if !w.scope.Stays && !w.scope.CleansUp {
		a.air = slices.DeleteFunc(a.air, func(f flight) bool { return !w.awaits(a, f.call.Ref) })
	} else {
		// An answer that makes no difference is nothing.
		a.air = slices.DeleteFunc(a.air, func(f flight) bool { return f.answered && !w.awaits(a, f.call.Ref) })
	}
	w.settleTags(a)
	slices.SortFunc(a.air, compareFlights)
}

// awaits reports whether the answer to a call makes a difference to its sender.
func (w *world) awaits(a *actor, ref quorum.Ref) bool {
	switch {
	case a.stage != running:
		return false
	case w.kinds[a.slot] == attempts:
		return w.scope.CleansUp || a.hold.Awaits(ref)
	case w.kinds[a.slot] == rejoiners:
		return a.rejoin.Awaits(ref)
	case w.kinds[a.slot] == operators:
		return a.bootstrap.Awaits(ref)
	}
	return true
}

// settleHold turns an attempt that has ended into what is left of it, and
// clears what its machine does not read again.
func (w *world) settleHold(a *actor) {
	h := &a.hold
	h.ForgetReasons()
	if w.scope.CleansUp {
		return
	}
	if h.Phase() >= quorum.Releasing {
		a.stage = over
		a.votes, a.top = [maxServers][2]uint64{}, [maxLocks]uint64{}
		a.hold = quorum.Hold{}
		a.extends = 0
		return
	}
	if h.Phase() == quorum.Holding {
		a.votes, a.top = [maxServers][2]uint64{}, [maxLocks]uint64{}
	}
	h.ForgetCleanUp(!w.scope.Stays)
}

// settleTags numbers the tags of each node from 1 in their order.
func (w *world) settleTags(a *actor) {
	switch {
	case w.kinds[a.slot] == rejoiners:
		for i := range a.air {
			if f := &a.air[i]; f.call.Op == quorum.OpSeal && a.stage == running && a.rejoin.Awaits(f.call.Ref) {
				f.call.Tag = a.rejoin.FirstSeal()
			}
		}
	case w.kinds[a.slot] != attempts:
	case a.stage == over:
		for i := range a.air {
			a.air[i].call.Tag = 0
		}
		slices.SortFunc(a.air, compareFlights)
		a.air = slices.CompactFunc(a.air, func(x, y flight) bool { return x == y })
	case a.stage == running:
		var tags [maxServers][]uint32
		note := func(node int, tag uint32) uint32 {
			if !slices.Contains(tags[node], tag) {
				tags[node] = append(tags[node], tag)
			}
			return tag
		}
		for _, f := range a.air {
			note(f.call.Node, f.call.Tag)
		}
		a.hold.Tags(0, note)
		last := 0
		for i := range tags {
			slices.Sort(tags[i])
			last = max(last, len(tags[i]))
		}
		rank := func(node int, tag uint32) uint32 { return uint32(slices.Index(tags[node], tag) + 1) }
		a.hold.Tags(uint32(last), rank)
		for i := range a.air {
			c := &a.air[i].call
			c.Tag = rank(c.Node, c.Tag)
		}
	}
}

func compareFlights(x, y flight) int {
	a, b := &x.call, &y.call
	switch {
	case a.Node != b.Node:
		return a.Node - b.Node
	case a.Op != b.Op:
		return int(a.Op) - int(b.Op)
	case a.Tag != b.Tag:
		return int(a.Tag) - int(b.Tag)
	case a.Token != b.Token:
		return int(int64(a.Token) - int64(b.Token))
	case a.K != b.K:
		return a.K - b.K
	case x.answered != y.answered:
		return int(flag(x.answered)) - int(flag(y.answered))
	case x.repeated != y.repeated:
		return int(flag(x.repeated)) - int(flag(y.repeated))
	case a.Cfg != b.Cfg:
		if a.Cfg < b.Cfg {
			return -1
		}
		return 1
	}
	return 0
}
