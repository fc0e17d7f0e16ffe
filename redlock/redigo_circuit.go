package redlock

import (
	"fmt"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// tripAfter is how many connections in a row must come to nothing until calls
// are refused at once. One or two are a restart, for which calls can wait.
const tripAfter = 3

// circuit remembers how connecting to a node went, so that a node that keeps
// failing costs its callers nothing: once tripAfter connections in a row have
// come to nothing, calls are refused at once (open); when one is ready again a
// single call at a time tries it (half-open), and the first answer lets all of
// them through (closed).
//
// The zero value is closed. It is guarded by its driver.
type circuit struct {
	failures int       // connections in a row that came to nothing
	since    time.Time // when the first of them did
	err      error     // why the last one did
}

// failed notes a connection that could not be made, or that ended before
// anything was answered. It reports whether the circuit is open.
func (c *circuit) failed(now time.Time, err error) bool {
	if c.failures == 0 {
		c.since = now
	}
	c.failures++
	c.err = err
	return c.tripped()
}

// answered closes the circuit.
func (c *circuit) answered() { *c = circuit{} }

func (c *circuit) tripped() bool { return c.failures >= tripAfter }

// refuse returns the error of a call that must not be made now, or nil.
// connected says whether a connection is ready, open how many calls wait for an
// answer.
func (c *circuit) refuse(node string, now time.Time, connected bool, open int) error {
	if !c.tripped() || connected && open == 0 {
		return nil
	}
	return c.down(node, now)
}

func (c *circuit) down(node string, now time.Time) error {
	return &DownError{Node: node, Failures: c.failures, For: now.Sub(c.since), Cause: c.err}
}

// backoff is how long to wait before the next connection, jitter aside.
func (c *circuit) backoff() time.Duration {
	return min(minBackoff<<min(max(c.failures-1, 0), 16), maxBackoff)
}

// DownError says that a call was refused at once because its node keeps
// failing. The driver goes on trying to reach it by itself, twice a second or
// more often. The call was not sent: it is script.ErrNotSent.
type DownError struct {
	Node     string        // the node's name
	Failures int           // connections, or calls on a pool, that failed in a row
	For      time.Duration // since the first of them
	Cause    error         // why the last of them failed
}

// Error says for how long the node has been failing, and why.
func (e *DownError) Error() string {
	return withCause(fmt.Sprintf("not sent: %s has been failing for %v, %d times in a row",
		e.Node, e.For.Round(time.Millisecond), e.Failures), e.Cause)
}

// Is reports whether target is script.ErrNotSent.
func (e *DownError) Is(target error) bool { return target == script.ErrNotSent }

// Unwrap returns why the node failed last.
func (e *DownError) Unwrap() error { return e.Cause }

// OverloadError says that a call was refused at once because as many as allowed
// wait for the node already: it could only have come too late. The call was not
// sent: it is script.ErrNotSent.
type OverloadError struct {
	Node     string // the node's name
	Queued   int    // calls that were not sent yet
	InFlight int    // calls that were sent and not answered
	Limit    int    // the most that may be queued
	Cause    error  // why there is no connection, if there is none; otherwise nil
}

// Error names the node and the numbers.
func (e *OverloadError) Error() string {
	return withCause(fmt.Sprintf("not sent: %d calls wait to be sent to %s, the most allowed, and %d for its answer",
		e.Queued, e.Node, e.InFlight), e.Cause)
}

// Is reports whether target is script.ErrNotSent.
func (e *OverloadError) Is(target error) bool { return target == script.ErrNotSent }

// Unwrap returns why there is no connection, if there is none.
func (e *OverloadError) Unwrap() error { return e.Cause }
