package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock"
)

// client is one client of the lock, with everything that it does recorded.
type client struct {
	name  string
	rec   *recorder
	trace *trace
	lock  *redlock.Client
	res   *resources
	board *board
}

// thread is a client's thread of control. It does one thing at a time, under
// process numbers of its own.
type thread struct {
	*client
	process linearizability.Process
}

func (c *client) thread() *thread { return &thread{client: c, process: c.rec.process()} }

// hold is an acquired lease.
type hold struct {
	lease *redlock.Lease
	name  string
	key   string
	owner string // the client's name
}

// value is what the history's lines about a hold carry.
func (t *thread) value(h *hold) linearizability.Value {
	return linearizability.Value{Client: t.name, Hold: h.name, Token: linearizability.Token(h.lease.Token())}
}

// record writes one line of the thread's.
func (t *thread) record(at int64, kind linearizability.Type, f linearizability.F, key string, v linearizability.Value, err error) {
	t.rec.add(linearizability.Event{Time: at, Process: t.process, Type: kind, F: f, Key: key, Value: v, Error: text(err)})
	if kind == linearizability.Info {
		t.process = t.rec.process()
	}
}

// acquireFunc is Lock or TryLock.
type acquireFunc func(context.Context) (*redlock.Lease, error)

// acquire gets the lock of this key by the function given.
func (t *thread) acquire(ctx context.Context, key string, get acquireFunc) (*hold, error) {
	v := linearizability.Value{Client: t.name}
	t.record(t.rec.now(), linearizability.Invoke, linearizability.Acquire, key, v, nil)
	t.board.wait(key, +1)
	lease, err := get(ctx)
	t.board.wait(key, -1)
	now := t.rec.now()
	if err != nil {
		t.record(now, linearizability.Fail, linearizability.Acquire, key, v, err)
		return nil, err
	}
	known, ok := t.trace.acquired(lease.ID())
	if !ok {
		// Without its deadline the claim could not be judged; a lock that does
		// not tell its observer is the harness's failure to notice, not a hold
		// without end.
		err := fmt.Errorf("chaos: %s: lease %s was never announced to the observer", key, lease.ID())
		t.board.fail(err)
		t.record(now, linearizability.Fail, linearizability.Acquire, key, v, err)
		return nil, err
	}
	h := &hold{lease: lease, name: known.hold, key: key, owner: t.name}
	v.Hold, v.ID, v.Token, v.ValidUntil = known.hold, lease.ID(), linearizability.Token(lease.Token()), &known.deadline
	t.record(now, linearizability.OK, linearizability.Acquire, key, v, nil)
	t.board.acquired(key, t.name, h.name)
	t.watch(h)
	return h, nil
}

// watch records the loss of a hold at the time at which its holder is told:
// when the lease's context ends for another reason than the release.
func (t *thread) watch(h *hold) {
	ctx := h.lease.Context()
	context.AfterFunc(ctx, func() {
		now := t.rec.now()
		t.board.ended(h.key, h.name)
		if errors.Is(context.Cause(ctx), redlock.ErrReleased) {
			return
		}
		t.rec.add(linearizability.Event{
			Time: now, Process: linearizability.Observer, Type: linearizability.Info, F: linearizability.LostHold, Key: h.key,
			Value: linearizability.Value{Client: t.name, Hold: h.name},
		})
	})
}

// release gives the hold back.
func (t *thread) release(ctx context.Context, h *hold) error {
	t.record(t.rec.now(), linearizability.Invoke, linearizability.Release, h.key, t.value(h), nil)
	err := h.lease.Unlock(ctx)
	kind := linearizability.Info
	switch {
	case err == nil:
		kind = linearizability.OK
	case errors.Is(err, redlock.ErrExpired):
		kind = linearizability.Fail
	}
	t.record(t.rec.now(), kind, linearizability.Release, h.key, t.value(h), err)
	return err
}

// extend prolongs the hold to ttl from now.
func (t *thread) extend(ctx context.Context, h *hold, ttl time.Duration) error {
	t.record(t.rec.now(), linearizability.Invoke, linearizability.Extend, h.key, t.value(h), nil)
	err := h.lease.Extend(ctx, ttl)
	v, kind := t.value(h), linearizability.OK
	if err != nil {
		kind = extendOutcome(err)
	} else if known, ok := t.trace.acquired(h.lease.ID()); ok && known.extended != 0 {
		v.ValidUntil = &known.extended
	}
	t.record(t.rec.now(), kind, linearizability.Extend, h.key, v, err)
	return err
}

// touch does one operation on a guarded resource. n is what a write sends; the
// result is what a read returned.
func (t *thread) touch(f linearizability.F, which linearizability.Resource, h *hold, n int64) (int64, bool) {
	v := t.value(h)
	v.Resource = which
	if f == linearizability.Write {
		v.N = &n
	}
	t.record(t.rec.now(), linearizability.Invoke, f, h.key, v, nil)
	accepted, err := t.res.touch(which, h.key, h.lease.Token(), func(counter *int64) {
		switch f {
		case linearizability.Read:
			n = *counter
		case linearizability.Write:
			*counter = n
		}
	})
	v.Accepted = &accepted
	if f == linearizability.Read && accepted {
		v.N = &n
	}
	kind := linearizability.OK
	if err != nil {
		kind = linearizability.Fail
	}
	t.record(t.rec.now(), kind, f, h.key, v, err)
	return n, accepted
}

// job is a piece of work on both resources of a lock: read now, write later.
type job struct {
	fenced, unfenced int64
	ok               bool // the fenced one was read
}

// begin stamps and reads.
func (t *thread) begin(h *hold) job {
	var j job
	if _, ok := t.touch(linearizability.Stamp, linearizability.Fenced, h, 0); ok {
		j.fenced, j.ok = t.touch(linearizability.Read, linearizability.Fenced, h, 0)
	}
	j.unfenced, _ = t.touch(linearizability.Read, linearizability.Unfenced, h, 0)
	return j
}

// finish writes one more than was read.
func (t *thread) finish(h *hold, j job) {
	if j.ok {
		t.touch(linearizability.Write, linearizability.Fenced, h, j.fenced+1)
	}
	t.touch(linearizability.Write, linearizability.Unfenced, h, j.unfenced+1)
}

// board is what the progress line and the end of the run look at.
type board struct {
	mu       sync.Mutex           // guards all below
	holders  map[string][2]string // key → client, hold
	waiting  map[string]int
	total    int
	failures []error
}

func newBoard() *board {
	return &board{holders: map[string][2]string{}, waiting: map[string]int{}}
}

func (b *board) wait(key string, by int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting[key] += by
}

func (b *board) acquired(key, client, hold string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total++
	b.holders[key] = [2]string{client, hold}
}

func (b *board) ended(key, hold string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holders[key][1] == hold {
		delete(b.holders, key)
	}
}

// fail notes a failure of the harness itself.
func (b *board) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = append(b.failures, err)
}

// failed returns what went wrong with the harness so far.
func (b *board) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.failures...)
}
