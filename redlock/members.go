package redlock

import (
	"context"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// members is what a client knows of its cluster: the configuration under which
// nodes vote, and which nodes it is admitting or bringing up to date. All
// decisions are the machines'; members starts one of each kind at a time.
type members struct {
	client *Client

	mu       sync.Mutex
	cfg      string        // "" until learnt
	learning chan struct{} // closed when the Learn under way has ended; nil without one
	failed   *Error        // how the last Learn ended
	recovery bool          // a Bootstrap by clock is under way
	recover  time.Duration // none is begun before, on the client's clock
	nodes    [quorum.MaxNodes]memberState
}

type memberState struct {
	out       bool          // told as unadmitted
	rejoining bool          // a Rejoin is under way
	catching  bool          // a CatchUp is under way
	notBefore time.Duration // of the next Rejoin, on the client's clock
	failures  int           // Rejoins that failed since the last success
	until     time.Duration // end of the quarantine that this client's Rejoin keeps; 0 for none
}

func newMembers(c *Client) *members { return &members{client: c} }

// config returns the configuration to attempt under, and learns it first where
// it is unknown.
func (m *members) config(ctx context.Context, op, name string) (string, error) {
	for {
		m.mu.Lock()
		if m.cfg != "" {
			defer m.mu.Unlock()
			return m.cfg, nil
		}
		if m.learning == nil {
			if !m.client.running() {
				m.mu.Unlock()
				return "", closedError(op, name)
			}
			m.learn()
		}
		done := m.learning
		m.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return "", &Error{Op: op, Name: name, Kind: ErrNoQuorum, Cause: ctx.Err()}
		case <-m.client.closing:
			return "", closedError(op, name)
		}
		m.mu.Lock()
		failed := m.failed
		m.mu.Unlock()
		if failed != nil {
			err := *failed
			err.Op, err.Name = op, name
			return "", &err
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

// learn starts a Learn. m.mu is held; the task is stepped in its own goroutine
// because a driver may answer before Start returns.
func (m *members) learn() {
	c := m.client
	done := make(chan struct{})
	m.learning, m.failed = done, nil
	machine := quorum.NewLearn(c.params, c.names, c.newID())
	t := c.newTask(&machine, nil, nil)
	t.handle = func(e quorum.Event) {
		switch e.Kind {
		case quorum.Known:
			m.mu.Lock()
			m.cfg = e.Cfg
			m.learning = nil
			m.mu.Unlock()
			close(done)
		case quorum.NotKnown:
			err := &Error{Kind: kindOf(e.Reason), Nodes: learnErrors(c, t, &machine)}
			m.mu.Lock()
			m.failed, m.learning = err, nil
			m.mu.Unlock()
			close(done)
			if e.Reason == quorum.NeedsOperator {
				m.recoverByClock()
			}
		default:
			c.nodeEvent(nil, e)
		}
	}
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

// forget makes the next attempt learn the cluster anew, unless somebody has
// already.
func (m *members) forget(known string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cfg == known {
		m.cfg = ""
	}
}

// join takes the newer entries of a configuration that a node answered with.
func (m *members) join(cfg string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cfg != "" {
		m.cfg = quorum.JoinConfig(m.cfg, cfg)
	}
}

// quarantine is when the last quarantine that this client keeps ends.
func (m *members) quarantine() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var last time.Duration
	for _, n := range m.nodes {
		last = max(last, n.until)
	}
	if last == 0 {
		return time.Time{}
	}
	return time.Now().Add(last - m.client.clock.Now())
}

// nodeEvent takes what a machine learnt about a node. l is the lease whose
// machine it was, or nil; its task.mu is held.
func (c *Client) nodeEvent(l *Lease, e quorum.Event) {
	m := c.members
	path := Path(0)
	switch e.Kind {
	case quorum.NewView:
		m.join(e.Cfg)
		path = PathNewView
	case quorum.OldView:
		m.catchUp(e.Node, e.Cfg)
	case quorum.Unadmitted:
		m.unadmitted(e.Node)
	case quorum.OtherCluster:
		c.log("node belongs to another cluster of the same nodes", "node", c.nodes[e.Node].name)
	case quorum.TookRaise:
		path = PathRaise
	case quorum.TookRepair:
		path = PathRepair
	case quorum.TookLateGrant:
		path = PathLateGrant
	case quorum.TookRetry:
		path = PathRetryGrant
	case quorum.TookSuperseded:
		path = PathSuperseded
	case quorum.TookTooLate:
		path = PathTooLate
	}
	if path == 0 {
		return
	}
	v := Event{Kind: EventPath, Path: path}
	if e.Kind != quorum.TookRaise {
		v.Node = c.nodes[e.Node].name
	}
	if l != nil {
		l.observe(v)
		return
	}
	c.observe(v)
}

// observe hands an event that belongs to no lease to the observer.
func (c *Client) observe(e Event) {
	if c.cfg.Observer != nil {
		e.At = c.clock.Now()
		c.cfg.Observer.Observe(e)
	}
}

// unadmitted notes a node that may not vote and starts its rejoin, once.
func (m *members) unadmitted(i int) {
	c := m.client
	m.mu.Lock()
	n := &m.nodes[i]
	first := !n.out
	n.out = true
	now := c.clock.Now()
	start := !c.cfg.NoRejoin && !n.rejoining && m.cfg != "" && now >= n.notBefore && c.running()
	cfg := m.cfg
	n.rejoining = n.rejoining || start
	m.mu.Unlock()
	if first {
		c.observe(Event{Kind: EventNode, Node: c.nodes[i].name, Err: ErrQuarantined})
		c.log("node may not vote: it lost its memory or was replaced", "node", c.nodes[i].name)
	}
	if start {
		m.rejoin(i, cfg)
	}
}

// rejoin starts a Rejoin.
func (m *members) rejoin(i int, text string) {
	c := m.client
	cfg, err := quorum.ParseConfig(text)
	if err != nil { // it was parsed when it was learnt
		return
	}
	machine := quorum.NewRejoin(c.params, i, cfg, c.newID())
	t := c.newTask(&machine, nil, func(e quorum.Event) { m.rejoinEvent(i, e) })
	pause := time.Duration(random() % uint64(2*c.cfg.NodeDeadline))
	t.step(func(now quorum.Time, _ *quorum.Effects) { machine.StartAfter(now, pause) })
}

// rejoinEvent takes what a Rejoin of node i tells.
func (m *members) rejoinEvent(i int, e quorum.Event) {
	c := m.client
	name := c.nodes[i].name
	m.mu.Lock()
	n := &m.nodes[i]
	switch e.Kind {
	case quorum.Sealed:
		n.until = time.Duration(e.Deadline)
		m.mu.Unlock()
		c.log("node is quarantined", "node", name, "for", time.Duration(e.Deadline)-c.clock.Now())
		return
	case quorum.RejoinFailed:
		n.failures++
		pause := min(c.cfg.NodeDeadline<<min(n.failures, 5), c.cfg.MaxTTL)
		n.notBefore = c.clock.Now() + pause + time.Duration(random()%uint64(pause))
		n.rejoining, n.until = false, 0
		n.out = false // perhaps it was admitted and only the answer lost; if not, it is told again
		m.mu.Unlock()
		c.log("node could not be admitted again", "node", name, "reason", e.Reason.String(), "retry-after", pause)
		return
	}
	// Readmitted or AlreadyAdmitted.
	n.rejoining, n.out, n.failures, n.until = false, false, 0, 0
	if m.cfg != "" && e.Cfg != "" {
		m.cfg = quorum.JoinConfig(m.cfg, e.Cfg)
	}
	m.mu.Unlock()
	if e.Kind == quorum.Readmitted {
		c.observe(Event{Kind: EventPath, Path: PathReadmission, Node: name})
	}
	c.observe(Event{Kind: EventNode, Node: name})
	c.log("node may vote again", "node", name)
}

// catchUp brings a node whose view is older up to date, once at a time.
func (m *members) catchUp(i int, theirs string) {
	c := m.client
	m.mu.Lock()
	ours, err := quorum.ParseConfig(m.cfg)
	old, err2 := quorum.ParseConfig(theirs)
	start := err == nil && err2 == nil && !m.nodes[i].catching && c.running()
	if start {
		m.nodes[i].catching = true
	}
	m.mu.Unlock()
	if !start {
		return
	}
	machine := quorum.NewCatchUp(c.params, i, ours, old)
	t := c.newTask(&machine, nil, func(e quorum.Event) {
		switch e.Kind {
		case quorum.CaughtUp, quorum.CatchUpFailed, quorum.Unadmitted:
			m.mu.Lock()
			m.nodes[i].catching = false
			m.mu.Unlock()
		}
		if e.Kind == quorum.CaughtUp {
			c.observe(Event{Kind: EventPath, Path: PathCatchUp, Node: c.nodes[i].name})
		}
		c.nodeEvent(nil, e)
	})
	c.background(func() { t.step(machine.Start) })
}

func (c *Client) log(msg string, args ...any) {
	if c.cfg.Logger != nil {
		c.cfg.Logger.Warn("redlock: "+msg, args...)
	}
}
