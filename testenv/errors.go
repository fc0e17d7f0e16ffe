package testenv

import (
	"errors"
	"fmt"
)

// The kinds of failure; test for them with errors.Is.
var (
	// ErrClosed: the Env was closed.
	ErrClosed = errors.New("environment is closed")
	// ErrNotRunning: the fault needs a running server, and this one is dead.
	ErrNotRunning = errors.New("server is not running")
	// ErrFrozen: the fault needs a server that answers, and this one is frozen.
	ErrFrozen = errors.New("server is frozen")
	// ErrDisconnected: the fault needs a server on the network, and this one was
	// taken off it.
	ErrDisconnected = errors.New("server is disconnected")
	// ErrUnsupported: the backend cannot do it.
	ErrUnsupported = errors.New("not supported by this backend")
	// ErrUnconfirmed: the fault was set, but its effect was not observed.
	ErrUnconfirmed = errors.New("effect not observed")
	// ErrStuck: a proxy did not stop in time, since it was just connecting to a
	// server that accepts nobody. It does what it was asked for once it can.
	ErrStuck = errors.New("proxy is stuck")
	// ErrUnknownName: there is no such node or client.
	ErrUnknownName = errors.New("no such name")
)

// ConfigError says which field of a Config is wrong.
type ConfigError struct {
	Field  string // as in Go: "Clients[2]"
	Value  string // the offending value; never a password
	Reason string
}

// Error names the field, the value and the reason.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("testenv: config: %s = %s: %s", e.Field, e.Value, e.Reason)
}

// MissingError says that no redis-server was found.
type MissingError struct {
	Tried []string // where it was looked for
}

// Error says where it was looked for and what to do.
func (e *MissingError) Error() string {
	return fmt.Sprintf("testenv: no usable redis-server (tried %q): run scripts/redis-server.sh, or set %s to the path of one",
		e.Tried, envRedisServer)
}

// EngineError says that there is no container engine, or none of use.
type EngineError struct {
	Host string // where it was looked for
	Err  error
}

// Error says where it was looked for and what to do.
func (e *EngineError) Error() string {
	return fmt.Sprintf("testenv: no usable container engine at %s: %v: start Docker, or set DOCKER_HOST", e.Host, e.Err)
}

// Unwrap returns the cause.
func (e *EngineError) Unwrap() error { return e.Err }

// FaultError is what methods that start, break or repair something return.
type FaultError struct {
	Op     string // "kill", "cut", …
	Node   string // empty: not about one node
	Client string // empty: not about one client's link
	Err    error  // one of the Err variables above, or a cause
}

// Error names the operation, the node, the client and the cause.
func (e *FaultError) Error() string {
	at := e.Node
	if e.Client != "" {
		at = e.Client + "→" + e.Node
	}
	if at != "" {
		at = " " + at
	}
	return fmt.Sprintf("testenv: %s%s: %v", e.Op, at, e.Err)
}

// Unwrap returns the cause.
func (e *FaultError) Unwrap() error { return e.Err }
