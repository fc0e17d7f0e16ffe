// Package redlock is a lock held on a majority of independent Redis primaries.
//
// A [Client] knows the nodes, a [Mutex] names a lock, and Lock returns a
// [Lease]: renewed by itself until Unlock, with a context that ends no later
// than the lease does, and with a fencing token that is greater than that of
// every earlier lease.
//
// # What it guarantees
//
// As long as the relative rates of the clocks stay within Config.Drift, no two
// leases of one lock are valid at once, and a lease's context ends before
// another client gets the lock. Whatever clocks and pauses do, tokens are
// unique and strictly increasing, so a resource that refuses tokens below the
// highest it has seen (package fencing) is written by one holder after the
// other. Nodes that lost their memory are kept from voting until they can do
// no harm. All of it assumes that nodes keep their memory otherwise, evict
// nothing and are not tampered with.
//
// # What it does not
//
// Without a fence, a holder that was paused can write after its lease ended:
// no lock can prevent that. As a rule, waiters are served in the order in which
// they came, but not where nodes fail or TryLock and other libraries' clients
// cut in. If fewer than a majority of nodes may vote, nothing can be locked.
//
// The package deliberately imports no metrics, no container tooling and no
// test harness; of a Redis client only redigo.
package redlock

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// Client locks on one cluster of nodes. Make it with New and Close it. All
// methods may be called from many goroutines at once.
type Client struct {
	cfg       Config
	params    quorum.Params
	clock     Clock
	nodes     []*node // sorted by name
	names     []string
	scheduler *scheduler
	members   *members
	lines     *lines
	tasks     sync.WaitGroup // goroutines of background

	releasing atomic.Int64 // leases and attempts that send RELEASE

	closing chan struct{} // closed when Close begins
	mu      sync.Mutex    // guards what follows
	hints   quorum.Hints
	closed  bool
	leases  map[*Lease]struct{}
	drained chan struct{} // Close waits: closed once leases is empty
}

// New checks cfg and returns a client for it. It does not wait for the nodes:
// what is wrong with them is told by the first operation. An error is a
// *ConfigError; drivers that were given are then left open.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg:       cfg,
		clock:     cfg.Clock,
		params:    quorum.Params{N: len(cfg.Nodes), NodeDeadline: cfg.NodeDeadline, MaxTTL: cfg.MaxTTL, Drift: quorum.PPM(cfg.Drift)},
		scheduler: &scheduler{clock: cfg.Clock},
		closing:   make(chan struct{}),
		leases:    make(map[*Lease]struct{}),
	}
	c.scheduler.busy = c.busy
	if err := c.openNodes(); err != nil {
		for _, n := range c.nodes {
			if n.own {
				n.driver.Close()
			}
		}
		return nil, err
	}
	c.members = newMembers(c)
	c.lines = newLines(c)
	return c, nil
}

// Close releases what the client still holds, waits up to two node deadlines
// for the nodes to confirm, and ends every goroutine and connection. Operations
// under way return ErrClosed. Close may be called more than once.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	c.lines.close()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	close(c.closing)
	leases := make([]*Lease, 0, len(c.leases))
	for l := range c.leases {
		leases = append(leases, l)
	}
	c.drained = make(chan struct{})
	if len(leases) == 0 {
		close(c.drained)
	}
	c.mu.Unlock()

	for _, l := range leases {
		l.abandon()
	}
	patience := make(chan struct{})
	stop := c.clock.AfterFunc(2*c.cfg.NodeDeadline, func() { close(patience) })
	select {
	case <-c.drained:
	case <-patience:
	}
	stop()
	c.scheduler.close()
	c.tasks.Wait()
	return c.closeNodes()
}

// abandon ends an attempt or a lease because the client closes.
func (l *Lease) abandon() {
	l.task.step(func(now quorum.Time, out *quorum.Effects) {
		l.hold.Leave(now, out)
		l.hold.Cancel(now, out)
		if l.hold.Phase() == quorum.Holding {
			l.observe(Event{Kind: EventRelease})
		}
		if l.hold.Unlock(now, out) {
			l.cleans()
		}
		l.cancel(ErrClosed)
	})
}

