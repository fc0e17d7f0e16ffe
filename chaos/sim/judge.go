package sim

import (
	"fmt"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// Invariant names something that must hold after every event, inside the
// assumptions and outside them, as long as no node is rolled back unseen.
type Invariant string

// The invariants.
const (
	// I1: on each node and for each lock the effective counter never falls
	// while the node keeps its memory, and each token that is assigned lies
	// above all that the node assigned to other attempts. An EXTEND may find
	// its token assigned to an attempt that came to nothing.
	I1 Invariant = "I1"
	// I2: a token is won only if a majority of the names assigned exactly it
	// to this attempt.
	I2 Invariant = "I2"
	// I3: for every completed token, no majority of admitted nodes of one
	// configuration stands below it.
	I3 Invariant = "I3"
	// Progress: no machine wants steps for ever without time passing.
	Progress Invariant = "progress"
)

// InvariantError says which invariant fell, and how.
type InvariantError struct {
	Invariant Invariant
	At        time.Duration // true time since the run began
	Event     uint64        // after so many events
	Story     string
}

// Error tells it in a sentence.
func (e *InvariantError) Error() string {
	return fmt.Sprintf("sim: invariant %s fell at %v, after event %d: %s", e.Invariant, e.At, e.Event, e.Story)
}

// fell notes the first invariant that fell. The run goes on, for what that costs
// shows in the properties.
func (r *run) fell(i Invariant, format string, args ...any) {
	if r.broken == nil && !r.c2 {
		r.broken = &InvariantError{i, time.Duration(r.now), r.events, fmt.Sprintf(format, args...)}
		if r.narrate != nil {
			r.say("invariant %s is broken: %s", i, r.broken.Story)
		}
	}
}

// assigned is the largest token that a node assigned for a lock, to whom, and
// the largest that it assigned to anybody else: with these two the largest that
// was assigned to somebody other than a given attempt is known, whoever it is.
type assigned struct {
	token, other uint64
	id           string
}

// others is the largest token assigned to another attempt than id.
func (t *assigned) others(id string) uint64 {
	if t.id == id {
		return t.other
	}
	return t.token
}

func (t *assigned) note(id string, token uint64) {
	switch {
	case t.id == id:
		t.token = max(t.token, token)
	case token >= t.token:
		t.token, t.other, t.id = token, t.token, id
	default:
		t.other = max(t.other, token)
	}
}

// judge looks at what one call may have broken on one node.
func (r *run) judge(s *server, f *flight, reply *script.Reply) {
	switch op := f.call.Op; {
	case op <= script.Extend:
		if reply.Code == script.OK || reply.Code == script.Already {
			r.judgeAssigned(s, f, reply)
		}
		r.judgeCounter(s, f.lock)
	case op == script.Release:
		if f.call.Token != 0 {
			r.judgeCounter(s, f.lock)
		}
	case op <= script.Retire && op != script.Probe || op == script.Probe && f.call.Renew != "":
		r.changed(s)
	}
}

// judgeAssigned judges I1's second half, and counts the vote for I2.
func (r *run) judgeAssigned(s *server, f *flight, reply *script.Reply) {
	if f.call.Op != script.Acquire || reply.Code != script.Already {
		top := &s.tops[f.lock.index]
		others := top.others(f.call.ID)
		if others > reply.Token || others == reply.Token && f.call.Op != script.Extend {
			r.fell(I1, "%s assigned token %d of %s to attempt %s by %v, after token %d to another attempt",
				s.label, reply.Token, f.lock.name, f.call.ID, f.call.Op, others)
		}
		top.note(f.call.ID, reply.Token)
	}
	a := f.attempt
	if a.id != f.call.ID {
		return // it is over, and its place was taken
	}
	switch f.call.Op {
	case script.Acquire:
		a.assigned[f.ref.Node][0] = reply.Token
	case script.Raise:
		a.assigned[f.ref.Node][1] = reply.Token
	}
}

// judgeCounter judges I1's first half for one lock, and for all of them where
// the fence tables have turned.
func (r *run) judgeCounter(s *server, l *lock) {
	rec := s.state.Record("")
	if rec.Turned != s.turned {
		s.turned = rec.Turned
		r.paths[pathFenceTurn]++
		for _, k := range r.keys {
			r.judgeOne(s, k)
		}
		return
	}
	r.judgeOne(s, l)
}

func (r *run) judgeOne(s *server, l *lock) {
	c := s.state.Counter("", l.name)
	if before := s.counters[l.index]; c < before {
		r.fell(I1, "the counter of %s on %s fell from %d to %d", l.name, s.label, before, c)
	}
	s.counters[l.index] = c
}

// changed looks at a node whose admission may be another: all its counters, I3
// of all locks, and whether too many nodes are without a vote.
func (r *run) changed(s *server) {
	s.turned = s.state.Record("").Turned
	for _, k := range r.keys {
		r.judgeOne(s, k)
	}
	for _, k := range r.keys {
		r.judgeI3(k)
	}
	r.countVotes()
}

// forget begins a new life of a node's memory.
func (r *run) forget(s *server) {
	clear(s.counters)
	clear(s.tops)
	r.changed(s)
}

// judgeWin judges I2 and I3 of a win.
func (r *run) judgeWin(a *attempt, e *quorum.Event) {
	if a.task.job == jobForeign {
		return
	}
	votes := 0
	for i := range r.p.N {
		if v := a.assigned[i]; v[0] == e.Token || v[1] == e.Token {
			votes++
		}
	}
	if votes < r.p.Quorum() {
		r.fell(I2, "attempt %s won %s with token %d, which %d of %d names assigned to it", a.id, a.lock.name, e.Token, votes, r.p.N)
	}
	if e.Token > a.lock.top {
		a.lock.top = e.Token
		r.judgeI3(a.lock)
	}
}

// judgeI3 judges I3 of one lock. It can fall only by a win and where a node's
// admission or memory changes, since counters do not fall otherwise.
func (r *run) judgeI3(l *lock) {
	if l.top == 0 {
		return
	}
	low := 0
	for _, s := range r.servers {
		if s.below(l) {
			low++
		}
	}
	if low < r.p.Quorum() {
		return
	}
	// Of one configuration, and each index once: rare enough to be slow.
	for _, s := range r.servers {
		if !s.below(l) {
			continue
		}
		cfg, names := s.state.Record("").Cfg, [quorum.MaxNodes + 1]bool{}
		count := 0
		for _, o := range r.servers {
			rec := o.state.Record("")
			if o.below(l) && rec.Cfg == cfg && rec.Self <= quorum.MaxNodes && !names[rec.Self] {
				names[rec.Self] = true
				count++
			}
		}
		if count >= r.p.Quorum() {
			r.fell(I3, "%d admitted nodes of one configuration stand below token %d of %s, which was completed", count, l.top, l.name)
			return
		}
	}
}

// below tells whether a node may vote and stands below the lock's largest
// completed token.
func (s *server) below(l *lock) bool {
	return !s.gone && s.state.Counter("", l.name) < l.top && s.admitted()
}

// countVotes notes where C4 is broken: more nodes than a majority can spare are
// without a vote. It ends faults whose nodes have their votes back.
func (r *run) countVotes() {
	r.votesChanged = true
	if out := r.unadmitted(); out > r.p.N-r.p.Quorum() && !r.c4 {
		r.c4 = true
		if r.narrate != nil {
			r.say("%d of %d nodes are without a vote, more than a majority can spare", out, r.p.N)
		}
	}
}

// unadmitted is how many names lead to a server without a vote, or to one that
// another name leads to.
func (r *run) unadmitted() (out int) {
	for i, s := range r.behind {
		if !s.voter(i) {
			out++
		}
	}
	return out
}
