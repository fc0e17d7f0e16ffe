package redlock

import (
	"context"
	"errors"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

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
