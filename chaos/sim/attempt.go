package sim

import (
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// lock is one lock's name, and what the whole run knows of it.
type lock struct {
	index  int
	name   string
	names  []string // name alone, as calls carry it
	noHint bool

	top     uint64 // the largest token that was completed
	holders int    // claims that live
	since   int64  // when the last claim began
	ended   int64  // when the last claim ended

	fenced, unfenced int64 // the guarded counters
}

// attempt is one attempt to take a lock and the lease that may come of it.
type attempt struct {
	task    *task
	hold    quorum.Hold
	foreign foreign // in place of hold
	client  *client
	lock    *lock
	id      string

	waiter   *routine     // who is to be woken by what happens
	outcome  quorum.Event // Won or Failed
	settled  bool
	over     bool // nothing can be left of it
	detached bool // no routine looks at it any longer
	cleaning bool // counted among the client's releasing
	lost     bool // told as lost
	released bool // Unlock was called
	waited   bool // it was not the first attempt
	claims   bool // it is among the lock's holders

	round    uint32 // the explicit extension that a routine waits for; 0 for none
	roundEnd quorum.Event
	extends  bool         // some extension is under way
	told     quorum.Event // Unlocked or UnlockFailed

	name     string // in the history; empty until the acquire returned
	token    linearizability.Token
	lines    []deadline // what the history says of its deadlines
	renewal  linearizability.Process
	renews   bool           // renewal is set
	renewing bool           // a renewal is under way
	early    []quorum.Event // of renewals, told before the acquire returned: the history has them after it

	assigned [quorum.MaxNodes][2]uint64 // what each node assigned to it, by ACQUIRE and by RAISE
}

// deadline is a deadline as the history has it. It is promised on the client's
// clock; true time is put there, and corrected when that clock changes.
type deadline struct {
	at   quorum.Time
	line *int64
}

// newAttempt begins an attempt; the caller starts its machine.
func (r *run) newAttempt(c *client, l *lock, key stream, j job) *attempt {
	var a *attempt
	if n := len(r.idleAttempts); n > 0 {
		a = r.idleAttempts[n-1]
		r.idleAttempts = r.idleAttempts[:n-1]
	} else {
		if r.attempted == len(r.pool.attempts) {
			r.pool.attempts = append(r.pool.attempts, new(attempt))
		}
		a = r.pool.attempts[r.attempted]
		r.attempted++
	}
	lines := a.lines[:0]
	*a = attempt{client: c, lock: l, lines: lines}
	t := r.takeTask()
	t.client, t.job, t.key, t.attempt = c, j, key, a
	a.task = t
	c.attempts++
	a.id = r.label(c, c.attempts, false)
	return a
}

// phase is where it stands.
func (a *attempt) phase() quorum.Phase {
	if a.task.job == jobForeign {
		return a.foreign.phase
	}
	return a.hold.Phase()
}

// valid is what Lease.Valid tells.
func (a *attempt) valid() bool {
	return a.phase() == quorum.Holding && a.client.now() < a.deadline().Add(-quorum.LossMargin)
}

func (a *attempt) deadline() quorum.Time {
	if a.task.job == jobForeign {
		return a.foreign.deadline
	}
	return a.hold.Deadline()
}

func (a *attempt) wake() {
	if a.waiter != nil {
		a.waiter.wake()
	}
}

// cleans counts it among those that send RELEASE, until it is over.
func (a *attempt) cleans() {
	if !a.cleaning {
		a.cleaning = true
		a.client.releasing++
	}
}

// holdEvent takes what an attempt's machine tells.
func (r *run) holdEvent(a *attempt, e *quorum.Event) {
	switch e.Kind {
	case quorum.Won:
		a.outcome, a.settled = *e, true
		a.token = linearizability.Token(e.Token)
		a.client.hints.Note(*e)
		r.judgeWin(a, e)
		a.wake()
	case quorum.Failed:
		a.outcome, a.settled = *e, true
		a.cleans()
		a.wake()
	case quorum.Extending, quorum.Extended, quorum.ExtendFailed:
		r.extension(a, e)
	case quorum.Lost:
		a.lost = true
		a.cleans()
		r.recordLoss(a)
		a.wake()
	case quorum.Unlocked, quorum.UnlockFailed:
		a.told = *e
		a.wake()
	case quorum.Over:
		if !a.over && a.cleaning {
			a.client.releasing--
		}
		a.over = true
	default:
		r.path(a.client, e.Kind)
	}
}

// extension takes the begin or the end of one: a renewal is written down here,
// an explicit one by the routine that waits for it.
func (r *run) extension(a *attempt, e *quorum.Event) {
	a.extends = e.Kind == quorum.Extending
	if !e.Auto {
		if a.round != 0 && e.Round == a.round && e.Kind != quorum.Extending {
			a.roundEnd = *e
			a.wake()
		}
		return
	}
	if a.name == "" {
		a.early = append(a.early, *e)
		return
	}
	if (e.Kind == quorum.Extending) == a.renewing {
		return
	}
	a.renewing = e.Kind == quorum.Extending
	if !a.renews {
		a.renewal, a.renews = r.process(), true
	}
	line := r.line(a.renewal, linearizability.Invoke, linearizability.Extend, a.lock.name)
	line.Value.Client, line.Value.Hold, line.Value.Token = a.client.name, a.name, a.token
	switch e.Kind {
	case quorum.Extended:
		line.Type = linearizability.OK
		line.Value.ValidUntil = r.promise(a, e.Deadline)
	case quorum.ExtendFailed:
		line.Type, line.Error = extendOutcome(e.Reason), reasons[e.Reason]
		a.renews = line.Type != linearizability.Info // the process ends with it
	}
}

// promise writes down a deadline and remembers where.
func (r *run) promise(a *attempt, at quorum.Time) *int64 {
	line := r.number(a.client.clock.when(int64(at)))
	a.lines = append(a.lines, deadline{at, line})
	return line
}

// extendOutcome classifies an extension that failed.
func extendOutcome(why quorum.Reason) linearizability.Type {
	if why == quorum.Expired || why == quorum.TokenSuperseded {
		return linearizability.Fail
	}
	return linearizability.Info
}

// recordLoss writes down that a holder was told of its loss. What is told
// before the acquire has returned is written down after it.
func (r *run) recordLoss(a *attempt) {
	if a.name == "" {
		return
	}
	r.unclaim(a)
	line := r.line(linearizability.Observer, linearizability.Info, linearizability.LostHold, a.lock.name)
	line.Value.Client, line.Value.Hold = a.client.name, a.name
}

// claim and unclaim count the claims on a lock.
func (r *run) claim(a *attempt) {
	a.claims = true
	a.lock.holders++
	a.lock.since = r.now
}

func (r *run) unclaim(a *attempt) {
	if a.claims {
		a.claims = false
		a.lock.holders--
		a.lock.ended = r.now
	}
}
