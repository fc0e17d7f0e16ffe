package chaos

import (
	"slices"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// ledger holds the faults of a run, planned against confirmed, and writes the
// nemesis's lines. All methods may be called from many goroutines at once.
type ledger struct {
	rec *recorder

	mu      sync.Mutex // guards all below
	entries []*Entry
	active  map[int64]*Entry
	last    int64 // the highest id
}

// newLedger leaves the ids up to reserved to the planned faults.
func newLedger(rec *recorder, reserved int) *ledger {
	return &ledger{rec: rec, active: map[int64]*Entry{}, last: int64(reserved)}
}

// open enters a fault that is about to begin. A fault without an id, one of a
// story's, gets the next.
func (l *ledger) open(f scenario.Fault, story string) *Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &Entry{
		ID: int64(f.ID), Kind: f.Kind, Story: story, Planned: f.At,
		Nodes: f.Nodes, Clients: f.Clients, Direction: f.Direction,
	}
	if e.ID == 0 {
		l.last++
		e.ID = l.last
	}
	l.entries = append(l.entries, e)
	return e
}

// begin notes that the fault's effect was seen on these links, or on its nodes.
func (l *ledger) begin(e *Entry, links [][2]string, lasting bool) {
	now := l.rec.now()
	l.mu.Lock()
	e.Confirmed, e.Begin = true, scenario.Duration(now)
	if lasting {
		l.active[e.ID] = e
	}
	l.mu.Unlock()
	l.rec.add(l.line(e, now, linearizability.FaultBegin, links))
}

// miss notes why the fault did not take effect.
func (l *ledger) miss(e *Entry, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Reason = reason
}

// end notes that the fault is over. For one that never began it does nothing.
func (l *ledger) end(e *Entry) {
	now := l.rec.now()
	l.mu.Lock()
	_, active := l.active[e.ID]
	delete(l.active, e.ID)
	if active {
		e.End = scenario.Duration(now)
	}
	l.mu.Unlock()
	if active {
		l.rec.add(l.line(e, now, linearizability.FaultEnd, nil))
	}
}

func (l *ledger) line(e *Entry, now int64, phase string, links [][2]string) linearizability.Event {
	return linearizability.Event{
		Time: now, Process: linearizability.Nemesis, Type: linearizability.Info, F: linearizability.F(e.Kind),
		Value: linearizability.Value{Fault: &linearizability.Fault{
			ID: e.ID, Phase: phase, Nodes: e.Nodes, Clients: e.Clients, Links: links,
			Direction: string(e.Direction), Confirmed: e.Confirmed,
		}},
	}
}

// now lists the active faults as the progress line shows them.
func (l *ledger) now() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for _, e := range l.active {
		what := string(e.Kind)
		if len(e.Nodes) > 0 && len(e.Nodes) <= 2 {
			for _, n := range e.Nodes {
				what += " " + n
			}
		} else if len(e.Clients) == 1 {
			what += " " + e.Clients[0]
		}
		list = append(list, what)
	}
	slices.Sort(list)
	return list
}

// all returns what became of each fault, in order of their begin.
func (l *ledger) all() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Entry, len(l.entries))
	for i, e := range l.entries {
		list[i] = *e
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return int(a.ID - b.ID) })
	return list
}

func sinceStart(rec *recorder) time.Duration { return time.Duration(rec.now()) }
