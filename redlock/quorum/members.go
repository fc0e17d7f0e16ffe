package quorum

import "time"

// Members is what a client knows of its cluster: the configuration under which
// it asks for votes, and which nodes it is admitting or bringing up to date. It
// is told what the client's machines tell, and says which machines to start;
// of each kind there is one at a time, and for each node.
//
// It is a plain value like the machines, and like them stepped by one caller at
// a time with a clock that never runs backwards. It only ever starts work that
// any client may do at any time: no vote and no token depends on it.
type Members struct {
	p          Params
	o          MembersOptions
	cfg        string // "" while not learnt
	learning   bool   // a Learn is under way
	recovering bool   // a Bootstrap by clock is under way
	recoverAt  Time   // none is begun before
	nodes      [MaxNodes]standing
}

// MembersOptions say what a client does of its own accord.
type MembersOptions struct {
	NoRejoin       bool // admits no node
	RecoverByClock bool // bootstraps by clock where too few nodes are admitted
}

// standing is what a client knows of one node.
type standing struct {
	out       bool // told as unadmitted
	rejoining bool // a Rejoin is under way
	catching  bool // a CatchUp is under way
	failures  int  // Rejoins that failed since one succeeded
	notBefore Time // of the next Rejoin
	until     Time // end of the quarantine that this client's Rejoin keeps; 0 for none
}

// Source says which machine of a client told an event.
type Source uint8

// The sources.
const (
	FromHold      Source = iota + 1
	FromLearn            // the machine of a TaskLearn
	FromRejoin           // of a TaskRejoin
	FromCatchUp          // of a TaskCatchUp
	FromRecovery         // of a TaskRecover
	FromBootstrap        // a Bootstrap on a person's word
)

// TaskKind says which machine a Task is to be done by.
type TaskKind uint8

// The kinds of task.
const (
	TaskLearn   TaskKind = iota + 1 // Learn
	TaskRejoin                      // Rejoin of Node under Cfg, by StartAfter with After
	TaskCatchUp                     // CatchUp of Node, which has Theirs, to Cfg
	TaskRecover                     // Bootstrap in the mode ByClock
)

// Task is a machine that Members wants started. Whoever starts it hands all its
// events to Note; until the one that ends it, no other of its kind is begun.
type Task struct {
	Kind        TaskKind
	Node        int
	After       time.Duration
	Cfg, Theirs Config
}

// Tasks collects what Members wants started. The caller empties it.
type Tasks struct {
	Start []Task
}

// Reset empties t and keeps its memory.
func (t *Tasks) Reset() { t.Start = t.Start[:0] }

func (t *Tasks) add(k Task) { t.Start = append(t.Start, k) }

// NewMembers returns the Members of a client that knows nothing yet.
func NewMembers(p Params, o MembersOptions) Members { return Members{p: p, o: o} }

// Config is the configuration to ask under, or "" while it is not learnt.
func (m *Members) Config() string { return m.cfg }

// Ask is Config for somebody who needs one: where it is not known, a Learn
// begins unless one is under way.
func (m *Members) Ask(out *Tasks) string {
	if m.cfg == "" && !m.learning {
		m.learning = true
		out.add(Task{Kind: TaskLearn})
	}
	return m.cfg
}

// Quarantined is when the last quarantine ends that this client keeps, 0 where
// there is none.
func (m *Members) Quarantined() Time {
	var last Time
	for i := range m.p.N {
		last = max(last, m.nodes[i].until)
	}
	return last
}

// NotBefore is the earliest moment of the next Rejoin of a node.
func (m *Members) NotBefore(node int) Time { return m.nodes[node].notBefore }

// ForMembers reports whether Members.Note does anything about events of this
// kind: for others, which are the many, the caller need not even draw a random
// number.
func (k EventKind) ForMembers() bool {
	switch k {
	case Failed, NewView, OldView, Unadmitted, Known, NotKnown, Sealed, Readmitted, AlreadyAdmitted,
		RejoinFailed, CaughtUp, CatchUpFailed, Bootstrapped, BootstrapFailed:
		return true
	}
	return false
}