// keepLease makes Close wait for the lease; it fails once Close has begun.
func (c *Client) keepLease(l *Lease) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.leases[l] = struct{}{}
	return true
}

// leave leaves the line after an attempt that failed.
func (l *Lease) leave() {
	c := l.client
	l.task.step(func(now quorum.Time, out *quorum.Effects) {
		over := l.hold.Phase() == quorum.Done
		if l.hold.Leave(now, out) && over && c.keepLease(l) {
			l.cleans() // once more, until the node has answered
		}
	})
}

func (c *Client) dropLease(l *Lease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.leases[l]; !ok {
		return
	}
	delete(c.leases, l)
	if l.cleaning {
		c.releasing.Add(-1)
	}
	if c.closed && len(c.leases) == 0 {
		close(c.drained)
	}
}

// keep is the fences' retention: at least ten times MaxTTL, so that no running
// hold's fence is ever dropped.
func (c *Client) keep() time.Duration { return max(c.cfg.FenceRetention, 10*c.cfg.MaxTTL) }

// newID draws an attempt's id: 15 random bytes as 20 characters.
func (c *Client) newID() string {
	var b [15]byte
	var id [20]byte
	rand.Read(b[:]) // never fails, says its documentation
	base64.RawURLEncoding.Encode(id[:], b[:])
	return string(id[:])
}

// random draws a number for jitter.
func random() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

