package chaos

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock"
)

// trace is the observer of one client: it gives every lease its name in the
// history, records automatic renewals, and counts the paths taken.
type trace struct {
	client string
	rec    *recorder

	mu     sync.Mutex // guards all below
	leases map[string]*traced
	count  int
	paths  map[string]int
	nodes  []string // what befell nodes, in this client's eyes, for the report
}

// traced is what the trace knows of one lease, found by its id.
type traced struct {
	hold     string
	key      string
	token    fencing.Token
	deadline int64 // of the acquire, run time
	extended int64 // the last deadline that an explicit extension gave
	process  linearizability.Process
	renews   bool // process is set
	open     bool // a renewal is under way
}

func newTrace(client string, rec *recorder) *trace {
	return &trace{client: client, rec: rec, leases: map[string]*traced{}, paths: map[string]int{}}
}

// Observe implements redlock.Observer.
func (t *trace) Observe(e redlock.Event) {
	if !t.rec.begun.Load() {
		return
	}
	now := t.rec.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Kind {
	case redlock.EventAcquired:
		t.count++
		t.leases[e.ID] = &traced{hold: fmt.Sprintf("%s-%d", t.client, t.count), key: e.Name, token: e.Token, deadline: t.rec.at(e.Deadline)}
	case redlock.EventPath:
		t.paths[e.Path.String()]++
	case redlock.EventNode:
		if len(t.nodes) < 1000 {
			t.nodes = append(t.nodes, fmt.Sprintf("%v %s %s: %v", time.Duration(now), t.client, e.Node, e.Err))
		}
	case redlock.EventExtend, redlock.EventExtended, redlock.EventExtendFailed:
		if l := t.leases[e.ID]; l != nil {
			t.extension(now, l, e)
		}
	}
}

// extension records a renewal, and keeps the deadline of an explicit
// extension, which the caller records. The trace is locked.
func (t *trace) extension(now int64, l *traced, e redlock.Event) {
	if !e.Auto {
		if e.Kind == redlock.EventExtended {
			l.extended = t.rec.at(e.Deadline)
		}
		return
	}
	if e.Kind == redlock.EventExtend == l.open {
		return // one renewal at a time; an end without its beginning is none of ours
	}
	if !l.renews {
		l.process, l.renews = t.rec.process(), true
	}
	line := linearizability.Event{
		Time: now, Process: l.process, F: linearizability.Extend, Key: l.key,
		Value: linearizability.Value{Client: t.client, Hold: l.hold, Token: linearizability.Token(l.token)},
	}
	switch e.Kind {
	case redlock.EventExtend:
		line.Type = linearizability.Invoke
	case redlock.EventExtended:
		line.Type = linearizability.OK
		until := t.rec.at(e.Deadline)
		line.Value.ValidUntil = &until
	default:
		line.Type, line.Error = extendOutcome(e.Err), text(e.Err)
	}
	l.open = e.Kind == redlock.EventExtend
	l.renews = line.Type != linearizability.Info // the process ends with it
	t.rec.add(line)
}

// extendOutcome classifies an extension that failed.
func extendOutcome(err error) linearizability.Type {
	if errors.Is(err, redlock.ErrExpired) || errors.Is(err, redlock.ErrSuperseded) {
		return linearizability.Fail
	}
	return linearizability.Info
}

// acquired returns what is known of the lease with this id.
func (t *trace) acquired(id string) (traced, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.leases[id]; l != nil {
		return *l, true
	}
	return traced{}, false
}

// path returns how often the client took a path.
func (t *trace) path(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.paths[name]
}

// summary returns the paths taken and what befell nodes.
func (t *trace) summary() (paths map[string]int, nodes []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.paths), append([]string(nil), t.nodes...)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
