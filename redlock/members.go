package redlock

import (
	"context"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// members executes what quorum.Members decides: it starts the machines, wakes
// those who wait for the cluster to be known, and tells observer and logger.
type members struct {
	client *Client

	mu       sync.Mutex
	state    quorum.Members
	learning chan struct{} // closed when the Learn under way has ended; nil without one
	failed   *Error        // how the last Learn ended
	why      quorum.Reason // the reason of failed
}

func newMembers(c *Client) *members {
	o := quorum.MembersOptions{NoRejoin: c.cfg.NoRejoin, RecoverByClock: c.cfg.RecoverByClock}
	return &members{client: c, state: quorum.NewMembers(c.params, o)}
}

// config returns the configuration to attempt under, and learns it first where
// it is unknown. Where that fails, why is the Learn's reason.
func (m *members) config(ctx context.Context, op, name string) (cfg string, why quorum.Reason, err error) {
	for {
		var out quorum.Tasks
		m.mu.Lock()
		if m.learning == nil && m.state.Config() == "" && !m.client.running() {
			m.mu.Unlock()
			return "", quorum.NoReason, closedError(op, name)
		}
		if cfg = m.state.Ask(&out); len(out.Start) > 0 {
			m.learning, m.failed = make(chan struct{}), nil
		}
		done := m.learning
		m.mu.Unlock()
		if cfg != "" {
			return cfg, quorum.NoReason, nil
		}
		m.start(out)
		select {
		case <-done:
		case <-ctx.Done():
			return "", quorum.NoQuorum, &Error{Op: op, Name: name, Kind: ErrNoQuorum, Cause: ctx.Err()}
		case <-m.client.closing:
			return "", quorum.NoReason, closedError(op, name)
		}
		m.mu.Lock()
		failed, why := m.failed, m.why
		m.mu.Unlock()
		if failed != nil {
			err := *failed
			err.Op, err.Name = op, name
			return "", why, &err
		}
	}
}

// running reports whether Close has not begun.
func (c *Client) running() bool {
	select {
	case <-c.closing:
		return false
	default:
		return true
	}
}

// start starts machines; none once Close has begun. Those that send at once are
// stepped in their own goroutine, because a driver may answer before Start
// returns, and the caller may hold another task's lock.
func (m *members) start(out quorum.Tasks) {
	for _, t := range out.Start {
		switch {
		case !m.client.running():
		case t.Kind == quorum.TaskLearn:
			m.learn()
		case t.Kind == quorum.TaskRejoin:
			m.rejoin(t)
		case t.Kind == quorum.TaskCatchUp:
			m.catchUp(t)
		case t.Kind == quorum.TaskRecover:
			m.recoverByClock()
		}
	}
}

func (m *members) learn() {
	c := m.client
	machine := quorum.NewLearn(c.params, c.names, c.newID())
	t := c.newTask(&machine, nil, nil)
	t.events = eventFunc(func(e quorum.Event) {
		failed := (*Error)(nil)
		if e.Kind == quorum.NotKnown {
			failed = &Error{Kind: kindOf(e.Reason), Nodes: learnErrors(c, t, &machine)}
		}
		m.note(quorum.FromLearn, nil, e, func() {
			if e.Kind == quorum.Known || e.Kind == quorum.NotKnown {
				m.failed, m.why = failed, e.Reason
				close(m.learning)
				m.learning = nil
			}
		})
	})
	c.background(func() { t.step(machine.Start) })
}

func (m *members) rejoin(k quorum.Task) {
	c := m.client
	machine := quorum.NewRejoin(c.params, k.Node, k.Cfg, c.newID())
	t := c.newTask(&machine, nil, eventFunc(func(e quorum.Event) { m.note(quorum.FromRejoin, nil, e, nil) }))
	t.step(func(now quorum.Time, _ *quorum.Effects) { machine.StartAfter(now, k.After) })
}

func (m *members) catchUp(k quorum.Task) {
	c := m.client
	machine := quorum.NewCatchUp(c.params, k.Node, k.Cfg, k.Theirs)
	t := c.newTask(&machine, nil, eventFunc(func(e quorum.Event) { m.note(quorum.FromCatchUp, nil, e, nil) }))
	c.background(func() { t.step(machine.Start) })
}

// background runs f in a goroutine that Close waits for; not once Close has
// begun.
func (c *Client) background(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.tasks.Go(f)
	}
}

