package explore

import (
	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// step is what leads from one state to the next.
type step struct {
	kind   stepKind
	actor  int8
	flight int8
	server int8
	act    act
	arg    int32 // a trouble, a hint, or the server of whose configuration an attempt learnt
}

type stepKind uint8

const (
	stepTick    stepKind = iota
	stepCall             // a call lands on a server
	stepAnswer           // an answer comes home
	stepRelease          // what is left of an attempt frees a node
	stepOwn              // an actor does something of its own accord
	stepStart
	stepTrouble
	stepCatchUp // a node's view is brought up to another's
)

// steps calls visit with every step from a state, the state that it leads to
// (which visit must not keep), and what it breaks.
func (w *world) steps(state []uint32, visit func(s step, next []uint32, bad violation)) {
	e := expansion{w: w, from: state, to: make([]uint32, w.width), visit: visit}
	if !w.scope.Timeless {
		e.tick()
	}
	for i := range w.nactor {
		a := &w.actors.values[state[w.nserver+i]]
		for f := range a.air {
			if a.air[f].answered {
				e.answer(i, f)
			} else {
				e.land(i, f)
			}
		}
		// Steps may number new components, which moves the pool.
		switch a := w.actors.values[state[w.nserver+i]]; a.stage {
		case idle:
			e.start(i)
		case running:
			e.own(i, &a)
		case over:
			e.release(i, &a)
		}
	}
	e.trouble()
	if w.scope.CatchUps {
		e.catchUp()
	}
}

// expansion is the work on the successors of one state.
type expansion struct {
	w     *world
	from  []uint32
	to    []uint32
	visit func(s step, next []uint32, bad violation)
}

func (e *expansion) reset() { copy(e.to, e.from) }

func (e *expansion) actorAt(i int) *uint32 { return &e.to[e.w.nserver+i] }

// emit hands on the state that a step has led to, unless nothing has changed.
func (e *expansion) emit(s step, changed judgement, bad violation) {
	if !equal(e.to, e.from) || bad != none {
		e.visit(s, e.to, bad|e.w.judge(e.to, changed))
	}
}

// apply sets an actor and what its step means to the rest. It reports false
// where the step is beyond the scope.
func (e *expansion) apply(i int, next, eff uint32) (changed judgement, bad violation, ok bool) {
	w := e.w
	*e.actorAt(i) = next
	if w.actors.values[next].valid != w.actors.values[e.from[w.nserver+i]].valid {
		changed |= judgeHolds
	}
	if eff == 0 {
		return changed, none, true
	}
	f := &w.effects.values[eff]
	if f.seals > w.scope.MaxK || f.prepares && w.anyHeld(e.to) && !w.byClock(i) {
		return 0, none, false
	}
	if f.won != 0 {
		changed |= judgeHolds | judgeNodes
		e.raiseTop(w.locks[w.actors.values[next].slot], f.won)
	}
	return changed, f.bad, true
}

// byClock reports whether the actor is a bootstrap on nobody's word.
func (w *world) byClock(i int) bool {
	if w.kinds[i] != operators {
		return false
	}
	first := len(w.scope.Attempts) + w.scope.Rejoiners
	return w.scope.Operators[i-first] == quorum.ByClock
}

func (e *expansion) raiseTop(locks uint8, token uint64) {
	r := e.w.rests.values[e.to[e.w.width-1]]
	for l := range maxLocks {
		if locks>>l&1 == 1 {
			r.top[l] = max(r.top[l], token)
		}
	}
	e.to[e.w.width-1] = e.w.rests.id(r)
}

func (e *expansion) tick() {
	w := e.w
	e.reset()
	changed, bad := none8, none
	for i := range w.nserver {
		e.to[i] = w.serverTick(e.from[i])
	}
	for i := range w.nactor {
		next, eff := w.act(e.from[w.nserver+i], actTick, 0, 0)
		c, b, ok := e.apply(i, next, eff)
		if !ok {
			return
		}
		changed, bad = changed|c, bad|b
	}
	e.emit(step{kind: stepTick}, changed|judgeFree, bad)
}

const none8 judgement = 0

// land executes a call on every server that answers to the node's name.
func (e *expansion) land(i, f int) {
	w := e.w
	id := e.from[w.nserver+i]
	a := &w.actors.values[id]
	call, node, repeated := a.calls[f], a.air[f].call.Node, a.air[f].repeated
	for s := range w.nserver {
		if w.slotOf[s] != node || !w.servers.values[e.from[s]].live {
			continue
		}
		next, reply, bad := w.exec(e.from[s], call)
		changed := none8
		if w.servers.values[next].config != w.servers.values[e.from[s]].config || w.servers.values[next].admitted != w.servers.values[e.from[s]].admitted {
			changed = judgeNodes
		}
		try := func(what act) {
			e.reset()
			e.to[s] = next
			actor, eff := w.act(id, what, f, reply)
			c, b, ok := e.apply(i, actor, eff)
			if ok {
				e.emit(step{kind: stepCall, actor: int8(i), flight: int8(f), server: int8(s), act: what}, changed|c, bad|b)
			}
		}
		if w.scope.Apart {
			try(actExecute)
		} else {
			try(actReply)
		}
		if w.scope.NoAnswer {
			try(actLoseAnswer)
		}
		if w.scope.Repeats && !repeated {
			try(actReplyKeep)
		}
		if w.scope.Resends && !repeated {
			try(actResend)
		}
	}
}

// answer brings an answer home.
func (e *expansion) answer(i, f int) {
	w := e.w
	id := e.from[w.nserver+i]
	e.reset()
	next, eff := w.act(id, actReply, f, w.replies.id(w.actors.values[id].air[f].reply))
	if c, b, ok := e.apply(i, next, eff); ok {
		e.emit(step{kind: stepAnswer, actor: int8(i), flight: int8(f)}, c, b)
	}
}

// release lets what is left of an attempt free any node, at any time.
func (e *expansion) release(i int, a *actor) {
	w := e.w
	if a.release.Op == 0 {
		return
	}
	call := w.calls.id(callKey{a.release, w.locks[i]})
	for s := range w.nserver {
		if !w.servers.values[e.from[s]].live {
			continue
		}
		next, _, bad := w.exec(e.from[s], call)
		e.reset()
		e.to[s] = next
		e.emit(step{kind: stepRelease, actor: int8(i), server: int8(s)}, judgeFree, bad)
	}
}

// own lets an actor do what it likes.
func (e *expansion) own(i int, a *actor) {
	w := e.w
	switch w.kinds[i] {
	case attempts:
		asking := a.hold.Phase() <= quorum.Raising
		holding := a.hold.Phase() == quorum.Holding
		if asking && w.scope.GiveUps {
			e.do(i, actCancel)
		}
		if holding && w.scope.Unlocks {
			e.do(i, actUnlock)
		}
		if holding && int(a.extends) < w.scope.Attempts[i].Extends {
			e.do(i, actExtend)
		}
	case rejoiners, operators:
		if w.scope.Dies {
			e.do(i, actEnd)
		}
	case foreigners:
		if w.scope.Unlocks && a.foreign.holds(w) {
			e.do(i, actUnlock)
		}
	}
}

func (e *expansion) do(i int, what act) {
	e.reset()
	next, eff := e.w.act(e.from[e.w.nserver+i], what, 0, 0)
	if c, b, ok := e.apply(i, next, eff); ok {
		e.emit(step{kind: stepOwn, actor: int8(i), act: what}, c, b)
	}
}

// trouble lets servers lose memory, restart, and so on.
func (e *expansion) trouble() {
	w := e.w
	limits := [troubles]int{
		forgets: w.scope.Forgets, restarts: w.scope.Restarts, loses: w.scope.Losses,
		takes: len(w.scope.Seconds), retires: w.scope.Retires, ages: w.scope.Turns, leaps: w.scope.Leaps,
	}
	used := w.rests.values[e.from[w.width-1]].troubles
	for t := range troubles {
		if int(used[t]) >= limits[t] {
			continue
		}
		for s := range w.nserver {
			if w.slotOf[s] >= w.scope.Victims && t != ages && t != leaps {
				continue
			}
			next, ok := w.troubled(e.from[s], t)
			if !ok {
				continue
			}
			e.reset()
			e.to[s] = next
			e.to[w.width-1] = w.rests.id(w.rests.values[e.from[w.width-1]].with(t))
			e.emit(step{kind: stepTrouble, server: int8(s), arg: int32(t)}, judgeNodes, none)
		}
	}
}

// catchUp brings a node's view up to that of another one, entry by entry, as
// any client may that knows both.
func (e *expansion) catchUp() {
	w := e.w
	for s := range w.nserver {
		for o := range w.nserver {
			a, b := &w.servers.values[e.from[s]], &w.servers.values[e.from[o]]
			if !a.admitted || !b.admitted || a.config == b.config {
				continue
			}
			next := w.caughtUp(e.from[s], b.config)
			e.reset()
			e.to[s] = next
			e.emit(step{kind: stepCatchUp, server: int8(s), arg: int32(o)}, judgeNodes, none)
		}
	}
}

// caughtUp is the server after a CatchUp by a client that knows a configuration.
func (w *world) caughtUp(id, config uint32) uint32 {
	key := uint64(id)<<32 | uint64(config)
	if v, ok := w.caughtUps.get(key); ok {
		return uint32(v)
	}
	s := w.servers.values[id]
	next := id
	ours, err := quorum.ParseConfig(w.configs.values[config])
	theirs, err2 := quorum.ParseConfig(s.cfg)
	if err == nil && err2 == nil && ours.Static == theirs.Static {
		s.state = s.state.Clone()
		m := quorum.NewCatchUp(w.p, w.slotOf[s.slot], ours, theirs)
		w.out.Reset()
		m.Start(now, &w.out)
		nonce := s.state.Record(prefix).Nonce
		for _, c := range w.out.Calls {
			sc := w.scriptCall(callKey{c, 0}, &s)
			s.state.Apply(&sc, s.now())
		}
		if s.state.Record(prefix).Nonce != nonce {
			s.draws++
		}
		next = w.addServer(s)
	}
	w.caughtUps.put(key, uint64(next))
	return next
}
