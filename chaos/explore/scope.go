package explore

import (
	"fmt"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// Bounds of what a scope may hold: they size the explorer's arrays.
const (
	maxLocks    = 2
	maxAttempts = 4
	maxServers  = 7
)

// Tick is how long time passes in one step.
const Tick = time.Second

// Attempt is one attempt of a scope to take a lock.
type Attempt struct {
	Locks string   // its names: "x", "y", or "xy" for both at once
	Hints []uint64 // it begins with one of these; none means without a hint
	// Extends is how many extensions it may begin.
	Extends int
}

// Scope is a small world of which every interleaving is visited: how many nodes
// and attempts there are, and what may happen how often. What is zero never
// happens.
type Scope struct {
	Name   string
	Covers string // what it is for, in a line

	Nodes    int
	Attempts []Attempt
	TTL      int  // of every lock, in half ticks; odd, so that nothing ends in between
	Timeless bool // no time passes

	GiveUps  bool // an attempt may be cancelled
	Unlocks  bool // a lease may be released before its end
	Stays    bool // a call stays in the air when its sender has no use for an answer any more
	NoAnswer bool // a node may execute a call and the answer is lost
	Repeats  bool // a node may execute a call twice
	Resends  bool // a driver may send a call again whose answer was lost
	Apart    bool // the execution of a call and its answer are steps of their own
	CleansUp bool // a hold is stepped to its end, with its own RELEASEs; else RELEASE comes whenever it likes

	// Only the first Victims names lose memory, take another server or are
	// rejoined: which ones is a matter of numbering.
	Victims  int
	Forgets  int   // so many times a server loses its memory, and keeps its incarnation
	Restarts int   // so many times a server restarts with its memory, under a new incarnation
	Losses   int   // so many times a server restarts without its memory
	Seconds  []int // an empty server may take each of these names (0-based) while the old one lives on
	Retires  int   // so many times somebody retires an admitted server
	Leaps    int   // so many times a server's clock leaps, and its keys expire; then clients rely on what they do not have, and exclusion is not judged
	Turns    int   // so many times a server's fences become due to turn

	Rejoiners int  // clients that may rejoin a node, at the same time
	Dies      bool // a rejoin or a bootstrap may end at any step
	MaxK      int  // a name is replaced at most so many times
	CatchUps  bool // a node may be brought up to another's view, at any time

	Operators []quorum.BootstrapMode // bootstraps that may run, at the same time
	Empty     bool                   // no node is admitted at first
	Foreign   int                    // foreign redsync clients, each of which locks x once

	LateStart bool     // attempts begin only when no rejoin is under way and no server is empty
	Prefix    []string // the steps that come first, by their short names
	Directed  bool     // it begins from a prefix, is for a planted mistake, or is too large to be explored to the end: not part of "all"
	CI        bool     // part of "ci"
}

// ScopeError says which field of a scope cannot be.
type ScopeError struct {
	Scope, Field string
	Value        any
	Reason       string
}

// Error names scope, field and value.
func (e *ScopeError) Error() string {
	return fmt.Sprintf("explore: scope %s: %s = %v: %s", e.Scope, e.Field, e.Value, e.Reason)
}

// validate refuses a scope that the explorer cannot represent.
func (s *Scope) validate() error {
	bad := func(field string, value any, reason string) error {
		return &ScopeError{s.Name, field, value, reason}
	}
	switch {
	case s.Nodes < 1 || s.Nodes+len(s.Seconds) > maxServers:
		return bad("Nodes", s.Nodes, fmt.Sprintf("1 to %d servers", maxServers))
	case len(s.Attempts) > maxAttempts:
		return bad("Attempts", len(s.Attempts), fmt.Sprintf("at most %d", maxAttempts))
	case s.TTL < 1 || s.TTL%2 == 0:
		return bad("TTL", s.TTL, "an odd number of half ticks")
	case s.Victims > s.Nodes:
		return bad("Victims", s.Victims, "more than there are nodes")
	}
	for _, a := range s.Attempts {
		if a.Locks != "x" && a.Locks != "y" && a.Locks != "xy" {
			return bad("Attempts.Locks", a.Locks, `"x", "y" or "xy"`)
		}
	}
	for _, n := range s.Seconds {
		if n < 0 || n >= s.Victims {
			return bad("Seconds", n, "not the index of a victim")
		}
	}
	return nil
}

// ttl is the locks' ttl, which is also the cluster's maxttl.
func (s *Scope) ttl() time.Duration { return time.Duration(s.TTL) * Tick / 2 }

// The clients' clocks and the nodes' run alike in the explorer, so ρ only has
// to be more than nothing; what drift does is the simulator's to find.
const drift = 0.001

// params are what the machines of the scope are made with.
func (s *Scope) params() quorum.Params {
	return quorum.Params{N: s.Nodes, NodeDeadline: s.nodeDeadline(), MaxTTL: s.ttl(), Drift: quorum.PPM(drift)}
}

// unlimited is a node deadline beyond the horizon: clients wait for ever.
const unlimited = 1_000_000 * Tick

func (s *Scope) nodeDeadline() time.Duration {
	if s.CleansUp {
		return 3 * Tick / 2
	}
	return unlimited
}
