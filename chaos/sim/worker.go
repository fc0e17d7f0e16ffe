package sim

import (
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// worker acquires, works and releases until the run stops or its list ends.
type worker struct {
	*thread
	index  int
	turns  *scenario.Turns
	owed   []bool // per lock: the last acquire failed
	served int64  // true time of the last acquire
	active bool
	begun  []time.Duration // when it began its operations
}

// startWorker lets the i-th worker of the plan work.
func (r *run) startWorker(i int) {
	w := &worker{index: i, turns: r.plan.Turns(i), owed: make([]bool, len(r.keys)), active: true}
	plan := &r.plan.Workers[i]
	c := r.clientNamed(plan.Client)
	r.workers = append(r.workers, w)
	r.start(c, r.key.named("worker").sub(uint64(i)), func(of *routine) {
		w.thread = c.thread(of, plan.Foreign)
		if w.work() {
			w.settle()
		}
		w.active = false
		r.left()
	})
}

// work does turns until the run stops.
func (w *worker) work() (alive bool) {
	r := w.run
	stopping := func() bool { return r.stopping }
	for !r.stopping {
		op, ok := w.turns.Next()
		if !ok {
			return true
		}
		if !w.wait(int64(op.At)) {
			return false
		}
		if r.stopping {
			return true
		}
		w.begun = append(w.begun, time.Duration(r.now))
		if !w.turn(&op) || !w.routine.sleep(w.client, int64(op.Rest), stopping) {
			return false
		}
	}
	return true
}

// wait lets true time pass until at, unless the run stops before.
func (w *worker) wait(at int64) (alive bool) {
	for r := w.run; r.now < at && !r.stopping; {
		// By its own clock: while the client is frozen, it begins nothing.
		if !w.routine.pause(w.client, w.clock.read(at)) {
			return false
		}
	}
	return true
}

// settle acquires the locks that the worker is still owed: only a wait that
// came to its end shows that waiters are served.
func (w *worker) settle() {
	r := w.run
	for i := range w.owed {
		if !w.owed[i] {
			continue
		}
		a, alive := w.acquire(want{lock: r.keys[i], within: r.patience, noHint: r.keys[i].noHint, key: w.routine.key.sub(uint64(i) + 1<<32)})
		if !alive || a != nil && !w.release(a) {
			return
		}
	}
}

// turn is one acquire and what follows.
func (w *worker) turn(op *scenario.Op) (alive bool) {
	r := w.run
	l := r.lockNamed(op.Key)
	careless := op.Careless && !r.calm
	a, alive := w.acquire(want{
		lock: l, once: op.Do == scenario.Try, within: int64(op.Within), noRenew: op.NoRenew || careless,
		noHint: l.noHint, key: stream(mix(op.Seed)), stops: true,
	})
	if !alive {
		return false
	}
	w.owed[l.index] = a == nil
	if a == nil {
		return true
	}
	w.served = r.now
	return w.hold(a, op, careless)
}

// hold does what the lock is held for, and releases it.
func (w *worker) hold(a *attempt, op *scenario.Op, careless bool) (alive bool) {
	j := w.beginWork(a)
	over := func() bool { return a.lost }
	if careless {
		// A long pause, such as a collector or a hypervisor makes, and no look
		// at the lease afterwards: the fence is all that stands in the way.
		for !a.lost {
			if !w.routine.pause(w.client, never) {
				return false
			}
		}
		if !w.routine.sleep(w.client, int64(op.Late), func() bool { return false }) {
			return false
		}
		w.finishWork(a, j)
		return w.release(a)
	}
	if !w.routine.sleep(w.client, int64(op.Hold/2), over) {
		return false
	}
	if op.Extend && !w.extend(a, w.run.plan.TTL) {
		return false
	}
	if !w.routine.sleep(w.client, int64(op.Hold-op.Hold/2), over) {
		return false
	}
	if a.valid() {
		w.finishWork(a, j)
	}
	return w.release(a)
}