// hint is the token that a new attempt aims at; 0 for none.
func (c *Client) hint(off bool) uint64 {
	if off {
		return 0
	}
	wall := time.Now()
	if w, ok := c.clock.(WallClock); ok {
		wall = w.Wall()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hints.Next(wall.UnixMicro())
}

// sawToken notes the token that an event tells, if it does.
func (c *Client) sawToken(e quorum.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hints.Note(e)
}

// closedError is what operations on a closed client return.
func closedError(op, name string) error { return &Error{Op: op, Name: name, Kind: ErrClosed} }

// Option changes what one mutex does.
type Option func(*Mutex)

// TTL sets the ttl of the mutex's leases in place of Config.TTL.
func TTL(d time.Duration) Option { return func(m *Mutex) { m.ttl = d } }

// NoRenew turns automatic renewal off: the lease ends after its ttl unless
// Extend is called.
func NoRenew() Option { return func(m *Mutex) { m.noRenew = true } }

// NoHint is Config.NoHint for one mutex.
func NoHint() Option { return func(m *Mutex) { m.noHint = true } }

// Mutex names a lock. It holds no state of its own: it is immutable, may be
// shared, and each Lock is independent.
type Mutex struct {
	client  *Client
	name    string
	names   []string
	ttl     time.Duration
	noRenew bool
	noHint  bool
}

// Mutex returns the lock of that name. An error is a *ConfigError.
func (c *Client) Mutex(name string, opts ...Option) (*Mutex, error) {
	m := &Mutex{client: c, name: name, names: []string{name}, ttl: c.cfg.TTL, noHint: c.cfg.NoHint}
	for _, o := range opts {
		o(m)
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := checkTTL("TTL", m.ttl, c.cfg); err != nil {
		return nil, err
	}
	return m, nil
}

// Name returns the lock's name.
func (m *Mutex) Name() string { return m.name }

// Lock waits until it holds the lock or ctx ends, and returns the lease. The
// lease does not depend on ctx afterwards.
//
// An error is an *Error whose kind is that of the last attempt, ErrHeld as a
// rule, with ctx's error joined. What waiting cannot help ends it at once:
// ErrConfigDiffers, ErrSameServer, ErrForeignKey, ErrNotPrimary,
// ErrOperatorNeeded, ErrClosed.
func (m *Mutex) Lock(ctx context.Context) (*Lease, error) { return m.lock(ctx, "lock", false) }

// TryLock makes one attempt. It takes one node deadline at most, two where
// grants differed, and two more where the cluster is not known yet. The error
// is an *Error, as with Lock; errors.Is(err, ErrHeld) is the usual one.
func (m *Mutex) TryLock(ctx context.Context) (*Lease, error) { return m.lock(ctx, "trylock", true) }

// lock makes attempts until one succeeds, ctx ends, or nothing can help.
func (m *Mutex) lock(ctx context.Context, op string, once bool) (*Lease, error) {
	c := m.client
	if err := ctx.Err(); err != nil {
		return nil, &Error{Op: op, Name: m.name, Kind: ErrNoQuorum, Cause: err}
	}
	waiter, number := c.lines.waiter(m.name, once)
	defer c.lines.leave(number)
	var last error           // why the lock could not be had, before the context ended
	var turn <-chan struct{} // once it stands in line, it may be told whatever came of the next attempts
	for waited := false; ; waited = true {
		lease, why, err := m.attempt(ctx, op, &waiter)
		if err == nil {
			lease.waited = waited
			return lease, nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if ctx.Err() != nil || !c.running() || !waiter.Again(why) {
			return nil, m.giveUp(ctx, op, lease, last)
		}
		c.refused(&waiter, lease)
		if why == quorum.Held {
			c.lines.meet(m.name)
			turn = c.lines.wait(number, lease)
		}
		if !c.sleep(ctx, &waiter, turn) {
			return nil, m.giveUp(ctx, op, lease, last)
		}
	}
}

// refused tells the waiter of an attempt that failed; l is nil where there was
// none.
func (c *Client) refused(w *quorum.Waiter, l *Lease) {
	if l == nil {
		w.Refused(quorum.Time(c.clock.Now()), nil, random())
		return
	}
	l.task.mu.Lock()
	defer l.task.mu.Unlock()
	w.Refused(quorum.Time(c.clock.Now()), &l.hold, random())
}

// giveUp leaves the line and joins to the last attempt's error what ended the
// waiting. l is nil where there was no attempt.
func (m *Mutex) giveUp(ctx context.Context, op string, l *Lease, err error) error {
	if l != nil {
		l.leave()
	}
	select {
	case <-m.client.closing:
		return closedError(op, m.name)
	default:
	}
	var e *Error
	if errors.As(err, &e) {
		joined := *e
		joined.Op = op
		if ctx.Err() != nil {
			joined.Cause = ctx.Err()
		}
		return &joined
	}
	return err
}

// attempt makes one attempt under the configuration known now. It returns the
// lease also when it failed, if there was an attempt at all, and the reason.
func (m *Mutex) attempt(ctx context.Context, op string, w *quorum.Waiter) (*Lease, quorum.Reason, error) {
	c := m.client
	cfg, why, err := c.members.config(ctx, op, m.name)
	if err != nil {
		return nil, why, err
	}
	l := m.newLease(ctx, cfg, w)
	if !c.keepLease(l) {
		return nil, quorum.NoReason, closedError(op, m.name)
	}
	started := false
	l.task.step(func(now quorum.Time, out *quorum.Effects) {
		if started = c.running(); !started {
			return // Close has seen the lease before there was anything to end
		}
		l.observe(Event{Kind: EventAttempt})
		l.hold.Crowd(int(c.releasing.Load()))
		l.hold.Start(now, out)
	})
	if !started {
		c.dropLease(l)
		return nil, quorum.NoReason, closedError(op, m.name)
	}
	select {
	case <-l.news: // also when the client closes, which cancels the attempt
	case <-ctx.Done():
		l.task.step(func(now quorum.Time, out *quorum.Effects) {
			l.hold.Leave(now, out)
			l.hold.Cancel(now, out)
		})
		<-l.news
	}
	if l.outcome.Kind == quorum.Won {
		return l, quorum.NoReason, nil
	}
	l.task.mu.Lock()
	defer l.task.mu.Unlock()
	return l, l.outcome.Reason, l.failure(op, l.outcome.Reason, nil)
}