// learnErrors tells what each node showed.
func learnErrors(c *Client, t *task, machine *quorum.Learn) []*NodeError {
	var errs []*NodeError
	for i, n := range c.nodes {
		answered, admitted, replica, cfg := machine.State(i)
		err := error(nil)
		switch {
		case t.errs[i] != nil:
			err = t.errs[i]
		case !answered:
			err = errNoAnswer
		case replica:
			err = ErrNotPrimary
		case !admitted:
			err = errNotAdmitted
		default:
			err = c.configError(cfg)
		}
		if err != nil {
			errs = append(errs, &NodeError{n.name, err})
		}
	}
	return errs
}

// quarantine is when the last quarantine that this client keeps ends.
func (m *members) quarantine() time.Time {
	m.mu.Lock()
	last := m.state.Quarantined()
	m.mu.Unlock()
	if last == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(last) - m.client.clock.Now())
}

// pause is how long a node is left alone after its Rejoin failed.
func (m *members) pause(node int) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Duration(m.state.NotBefore(node)) - m.client.clock.Now()
}

// note takes what a machine told: it has Members decide and starts what that
// wants. l is the lease whose machine it was, or nil; its task.mu is held. and,
// if not nil, runs in the same critical section.
func (m *members) note(from quorum.Source, l *Lease, e quorum.Event, and func()) {
	c := m.client
	var out quorum.Tasks
	changed := false
	if e.Kind.ForMembers() {
		m.mu.Lock()
		changed = m.state.Note(quorum.Time(c.clock.Now()), from, e, random(), &out)
		if and != nil {
			and()
		}
		m.mu.Unlock()
	}
	c.nodeEvent(l, e, changed)
	m.start(out)
}

// nodePaths are the events that are a path of the protocol.
var nodePaths = map[quorum.EventKind]Path{
	quorum.NewView:        PathNewView,
	quorum.TookRaise:      PathRaise,
	quorum.TookRepair:     PathRepair,
	quorum.TookLateGrant:  PathLateGrant,
	quorum.TookRetry:      PathRetryGrant,
	quorum.TookSuperseded: PathSuperseded,
	quorum.TookTooLate:    PathTooLate,
	quorum.Readmitted:     PathReadmission,
	quorum.CaughtUp:       PathCatchUp,
}

// nodeEvent tells observer and logger what a machine learnt about a node.
// changed says that the node's standing is another than it was.
func (c *Client) nodeEvent(l *Lease, e quorum.Event, changed bool) {
	if path := nodePaths[e.Kind]; path != 0 {
		v := Event{Kind: EventPath, Path: path}
		if path != PathRaise {
			v.Node = c.nodes[e.Node].name
		}
		if l != nil {
			l.observe(v)
		} else {
			c.observe(v)
		}
	}
	switch e.Kind {
	case quorum.Unadmitted:
		if changed {
			c.observe(Event{Kind: EventNode, Node: c.nodes[e.Node].name, Err: ErrQuarantined})
			c.log("node may not vote: it lost its memory or was replaced", "node", c.nodes[e.Node].name)
		}
	case quorum.Readmitted, quorum.AlreadyAdmitted:
		c.observe(Event{Kind: EventNode, Node: c.nodes[e.Node].name})
		c.log("node may vote again", "node", c.nodes[e.Node].name)
	case quorum.OtherCluster:
		c.log("node belongs to another cluster of the same nodes", "node", c.nodes[e.Node].name)
	case quorum.Sealed:
		c.log("node is quarantined", "node", c.nodes[e.Node].name, "for", time.Duration(e.Deadline)-c.clock.Now())
	case quorum.RejoinFailed:
		c.log("node could not be admitted again", "node", c.nodes[e.Node].name, "reason", e.Reason.String(), "retry-after", c.members.pause(e.Node))
	}
}

// observe hands an event that belongs to no lease to the observer.
func (c *Client) observe(e Event) {
	if c.cfg.Observer != nil {
		e.At = c.clock.Now()
		c.cfg.Observer.Observe(e)
	}
}

func (c *Client) log(msg string, args ...any) {
	if c.cfg.Logger != nil {
		c.cfg.Logger.Warn("redlock: "+msg, args...)
	}
}
