package redlock

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The kinds of failure. Test for them with errors.Is; errors.As with *Error
// gives the details. Where a context ended the wait, its error is joined, so
// errors.Is(err, context.Canceled) works as well.
var (
	// ErrHeld: another holder has the lock.
	ErrHeld = errors.New("held by another")
	// ErrNoQuorum: too few nodes answered in time.
	ErrNoQuorum = errors.New("no quorum")
	// ErrQuarantined: too few nodes may vote because some lost their memory
	// and wait to be admitted again. Error.Until says until when, if known.
	ErrQuarantined = errors.New("nodes are quarantined")
	// ErrExpired: the lease is past its deadline, or was no longer held by a
	// majority when it was released.
	ErrExpired = errors.New("lease expired")
	// ErrLost: the cause of a lease's context when the lease ended before it
	// was released.
	ErrLost = errors.New("lease lost")
	// ErrSuperseded: too few nodes take the lease's token any longer; it lives
	// until its deadline and cannot be prolonged.
	ErrSuperseded = errors.New("lease superseded")
	// ErrUnknown: the release was sent, and too few nodes said what came of it.
	ErrUnknown = errors.New("outcome unknown")
	// ErrReleased: the cause of a lease's context after Unlock, and the answer
	// to calls on a released lease.
	ErrReleased = errors.New("lease released")
	// ErrConfigDiffers: a node was admitted under another configuration (other
	// nodes, another maxttl, another cluster) or under another name.
	ErrConfigDiffers = errors.New("configuration differs")
	// ErrForeignKey: a key that is no lock stands at the lock's name.
	ErrForeignKey = errors.New("foreign key at the lock's name")
	// ErrOperatorNeeded: the cluster was never bootstrapped, or too few nodes
	// are left to admit the others; only an operator's Bootstrap helps.
	ErrOperatorNeeded = errors.New("operator needed")
	// ErrNotPrimary: the node is a replica.
	ErrNotPrimary = errors.New("node is not a primary")
	// ErrSameServer: two of the addresses lead to one server.
	ErrSameServer = errors.New("two addresses lead to one server")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("client closed")
)

// Error is what every operation on a lock or a cluster returns when it fails.
type Error struct {
	Op    string       // "lock", "extend", "unlock", "bootstrap", …
	Name  string       // the lock's name; empty for operations on the cluster
	Kind  error        // one of the Err variables above
	Cause error        // what ended the operation, often a context's error; may be nil
	Nodes []*NodeError // what single nodes answered, as far as it explains the failure
	Until time.Time    // ErrQuarantined: when the quarantine known to this client ends; otherwise zero
}

// Error says what failed, why, and what each node had to say.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "redlock: %s", e.Op)
	if e.Name != "" {
		fmt.Fprintf(&b, " %q", e.Name)
	}
	fmt.Fprintf(&b, ": %v", e.Kind)
	if !e.Until.IsZero() {
		fmt.Fprintf(&b, " until %s", e.Until.Format(time.RFC3339Nano))
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	for i, n := range e.Nodes {
		sep := "; "
		if i == 0 {
			sep = " ("
		}
		fmt.Fprintf(&b, "%s%v", sep, n)
	}
	if len(e.Nodes) > 0 {
		b.WriteByte(')')
	}
	return b.String()
}

// Unwrap lets errors.Is see the kind and the cause. The nodes' errors are left
// out: one node that says "held" must not make a failure of another kind look
// like ErrHeld.
func (e *Error) Unwrap() []error {
	if e.Cause != nil {
		return []error{e.Kind, e.Cause}
	}
	return []error{e.Kind}
}

// As lets errors.As find the nodes' errors too: a *NodeError, or what a driver
// said.
func (e *Error) As(target any) bool {
	for _, n := range e.Nodes {
		if errors.As(n, target) {
			return true
		}
	}
	return false
}

// NodeError is what one node contributed to a failure.
type NodeError struct {
	Node string // the node's name
	Err  error
}

// Error names the node and its error.
func (e *NodeError) Error() string { return e.Node + ": " + e.Err.Error() }

// Unwrap returns the node's error.
func (e *NodeError) Unwrap() error { return e.Err }

// ConfigError says which field of a Config or of a mutex's options is wrong.
type ConfigError struct {
	Field  string // as in Go: "Nodes[2].URL"
	Value  string // the offending value, passwords removed
	Reason string
}

// Error names the field, the value and the reason.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("redlock: %s = %s: %s", e.Field, e.Value, e.Reason)
}
