package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/redlock"
)

// worker acquires, works and releases until it is told to stop, or has come to
// the end of its list.
type worker struct {
	*thread
	turns  *scenario.Turns
	keys   []scenario.Key
	ttl    time.Duration
	nd     time.Duration
	calm   <-chan struct{} // closed when the faulted part is over: no more carelessness
	served func()          // called after each successful acquire
	owed   map[string]bool // keys whose last acquire failed
}

// run works until ctx ends; a hold that is under way is finished first. Then it
// acquires once more what it failed to get, for at most patience each: only a
// wait that came to its end shows that waiters are served.
func (w *worker) run(ctx context.Context, patience time.Duration) {
	w.owed = map[string]bool{}
	defer w.settle(patience)
	for ctx.Err() == nil {
		op, ok := w.turns.Next()
		if !ok {
			return
		}
		w.sleep(ctx, op.At.D()-sinceStart(w.rec))
		w.turn(ctx, op)
		w.sleep(ctx, op.Rest.D())
	}
}

// settle acquires the locks that the worker is still owed.
func (w *worker) settle(patience time.Duration) {
	for _, key := range w.keys {
		if !w.owed[key.Name] {
			continue
		}
		m, err := w.lock.Mutex(key.Name, w.options(key, false)...)
		if err != nil {
			w.board.fail(err)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if h, err := w.acquire(ctx, key.Name, m.Lock); err == nil {
			w.giveBack(h)
		}
		cancel()
	}
}

// options are the lock's, as the worker acquires it.
func (w *worker) options(key scenario.Key, noRenew bool) []redlock.Option {
	opts := []redlock.Option{redlock.TTL(w.ttl)}
	if key.NoHint {
		opts = append(opts, redlock.NoHint())
	}
	if noRenew {
		opts = append(opts, redlock.NoRenew())
	}
	return opts
}

// turn is one acquire and what follows.
func (w *worker) turn(ctx context.Context, op scenario.Op) {
	i := slices.IndexFunc(w.keys, func(k scenario.Key) bool { return k.Name == op.Key })
	if i < 0 {
		w.board.fail(fmt.Errorf("chaos: worker of %s: no key %q", w.name, op.Key))
		w.sleep(ctx, time.Second)
		return
	}
	op.Careless = op.Careless && !w.isCalm()
	m, err := w.lock.Mutex(op.Key, w.options(w.keys[i], op.NoRenew)...)
	if err != nil {
		w.board.fail(err)
		w.sleep(ctx, time.Second)
		return
	}
	get := m.Lock
	if op.Do == scenario.Try {
		get = m.TryLock
	}
	actx, cancel := context.WithTimeout(ctx, op.Within.D())
	h, err := w.acquire(actx, op.Key, get)
	cancel()
	w.owed[op.Key] = err != nil
	if err != nil {
		return
	}
	w.served()
	w.work(h, op)
}

// work does what the lock is held for, and releases it. The run's context does
// not cut it short: the hold times are short, and a stop must leave no lock.
func (w *worker) work(h *hold, op scenario.Op) {
	j := w.begin(h)
	if op.Careless {
		// A long pause, such as a collector or a hypervisor makes, and no look
		// at the lease afterwards: the fence is all that stands in the way.
		w.sleep(h.lease.Context(), 2*w.ttl) // a lock that does not tell must not stop the run
		w.sleep(context.Background(), op.Late.D())
		w.finish(h, j)
		w.giveBack(h)
		return
	}
	length := op.Hold.D()
	w.sleep(h.lease.Context(), length/2)
	if op.Extend {
		ctx, cancel := context.WithTimeout(context.Background(), 4*w.nd)
		w.extend(ctx, h, w.ttl)
		cancel()
	}
	w.sleep(h.lease.Context(), length-length/2)
	if h.lease.Valid() {
		w.finish(h, j)
	}
	w.giveBack(h)
}

func (w *worker) giveBack(h *hold) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*w.nd)
	defer cancel()
	w.release(ctx, h)
}

func (w *worker) isCalm() bool {
	select {
	case <-w.calm:
		return true
	default:
		return false
	}
}

// sleep lets d pass, or less if ctx ends.
func (t *thread) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
