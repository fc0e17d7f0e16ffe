package explore

import (
	"slices"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// What an actor may do of its own accord, besides taking answers.
type act uint8

const (
	actTick act = iota
	actReply
	actReplyKeep // takes the answer, and the call stays in the air once more
	actExecute   // the node executes a call; its answer is still on its way
	actLoseAnswer
	actResend // the answer is lost, and the sender's driver sends the call again
	actCancel
	actUnlock
	actExtend
	actEnd // a rejoin or a bootstrap dies
)

// act lets an actor do something; it returns the actor and the number of what
// that means to others. reply is the number of an answer, flight of a call,
// where one is concerned.
func (w *world) act(id uint32, what act, flight int, reply uint32) (next, eff uint32) {
	key := uint64(id)<<36 | uint64(what)<<32 | uint64(flight)<<24 | uint64(reply)
	if v, ok := w.acts.get(key); ok {
		return uint32(v), uint32(v >> 32)
	}
	next, eff = w.acting(id, what, flight, reply)
	w.acts.put(key, uint64(next)|uint64(eff)<<32)
	return next, eff
}

func (w *world) acting(id uint32, what act, fl int, reply uint32) (uint32, uint32) {
	a := w.actors.values[id]
	a.own()
	a.calls, a.images = nil, nil
	w.out.Reset()
	e := effect{}
	switch what {
	case actReply, actReplyKeep, actExecute, actLoseAnswer, actResend:
		w.land(&a, what, fl, w.replies.values[reply])
	case actTick:
		w.passTime(&a)
	case actCancel:
		a.hold.Cancel(now, &w.out)
	case actUnlock:
		if w.kinds[a.slot] == foreigners {
			a.foreign.age = w.scope.TTL // it holds nothing any more, and deletes its keys
		} else {
			a.hold.Unlock(now, &w.out)
		}
	case actExtend:
		a.extends++
		a.hold.Extend(now, w.p.MaxTTL, &w.out)
	case actEnd:
		a = actor{slot: a.slot}
	}
	w.take(&a, &e)
	return w.addActor(a), w.effects.id(e)
}

// land brings a call to its node, or an answer home.
func (w *world) land(a *actor, what act, fl int, r quorum.Reply) {
	f := a.air[fl]
	if !f.answered {
		w.vote(a, f.call, r)
	}
	switch {
	case what == actExecute:
		a.air[fl].answered, a.air[fl].reply = true, r
	case what == actReplyKeep || what == actResend:
		a.air[fl].repeated = true
	default:
		a.air = slices.Delete(a.air, fl, fl+1)
	}
	if what == actReply || what == actReplyKeep {
		w.reply(a, f.call.Ref, r)
	}
}

// vote remembers which tokens a node assigned to an attempt.
func (w *world) vote(a *actor, c quorum.Call, r quorum.Reply) {
	if a.stage != running || c.Op != quorum.OpAcquire && c.Op != quorum.OpRaise || r.Code != quorum.OK && r.Code != quorum.Already {
		return
	}
	if v := &a.votes[c.Node]; v[0] != r.Token {
		v[0], v[1] = r.Token, v[0]
	}
}

// reply hands an answer to the machine, which may have no use for it.
func (w *world) reply(a *actor, ref quorum.Ref, r quorum.Reply) {
	switch {
	case a.stage != running:
	case w.kinds[a.slot] == attempts:
		a.hold.Reply(now, ref, r, &w.out)
	case w.kinds[a.slot] == rejoiners:
		a.rejoin.Reply(now, ref, r, &w.out)
	case w.kinds[a.slot] == operators:
		a.bootstrap.Reply(now, ref, r, &w.out)
	case w.kinds[a.slot] == foreigners:
		a.foreign.reply(ref.Node, r)
	}
}

// passTime lets a tick pass for an actor.
func (w *world) passTime(a *actor) {
	for i := range a.air {
		if c := &a.air[i].call; c.NotAfter != 0 && c.NotAfter < w.frame.Horizon {
			c.NotAfter = max(c.NotAfter.Add(-Tick), w.frame.Floor)
		}
	}
	if a.stage != running {
		return
	}
	switch w.kinds[a.slot] {
	case attempts:
		a.hold.Shift(w.frame)
		if a.hold.Next() <= now {
			a.hold.Tick(now, &w.out)
		}
	case rejoiners:
		a.rejoin.Shift(w.frame)
		if a.rejoin.Waits() {
			a.rejoin.Tick(now, &w.out)
		}
	case operators:
		a.bootstrap.Shift(w.frame)
		if a.bootstrap.Waits() {
			a.bootstrap.Tick(now, &w.out)
		}
	case foreigners:
		a.foreign.age++
	}
}

// take puts the calls of a step into the air and takes note of its events.
func (w *world) take(a *actor, e *effect) {
	ended := w.kinds[a.slot] == attempts && a.stage == running && a.hold.Phase() >= quorum.Releasing && !w.scope.CleansUp
	for _, c := range w.out.Calls {
		switch {
		case ended && c.Op == quorum.OpRelease:
			a.release = c
			a.release.Ref, a.release.Pass = quorum.Ref{Op: c.Op}, 0 // nobody stands in line
			continue
		case c.Op == quorum.OpPrepare:
			e.prepares = true
		case c.Op == quorum.OpSeal:
			e.seals = max(e.seals, c.K)
		case c.Op == quorum.OpAcquire && !w.scope.CleansUp:
			c.NotAfter = 0 // no call is ever too late
		}
		a.air = append(a.air, flight{call: c})
	}
	for _, v := range w.out.Events {
		switch v.Kind {
		case quorum.Won:
			a.won, e.won = v.Token, v.Token
			e.bad |= w.judgeWin(a, v)
		case quorum.Extended:
			if now >= v.Deadline {
				e.bad |= late
			}
		case quorum.Bootstrapped:
			e.boots = v.Cfg
		}
	}
}

// judgeWin judges what an attempt claims: a majority assigned its token to it,
// the token is larger than every one that was handed out before it asked, and
// something is left of its validity.
func (w *world) judgeWin(a *actor, v quorum.Event) violation {
	count := 0
	for i := range w.p.N {
		if a.votes[i][0] == v.Token || a.votes[i][1] == v.Token {
			count++
		}
	}
	bad := none
	if count < w.p.Quorum() {
		bad |= brokenI2
	}
	for i := range maxLocks {
		if w.locks[a.slot]>>i&1 == 1 && v.Token <= a.top[i] {
			bad |= tokenOrder
		}
	}
	if now >= v.Deadline {
		bad |= late
	}
	return bad
}
