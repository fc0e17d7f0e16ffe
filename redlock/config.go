package redlock

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// Defaults of Config.
const (
	DefaultMaxTTL         = 30 * time.Second
	DefaultNodeDeadline   = 100 * time.Millisecond
	DefaultDrift          = 0.16
	DefaultFenceRetention = 24 * time.Hour
	DefaultPoll           = 100 * time.Millisecond
)

// Config describes a cluster of nodes and how to lock on it. Every client of a
// cluster must use the same Nodes (their names), MaxTTL and Prefix: nodes
// refuse clients that differ, with ErrConfigDiffers.
type Config struct {
	_ struct{}

	// Nodes are the independent Redis primaries, 1 to 15 of them, in any
	// order. An odd number is best: an even one tolerates no more failures
	// than the odd one below it.
	Nodes []Node

	// MaxTTL is the largest ttl that any lease on the cluster may ever have.
	// Zero means 30 s. A node that lost its memory is kept from voting for
	// MaxTTL·(1+Drift), so a large value makes restarts expensive. It is
	// written into the cluster at Bootstrap and cannot be changed afterwards.
	MaxTTL time.Duration

	// TTL is how long a lease lives without renewal. Zero means MaxTTL. It
	// must be at least ten times NodeDeadline. A holder that dies blocks the
	// lock for this long.
	TTL time.Duration

	// NodeDeadline is how long the client waits for one answer of one node.
	// Zero means 100 ms. Below the real round-trip time nothing can be locked;
	// far above it, an operation that cannot reach a majority fails late.
	NodeDeadline time.Duration

	// Drift is ρ: by how much the rates of two clocks may differ, as a
	// fraction. Zero means 0.16, which covers two clocks that are slewed in
	// opposite directions. Danger: a value below what the clocks really do
	// lets two clients hold one lock.
	Drift float64

	// Prefix goes before every key and channel on the nodes. Empty is usual,
	// and needed to exclude redsync clients on the same names.
	Prefix string

	// FenceRetention is how long a node remembers the token of a name that is
	// not used. Zero means 24 h; nodes keep at least ten times MaxTTL. It
	// bounds memory and has no influence on safety.
	FenceRetention time.Duration

	// NoHint lets tokens count up from 1 rather than from the Unix time in
	// microseconds. Contenders then need a second round more often. Only speed
	// depends on it.
	NoHint bool

	// Poll is the longest time between two attempts of a waiting Lock. Zero
	// means 100 ms.
	Poll time.Duration

	// NoRejoin keeps this client from admitting nodes that lost their memory.
	// Danger: when all clients set it, nobody does, and each restart costs a
	// vote for ever. The same happens where every client lives for less than
	// MaxTTL·(1+Drift): the one that began to admit a node must live until the
	// wait is over. Short-lived programs need a long-lived client beside them.
	NoRejoin bool

	// RecoverByClock lets this client bootstrap the cluster by itself when too
	// few nodes are left to admit the others. Danger: token order then assumes
	// that no node's clock ever ran more than 60 s ahead of the largest node
	// time at recovery, and that MaxTTL is the largest that was ever in force.
	RecoverByClock bool

	// TLS is what the connections of rediss:// URLs are made with: own roots in
	// RootCAs, client certificates in Certificates. Nil means the system's roots
	// and no client certificate. It must not be changed afterwards.
	TLS *tls.Config

	// Clock is the client's clock. Nil means SystemClock.
	Clock Clock

	// Observer, if set, is told everything that the client does.
	Observer Observer

	// Logger receives what an operator should see: nodes that lost their
	// memory, differing configurations, re-admissions. Nil means none.
	Logger *slog.Logger
}

// Node is one independent Redis primary.
type Node struct {
	_ struct{}

	// Name identifies the node in the cluster's configuration. Empty means
	// host:port of URL. It is required where Driver is set, for Unix sockets and
	// behind proxies, and must be the same in every client.
	Name string

	// URL says how to reach it, with everything in brackets optional:
	//
	//	redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]
	//	rediss://… for the same with TLS
	//	unix://[USER:PASSWORD@]/PATH[?db=DATABASE] for a Unix socket
	//
	// An empty USER means the default one; redis-socket:// means unix://.
	// Exactly one of URL and Driver must be set.
	URL string

	// TLS is Config.TLS for this node alone.
	TLS *tls.Config

	// Driver reaches the node by other means: see FromPool. The client closes
	// it, so each client needs its own.
	Driver Driver
}

