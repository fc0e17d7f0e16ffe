package chaos

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/redlock"
)

// worker acquires, works and releases until it is told to stop.
type worker struct {
	*thread
	plan   scenario.Worker
	keys   []scenario.Key
	ttl    time.Duration
	nd     time.Duration
	rand   *rand.Rand
	calm   <-chan struct{} // closed when the faulted part is over: no more carelessness
	served func()          // called after each successful acquire
	owed   map[string]bool // keys whose last acquire failed
}

// run works until ctx ends; a hold that is under way is finished first. Then it
// acquires once more what it failed to get, for at most patience each: only a
// wait that came to its end shows that waiters are served.
func (w *worker) run(ctx context.Context, patience time.Duration) {
	w.rand = rand.New(rand.NewPCG(w.plan.Seed, 1))
	w.owed = map[string]bool{}
	defer w.settle(patience)
	for ctx.Err() == nil {
		w.turn(ctx)
		w.sleep(ctx, w.draw(w.plan.Think))
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
func (w *worker) turn(ctx context.Context) {
	key := w.keys[w.rand.IntN(len(w.keys))]
	careless := w.chance(w.plan.Careless) && !w.isCalm()
	m, err := w.lock.Mutex(key.Name, w.options(key, w.chance(w.plan.NoRenew) || careless)...)
	if err != nil {
		w.board.fail(err)
		w.sleep(ctx, time.Second)
		return
	}
	get, limit := m.Lock, w.plan.LockTimeout.D()
	switch {
	case w.chance(w.plan.Cancel):
		limit = w.draw(w.plan.CancelAfter)
	case w.chance(w.plan.Try):
		get = m.TryLock
	}
	actx, cancel := context.WithTimeout(ctx, limit)
	h, err := w.acquire(actx, key.Name, get)
	cancel()
	w.owed[key.Name] = err != nil
	if err != nil {
		return
	}
	w.served()
	w.work(h, careless)
}

// work does what the lock is held for, and releases it. The run's context does
// not cut it short: the hold times are short, and a stop must leave no lock.
func (w *worker) work(h *hold, careless bool) {
	j := w.begin(h)
	if careless {
		// A long pause, such as a collector or a hypervisor makes, and no look
		// at the lease afterwards: the fence is all that stands in the way.
		<-h.lease.Context().Done()
		w.sleep(context.Background(), time.Duration(w.rand.Int64N(int64(w.ttl/4))))
		w.finish(h, j)
		w.giveBack(h)
		return
	}
	length := w.length()
	w.sleep(h.lease.Context(), length/2)
	if w.chance(w.plan.Extend) {
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

func (w *worker) chance(p float64) bool { return w.rand.Float64() < p }

func (w *worker) draw(b scenario.Band) time.Duration {
	return b.Min.D() + time.Duration(w.rand.Int64N(int64(b.Max-b.Min)+1))
}

// length draws how long to hold, one band by weight first.
func (w *worker) length() time.Duration {
	total := 0
	for _, b := range w.plan.Holds {
		total += b.Weight
	}
	at := w.rand.IntN(total)
	for _, b := range w.plan.Holds {
		if at -= b.Weight; at < 0 {
			return w.draw(b)
		}
	}
	return 0
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
