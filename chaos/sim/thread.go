package sim

import (
	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// thread is a client's thread of control: what the live client's methods do, in
// a routine. It does one thing at a time, under process numbers of its own.
// Its methods that wait return alive = false where the routine must end.
type thread struct {
	*client
	routine *routine
	process linearizability.Process
	foreign bool

	place uint64 // the number under which it stands in line
	told  bool   // of its turn
}

func (c *client) thread(of *routine, foreign bool) *thread {
	return &thread{client: c, routine: of, process: c.run.process(), foreign: foreign}
}

// line writes one line of the thread's.
func (t *thread) line(kind linearizability.Type, f linearizability.F, l *lock) *linearizability.Event {
	e := t.run.line(t.process, kind, f, l.name)
	e.Value.Client = t.name
	if kind == linearizability.Info {
		t.process = t.run.process()
	}
	return e
}

// about is line with the hold that it is about.
func (t *thread) about(kind linearizability.Type, f linearizability.F, a *attempt) *linearizability.Event {
	e := t.line(kind, f, a.lock)
	e.Value.Hold, e.Value.Token = a.name, a.token
	return e
}

// want says how a lock is wanted.
type want struct {
	lock    *lock
	once    bool
	within  int64 // ns on the client's clock
	noRenew bool
	noHint  bool
	key     stream
	stops   bool // the end of the run ends the wait
}

// acquire gets a lock. It returns nil where it could not.
func (t *thread) acquire(w want) (got *attempt, alive bool) {
	r := t.run
	t.line(linearizability.Invoke, linearizability.Acquire, w.lock)
	began, until := r.now, int64(t.now())+w.within
	a, why, alive := t.attempts(&w, until)
	if !alive {
		return nil, false
	}
	if a == nil {
		t.line(linearizability.Fail, linearizability.Acquire, w.lock).Error = reasons[why]
		return nil, true
	}
	t.holds++
	a.name = r.label(t.client, t.holds, true)
	e := t.about(linearizability.OK, linearizability.Acquire, a)
	e.Value.ID = a.id
	e.Value.ValidUntil = r.promise(a, a.outcome.Deadline)
	r.acquired(a, began)
	for i := range a.early {
		r.extension(a, &a.early[i])
	}
	if a.lost {
		r.recordLoss(a)
	}
	return a, true
}

// attempts makes attempts until one succeeds, the time is up, or nothing helps.
func (t *thread) attempts(w *want, until int64) (got *attempt, why quorum.Reason, alive bool) {
	r := t.run
	if w.within <= 0 {
		return nil, quorum.Cancelled, true
	}
	options := quorum.WaiterOptions{Poll: r.plan.Poll.D(), Once: w.once, RecoverByClock: r.sim.Recover}
	t.queueing(w, &options)
	defer t.dequeueing()
	waiter := quorum.NewWaiter(r.p, options)
	ended := func() bool { return int64(t.now()) >= until || w.stops && r.stopping }
	for n := uint64(0); ; n++ {
		key := w.key.sub(n)
		a, why, alive := t.attempt(w, &waiter, key, until, ended)
		if !alive {
			return nil, why, false
		}
		if a != nil && a.outcome.Kind == quorum.Won {
			a.waited = n > 0
			return a, quorum.NoReason, true
		}
		again := !ended() && waiter.Again(why)
		if again {
			var h *quorum.Hold
			if a != nil && !t.foreign {
				h = &a.hold
			}
			waiter.Refused(t.now(), h, key.at(0))
			if why == quorum.Held && !t.foreign {
				t.rivals[w.lock.index].Meet(t.now())
			}
			if !t.rest(&waiter, until, ended) {
				return nil, why, false
			}
			again = !ended()
		}
		if a != nil {
			if !again {
				t.leaveLine(a)
			}
			t.leave(a)
		}
		if !again {
			return nil, why, true
		}
	}
}

// attempt makes one attempt under the configuration known now, and learns it
// first. The attempt is nil where it did not come to one.
func (t *thread) attempt(w *want, waiter *quorum.Waiter, key stream, until int64, ended func() bool) (a *attempt, why quorum.Reason, alive bool) {
	r, c := t.run, t.client
	if t.foreign {
		a = r.startForeign(c, w.lock, key, t.routine)
	} else {
		cfg, why, alive := t.config(until, ended)
		if cfg == "" {
			return nil, why, alive
		}
		a = r.newAttempt(c, w.lock, key, jobHold)
		a.waiter = t.routine
		q := quorum.Request{ID: a.id, Cfg: cfg, TTL: r.plan.TTL.D(), Auto: !w.noRenew, Untimed: c.untimed()}
		if !w.noHint {
			q.Hint = c.hints.Next(c.wall.read(r.now) / 1000)
		}
		waiter.Ask(c.attendance.Keeper(w.lock.name, r.names), &q)
		a.hold = quorum.NewHold(r.p, q)
		a.task.machine = &a.hold
		out := r.effects()
		a.hold.Crowd(c.releasing)
		a.hold.Start(c.now(), out)
		r.after(a.task, out)
	}
	for !a.settled {
		if ended() {
			t.cancel(a)
			break
		}
		if !t.routine.pause(c, until) {
			return nil, why, false
		}
	}
	return a, a.outcome.Reason, true
}

// cancel ends an attempt whose caller has given up.
func (t *thread) cancel(a *attempt) {
	out := t.run.effects()
	if t.foreign {
		a.foreign.cancel(t.now(), out)
	} else {
		a.hold.Leave(t.now(), out)
		a.hold.Cancel(t.now(), out)
	}
	t.run.after(a.task, out)
}

// config is the configuration to attempt under; empty, with the reason, where
// it could not be learnt in time.
func (t *thread) config(until int64, ended func() bool) (cfg string, why quorum.Reason, alive bool) {
	r, c := t.run, t.client
	for {
		before := c.learnt
		tasks := r.tasks()
		cfg = c.members.Ask(tasks)
		r.begin(c, tasks)
		if cfg != "" {
			return cfg, quorum.NoReason, true
		}
		for c.learnt == before {
			if ended() {
				return "", quorum.NoQuorum, true
			}
			c.learners = append(c.learners, t.routine)
			if !t.routine.pause(c, until) {
				return "", quorum.NoQuorum, false
			}
		}
		if c.why != quorum.NoReason {
			return "", c.why, true
		}
	}
}

// untimed has a bit for each node on whose clock the client cannot rely.
func (c *client) untimed() (bits uint16) {
	for i := range c.run.p.N {
		if !c.nodes[i].Reliable(c.now(), c.run.p) {
			bits |= 1 << i
		}
	}
	return bits
}

// leave lets go of an attempt: from now on it is cleaned up by itself.
func (t *thread) leave(a *attempt) {
	a.detached, a.waiter = true, nil
	t.run.retire(a.task)
}

// release gives a hold back and lets go of it.
func (t *thread) release(a *attempt) (alive bool) {
	r := t.run
	t.about(linearizability.Invoke, linearizability.Release, a)
	if a.waited {
		t.rivals[a.lock.index].Meet(t.now())
	}
	r.unclaim(a)
	out := r.effects()
	held := false
	if t.foreign {
		held = a.foreign.unlock(t.now(), out)
	} else {
		a.hold.Crowd(t.releasing)
		held = a.hold.Unlock(t.now(), out)
	}
	if held {
		a.released = true
		a.cleans()
	}
	r.after(a.task, out)
	kind, text := linearizability.Info, reasons[quorum.Released]
	if !held && a.lost {
		kind, text = linearizability.Fail, reasons[quorum.Expired]
	}
	if held {
		until := int64(t.now()) + 10*int64(r.p.NodeDeadline)
		for a.told.Kind == 0 && int64(t.now()) < until {
			if !t.routine.pause(t.client, until) {
				return false
			}
		}
		switch {
		case a.told.Kind == quorum.Unlocked:
			kind, text = linearizability.OK, ""
		case a.told.Kind == quorum.UnlockFailed && a.told.Reason == quorum.Expired:
			kind, text = linearizability.Fail, reasons[quorum.Expired]
		default:
			text = reasons[quorum.Unknown]
		}
	}
	t.about(kind, linearizability.Release, a).Error = text
	r.succeeded(linearizability.Release, kind)
	t.leave(a)
	return true
}

// extend prolongs a hold to ttl from now.
func (t *thread) extend(a *attempt, ttl scenario.Duration) (alive bool) {
	r := t.run
	t.about(linearizability.Invoke, linearizability.Extend, a)
	out := r.effects()
	round := uint32(0)
	if !t.foreign {
		round = a.hold.Extend(t.now(), ttl.D(), out)
	}
	a.round, a.roundEnd = round, quorum.Event{}
	r.after(a.task, out)
	kind, text := linearizability.Info, reasons[quorum.Released]
	if a.lost {
		kind, text = linearizability.Fail, reasons[quorum.Expired]
	}
	var until *int64
	if round != 0 {
		limit := int64(t.now()) + 4*int64(r.p.NodeDeadline)
		for a.roundEnd.Kind == 0 && int64(t.now()) < limit {
			if !t.routine.pause(t.client, limit) {
				return false
			}
		}
		switch a.roundEnd.Kind {
		case quorum.Extended:
			kind, text = linearizability.OK, ""
			until = r.promise(a, a.roundEnd.Deadline)
		case quorum.ExtendFailed:
			kind, text = extendOutcome(a.roundEnd.Reason), reasons[a.roundEnd.Reason]
		default:
			kind, text = linearizability.Info, reasons[quorum.Unknown]
		}
	}
	a.round = 0
	e := t.about(kind, linearizability.Extend, a)
	e.Value.ValidUntil, e.Error = until, text
	r.succeeded(linearizability.Extend, kind)
	return true
}

// touch does one operation on a guarded resource, which takes no time. n is
// what a write sends; the result is what a read returned.
func (t *thread) touch(f linearizability.F, which linearizability.Resource, a *attempt, n int64) (int64, bool) {
	r := t.run
	e := t.about(linearizability.Invoke, f, a)
	e.Value.Resource = which
	if f == linearizability.Write {
		e.Value.N = r.number(n)
	}
	counter := &a.lock.unfenced
	accepted := &yes
	if which == linearizability.Fenced {
		counter = &a.lock.fenced
		if err := r.guard.Stamp(a.lock.name, fencing.Token(a.token)); err != nil {
			accepted = &no
			r.refused++
		}
	}
	e = t.about(linearizability.OK, f, a)
	e.Value.Resource, e.Value.Accepted = which, accepted
	if *accepted {
		switch f {
		case linearizability.Read:
			n = *counter
		case linearizability.Write:
			*counter = n
		}
	}
	if f == linearizability.Write || f == linearizability.Read && *accepted {
		e.Value.N = r.number(n)
	}
	if *accepted {
		r.succeeded(f, linearizability.OK)
	}
	return n, *accepted
}

var yes, no = true, false

// work is a piece of work on both resources of a lock: read now, write later.
type work struct {
	fenced, unfenced int64
	ok               bool // the fenced one was read
}

// begin stamps and reads. A client without token has no access to what is fenced.
func (t *thread) beginWork(a *attempt) (w work) {
	if !t.foreign {
		if _, ok := t.touch(linearizability.Stamp, linearizability.Fenced, a, 0); ok {
			w.fenced, w.ok = t.touch(linearizability.Read, linearizability.Fenced, a, 0)
		}
	}
	w.unfenced, _ = t.touch(linearizability.Read, linearizability.Unfenced, a, 0)
	return w
}

// finishWork writes one more than was read.
func (t *thread) finishWork(a *attempt, w work) {
	if w.ok {
		t.touch(linearizability.Write, linearizability.Fenced, a, w.fenced+1)
	}
	t.touch(linearizability.Write, linearizability.Unfenced, a, w.unfenced+1)
}