func badConfig(field string, value any, reason string) error {
	return &ConfigError{Field: field, Value: fmt.Sprint(value), Reason: reason}
}

// withDefaults returns c with zero fields replaced and everything checked but
// the URLs, which the drivers parse.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.MaxTTL, DefaultMaxTTL)
	setDefault(&c.TTL, c.MaxTTL)
	setDefault(&c.NodeDeadline, DefaultNodeDeadline)
	setDefault(&c.Drift, DefaultDrift)
	setDefault(&c.FenceRetention, DefaultFenceRetention)
	setDefault(&c.Poll, DefaultPoll)
	if c.Clock == nil {
		c.Clock = SystemClock()
	}
	switch {
	case len(c.Nodes) == 0:
		return c, badConfig("Nodes", "[]", "at least one node is needed")
	case len(c.Nodes) > quorum.MaxNodes:
		return c, badConfig("Nodes", fmt.Sprintf("%d nodes", len(c.Nodes)), fmt.Sprintf("at most %d nodes are supported", quorum.MaxNodes))
	case math.IsNaN(c.Drift) || c.Drift < 0 || c.Drift >= 1:
		return c, badConfig("Drift", c.Drift, "must be in [0,1)")
	case c.NodeDeadline < time.Millisecond:
		return c, badConfig("NodeDeadline", c.NodeDeadline, "must be at least 1ms")
	case c.MaxTTL < 0 || c.MaxTTL%time.Millisecond != 0:
		return c, badConfig("MaxTTL", c.MaxTTL, "must be a positive whole number of milliseconds")
	case c.MaxTTL > 24*time.Hour:
		return c, badConfig("MaxTTL", c.MaxTTL, "must be at most 24h: a restarted node may not vote for that long")
	case c.FenceRetention < 0:
		return c, badConfig("FenceRetention", c.FenceRetention, "must not be negative")
	case c.Poll < 0:
		return c, badConfig("Poll", c.Poll, "must not be negative")
	}
	if err := checkTTL("TTL", c.TTL, c); err != nil {
		return c, err
	}
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// checkTTL checks a lease's ttl against the limits of the (otherwise checked) config.
func checkTTL(field string, ttl time.Duration, c Config) error {
	switch {
	case ttl <= 0 || ttl%time.Millisecond != 0:
		return badConfig(field, ttl, "must be a positive whole number of milliseconds")
	case ttl < 10*c.NodeDeadline:
		return badConfig(field, ttl, fmt.Sprintf("must be at least ten times the node deadline (%v)", c.NodeDeadline))
	case ttl > c.MaxTTL:
		return badConfig(field, ttl, fmt.Sprintf("must be at most MaxTTL (%v)", c.MaxTTL))
	}
	if p := (quorum.Params{Drift: quorum.PPM(c.Drift)}); p.Validity(ttl) <= c.NodeDeadline+quorum.LossMargin {
		return badConfig(field, ttl, fmt.Sprintf("leaves no validity after drift (ρ = %v)", c.Drift))
	}
	return nil
}

// reserved is the prefix of the keys that the protocol keeps for itself.
const reserved = "redlock:"

// maxName is the largest length of a lock's or a node's name, in bytes.
const maxName = 1024

// checkName checks a lock's name.
func checkName(name string) error {
	switch {
	case name == "":
		return badConfig("name", `""`, "must not be empty")
	case len(name) > maxName:
		return badConfig("name", fmt.Sprintf("%.32q… (%d bytes)", name, len(name)), "must be at most 1 KiB")
	case strings.HasPrefix(name, reserved):
		return badConfig("name", fmt.Sprintf("%q", name), `names that begin with "redlock:" are reserved`)
	}
	return nil
}
