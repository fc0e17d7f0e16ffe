package redlock

import (
	"context"
	"errors"
	"time"

	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// Lease is one hold of a lock, from Lock to Unlock or loss. All methods may be
// called from many goroutines at once.
//
// A lease can be lost at any moment between two statements of its holder. Use
// Context to stop work early, and Token to let the resource refuse what comes
// too late all the same.
type Lease struct {
	client *Client
	name   string
	id     string
	task   task
	keeper int  // the node that keeps the lock's line, −1 for none
	waited bool // it was not had at once

	parent context.Context // lends the context its values

	// news is sent to when the attempt has ended, and again when a release has
	// been decided. It has room for both.
	news chan struct{}

	// guarded by task.mu
	hold      quorum.Hold
	outcome   quorum.Event            // Won or Failed, once the attempt has ended
	rounds    map[uint32]chan<- error // explicit extensions under way
	unlockErr error                   // what a decided release came to
	lost      error                   // why the lease was lost, else nil
	ctx       context.Context         // nil until somebody asks for it
	cancelCtx context.CancelCauseFunc
	cause     error // why ctx has ended, or will have when it is made
	cleaning  bool  // it counts among the client's releasing
}

// newLease prepares an attempt. ctx lends the lease's context its values and
// nothing else.
func (m *Mutex) newLease(ctx context.Context, cfg string, w *quorum.Waiter) *Lease {
	c := m.client
	l := &Lease{client: c, name: m.name, id: c.newID(), parent: ctx, news: make(chan struct{}, 2)}
	l.keeper = c.lines.keeper(m.name)
	r := quorum.Request{ID: l.id, Cfg: cfg, TTL: m.ttl, Hint: c.hint(m.noHint), Auto: !m.noRenew, Untimed: c.untimed()}
	w.Ask(l.keeper, &r)
	l.hold = quorum.NewHold(c.params, r)
	l.task.init(c, &l.hold, m.names, l)
	return l
}

// cancel ends the lease's context. task.mu is held.
func (l *Lease) cancel(cause error) {
	if l.cause == nil {
		l.cause = cause
	}
	if l.ctx != nil {
		l.cancelCtx(cause)
	}
}

// event takes what the hold tells. task.mu is held.
func (l *Lease) event(e quorum.Event) {
	c := l.client
	switch e.Kind {
	case quorum.Won:
		c.sawToken(e)
		l.outcome = e
		l.observe(Event{Kind: EventAcquired, Deadline: time.Duration(e.Deadline)})
		l.news <- struct{}{}
	case quorum.Failed:
		l.outcome = e
		l.cleans()
		l.observe(Event{Kind: EventAttemptFailed, Err: l.failure("lock", e.Reason, nil)})
		l.cancel(kindOf(e.Reason))
		c.members.note(quorum.FromHold, l, e, nil)
		l.news <- struct{}{}
	case quorum.Extending:
		l.observe(Event{Kind: EventExtend, Auto: e.Auto})
	case quorum.Extended:
		l.observe(Event{Kind: EventExtended, Auto: e.Auto, Deadline: time.Duration(e.Deadline)})
		l.endRound(e.Round, nil)
	case quorum.ExtendFailed:
		err := l.failure("extend", e.Reason, nil)
		l.observe(Event{Kind: EventExtendFailed, Auto: e.Auto, Err: err})
		l.endRound(e.Round, err)
	case quorum.Lost:
		l.cleans()
		l.lost = &Error{Op: "hold", Name: l.name, Kind: ErrLost, Cause: kindOf(e.Reason), Nodes: l.nodeErrors()}
		l.cancel(l.lost)
		l.observe(Event{Kind: EventLost, Err: l.lost})
	case quorum.Unlocked:
		l.observe(Event{Kind: EventReleased})
		l.news <- struct{}{}
	case quorum.UnlockFailed:
		l.unlockErr = l.failure("unlock", e.Reason, nil)
		l.observe(Event{Kind: EventReleaseFailed, Err: l.unlockErr})
		l.news <- struct{}{}
	case quorum.Over:
		l.observe(Event{Kind: EventCleaned})
		c.dropLease(l)
	default:
		c.lines.note(e)
		c.members.note(quorum.FromHold, l, e, nil)
	}
}

// cleans counts the lease among those that send RELEASE, until dropLease.
// task.mu is held.
func (l *Lease) cleans() {
	l.cleaning = true
	l.client.releasing.Add(1)
}

func (l *Lease) endRound(round uint32, err error) {
	if ch, ok := l.rounds[round]; ok {
		delete(l.rounds, round)
		ch <- err
	}
}

// observe completes an event and hands it to the observer.
func (l *Lease) observe(e Event) {
	if l.client.cfg.Observer == nil {
		return
	}
	e.At, e.Name, e.ID, e.Token = l.client.clock.Now(), l.name, l.id, fencing.Token(l.hold.Token())
	l.client.cfg.Observer.Observe(e)
}

// failure makes the error of an operation. task.mu is held.
func (l *Lease) failure(op string, why quorum.Reason, cause error) error {
	err := &Error{Op: op, Name: l.name, Kind: kindOf(why), Cause: cause, Nodes: l.nodeErrors()}
	if why == quorum.Quarantined {
		err.Until = l.client.members.quarantine()
	}
	return err
}

// nodeErrors tells what the nodes answered, as far as it is no grant.
func (l *Lease) nodeErrors() []*NodeError {
	var errs []*NodeError
	for i, n := range l.client.nodes {
		code, same, ok := l.hold.Answer(i)
		switch err := codeError(code, same); {
		case l.task.errs[i] != nil:
			errs = append(errs, &NodeError{n.name, l.task.errs[i]})
		case ok && err != nil:
			errs = append(errs, &NodeError{n.name, err})
		case !ok:
			errs = append(errs, &NodeError{n.name, errNoAnswer})
		}
	}
	return errs
}

// errNoAnswer is what is known of a node that has not answered in time.
var errNoAnswer = errors.New("no answer")

// codeError is what a script's code means for one node.
func codeError(code int, same bool) error {
	switch code {
	case quorum.Refused, quorum.Reserved:
		return ErrHeld
	case quorum.NotAdmitted:
		return ErrQuarantined
	case quorum.TTLTooLong:
		return ErrConfigDiffers
	case quorum.OtherConfig:
		if same {
			return ErrSameServer
		}
		return ErrConfigDiffers
	case quorum.Superseded:
		return ErrSuperseded
	case quorum.ForeignKey:
		return ErrForeignKey
	case quorum.TooLate:
		return errTooLate
	case quorum.OutOfRange:
		return errOutOfRange
	}
	return nil
}

var (
	errTooLate    = errors.New("request came too late by the node's clock")
	errOutOfRange = errors.New("the node's tokens are used up")
)

// kindOf is the kind of error that a reason makes.
func kindOf(r quorum.Reason) error {
	switch r {
	case quorum.Held:
		return ErrHeld
	case quorum.Quarantined:
		return ErrQuarantined
	case quorum.ConfigDiffers, quorum.TTLAboveMax, quorum.ClusterChanged, quorum.ViewChanged:
		return ErrConfigDiffers
	case quorum.SameServer:
		return ErrSameServer
	case quorum.Foreign:
		return ErrForeignKey
	case quorum.Expired:
		return ErrExpired
	case quorum.TokenSuperseded:
		return ErrSuperseded
	case quorum.Unknown, quorum.Replaced:
		return ErrUnknown
	case quorum.Released:
		return ErrReleased
	case quorum.NotPrimary:
		return ErrNotPrimary
	case quorum.NeedsOperator, quorum.Prepared, quorum.Changed:
		return ErrOperatorNeeded
	}
	return ErrNoQuorum
}

// Context ends when the lease is lost or released, never later than its
// deadline; context.Cause says why: ErrLost or ErrReleased. It carries the
// values of the context that was given to Lock, and not its cancellation.
func (l *Lease) Context() context.Context {
	l.task.mu.Lock()
	defer l.task.mu.Unlock()
	if l.ctx == nil {
		l.ctx, l.cancelCtx = context.WithCancelCause(context.WithoutCancel(l.parent))
		if l.cause != nil {
			l.cancelCtx(l.cause)
		}
	}
	return l.ctx
}

// ID is the value that stands at the lock's name on the nodes.
func (l *Lease) ID() string { return l.id }

// Token is the fencing token: greater than that of every earlier lease of the
// lock. Send it with every write.
func (l *Lease) Token() fencing.Token {
	l.task.mu.Lock()
	defer l.task.mu.Unlock()
	return fencing.Token(l.hold.Token())
}

// Deadline is until when the lease may be relied on. Renewals move it. It is
// computed from the client's clock at the moment of the call.
func (l *Lease) Deadline() time.Time {
	l.task.mu.Lock()
	defer l.task.mu.Unlock()
	left := time.Duration(l.hold.Deadline()) - l.client.clock.Now()
	return time.Now().Round(0).Add(left) // without the monotonic reading, which stands still in sleep
}

// Valid reads the clock and reports whether the lease is held right now. The
// answer may be outdated when the caller acts on it; only a fencing token
// closes that gap.
func (l *Lease) Valid() bool {
	l.task.mu.Lock()
	defer l.task.mu.Unlock()
	return l.hold.Phase() == quorum.Holding && quorum.Time(l.client.clock.Now()) < l.hold.Deadline().Add(-quorum.LossMargin)
}

// Nodes are the names of the nodes that are known to hold the lock for this
// lease. Fewer than all is usual; a majority suffices, and renewals fill in
// those that missed.
func (l *Lease) Nodes() []string {
	l.task.mu.Lock()
	defer l.task.mu.Unlock()
	var names []string
	for i, n := range l.client.nodes {
		if l.hold.Keeps(i) {
			names = append(names, n.name)
		}
	}
	return names
}

// Extend asks the nodes to let the lease live for ttl from now, and returns nil
// once a majority has agreed. Renewals go on with that ttl. A smaller ttl than
// before lowers the deadline at once; nodes never shorten.
//
// On an error the lease lives until its deadline: the kinds are ErrExpired,
// ErrReleased, ErrSuperseded, ErrNoQuorum, ErrUnknown (the context ended, or
// another Extend took this one's place), or a *ConfigError for a ttl out of
// bounds.
func (l *Lease) Extend(ctx context.Context, ttl time.Duration) error {
	if err := checkTTL("ttl", ttl, l.client.cfg); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return &Error{Op: "extend", Name: l.name, Kind: ErrUnknown, Cause: err}
	}
	result := make(chan error, 1)
	held := false
	l.task.step(func(now quorum.Time, out *quorum.Effects) {
		if round := l.hold.Extend(now, ttl, out); round != 0 {
			held = true
			if l.rounds == nil {
				l.rounds = make(map[uint32]chan<- error)
			}
			l.rounds[round] = result
		}
	})
	if !held {
		return l.ended("extend")
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select { // what is known counts, though the context has ended as well
	case err := <-result:
		return err
	default:
		return &Error{Op: "extend", Name: l.name, Kind: ErrUnknown, Cause: ctx.Err()}
	}
}

// ended is the error of an operation on a lease that is over.
func (l *Lease) ended(op string) error {
	l.task.mu.Lock()
	defer l.task.mu.Unlock()
	if l.lost != nil {
		return &Error{Op: op, Name: l.name, Kind: ErrExpired, Cause: l.lost}
	}
	return &Error{Op: op, Name: l.name, Kind: ErrReleased}
}

// Unlock releases the lease. It returns nil if and only if a majority of nodes
// deleted the key; otherwise the kind is ErrExpired (the lease was lost before,
// or no majority held it any longer), ErrReleased (it was released before) or
// ErrUnknown (too few nodes answered, or ctx ended first).
//
// Whatever it returns, renewal has stopped, and the release is sent on in the
// background, independent of ctx, until every node has answered or the ttl has
// passed.
func (l *Lease) Unlock(ctx context.Context) error {
	held := false
	l.task.step(func(now quorum.Time, out *quorum.Effects) {
		if l.hold.Phase() == quorum.Holding {
			l.observe(Event{Kind: EventRelease})
		}
		l.hold.Crowd(int(l.client.releasing.Load()))
		if held = l.hold.Unlock(now, out); held {
			l.cleans()
			l.cancel(ErrReleased)
		}
	})
	if l.waited {
		l.client.lines.meet(l.name) // before the next Lock of this client
	}
	if !held {
		return l.ended("unlock")
	}
	select {
	case <-l.news:
		return l.unlockResult()
	case <-ctx.Done():
	}
	select { // what is known counts, though the context has ended as well
	case <-l.news:
		return l.unlockResult()
	default:
		return &Error{Op: "unlock", Name: l.name, Kind: ErrUnknown, Cause: ctx.Err()}
	}
}

func (l *Lease) unlockResult() error {
	l.task.mu.Lock()
	defer l.task.mu.Unlock()
	return l.unlockErr
}