// Note takes an event that one of the client's machines told, and appends to
// out what is to be started. random is a fresh random number: it keeps clients
// that noticed the same thing from acting on it at once. Note reports whether a
// node's standing changed by the event: it was told as unadmitted and was not
// before, or it was admitted.
func (m *Members) Note(now Time, from Source, e Event, random uint64, out *Tasks) (changed bool) {
	switch e.Kind {
	case Failed:
		switch e.Reason {
		case NeedsOperator, ClusterChanged: // look again: the cluster may be another one by now
			m.forget(e.Cfg)
		}
	case NewView:
		m.join(e.Cfg)
	case OldView:
		m.catchUp(e.Node, e.Cfg, out)
	case Unadmitted:
		if from == FromCatchUp {
			m.nodes[e.Node].catching = false
		}
		return m.unadmitted(now, e.Node, random, out)
	case Known:
		m.cfg, m.learning = e.Cfg, false
	case NotKnown:
		m.learning = false
		if e.Reason == NeedsOperator {
			m.recover(now, out)
		}
	case Sealed:
		m.nodes[e.Node].until = e.Deadline
	case RejoinFailed:
		m.rejoinFailed(now, e.Node, random)
	case Readmitted, AlreadyAdmitted:
		m.nodes[e.Node] = standing{catching: m.nodes[e.Node].catching, notBefore: m.nodes[e.Node].notBefore}
		m.join(e.Cfg)
		return true
	case CaughtUp, CatchUpFailed:
		m.nodes[e.Node].catching = false
	case Bootstrapped, BootstrapFailed:
		m.bootstrapEnded(now, from, e, random)
	}
	return false
}

// forget makes the next Ask learn the cluster anew, unless somebody has
// already.
func (m *Members) forget(known string) {
	if m.cfg == known {
		m.cfg = ""
	}
}

// join takes the newer entries of a configuration that a node answered with.
func (m *Members) join(cfg string) {
	if m.cfg != "" && cfg != "" {
		m.cfg = JoinConfig(m.cfg, cfg)
	}
}

// catchUp brings a node whose view is older up to date.
func (m *Members) catchUp(node int, theirs string, out *Tasks) {
	if m.nodes[node].catching {
		return // which every attempt until it ends tells again
	}
	ours, err := ParseConfig(m.cfg)
	if err != nil { // not learnt
		return
	}
	old, err := ParseConfig(theirs)
	if err != nil {
		return
	}
	m.nodes[node].catching = true
	out.add(Task{Kind: TaskCatchUp, Node: node, Cfg: ours, Theirs: old})
}

// unadmitted notes a node that may not vote and has it admitted again. The
// pause lets one of the clients that notice it at the same moment do the work.
func (m *Members) unadmitted(now Time, node int, random uint64, out *Tasks) (first bool) {
	n := &m.nodes[node]
	first, n.out = !n.out, true
	if m.o.NoRejoin || n.rejoining || now < n.notBefore {
		return first
	}
	cfg, err := ParseConfig(m.cfg)
	if err != nil { // not learnt
		return first
	}
	n.rejoining = true
	out.add(Task{Kind: TaskRejoin, Node: node, After: spread(random, 2*m.p.NodeDeadline), Cfg: cfg})
	return first
}

// rejoinFailed sets a pause, which doubles while Rejoins of the node fail.
func (m *Members) rejoinFailed(now Time, node int, random uint64) {
	n := &m.nodes[node]
	n.failures++
	pause := min(m.p.NodeDeadline<<min(n.failures, 5), m.p.MaxTTL)
	n.notBefore = now.Add(pause + spread(random, pause))
	n.rejoining, n.until = false, 0
	n.out = false // perhaps it was admitted and only the answer lost; if not, it is told again
}

// recover begins a Bootstrap by clock, if the client may and its pause is over.
func (m *Members) recover(now Time, out *Tasks) {
	if !m.o.RecoverByClock || m.recovering || now < m.recoverAt {
		return
	}
	m.recovering = true
	out.add(Task{Kind: TaskRecover})
}

func (m *Members) bootstrapEnded(now Time, from Source, e Event, random uint64) {
	if e.Kind == Bootstrapped {
		m.cfg = e.Cfg
		for i := range m.p.N {
			m.nodes[i].out = false
		}
	}
	if from == FromRecovery {
		m.recovering = false
		pause := 4 * m.p.NodeDeadline
		m.recoverAt = now.Add(pause + spread(random, pause))
	}
}
