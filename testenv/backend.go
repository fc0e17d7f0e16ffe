package testenv

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// Backend is what the nodes run in.
type Backend string

// The backends.
const (
	// BackendProcess runs each node as a process of this machine, on a port of
	// 127.0.0.1. It is the default.
	BackendProcess Backend = "process"
	// BackendContainer runs each node in a container, with an address of its own
	// on a network of the run's own.
	BackendContainer Backend = "container"
)

// backend is all in which servers of this machine and containers differ; what
// is proxied, confirmed and promised is the same for both.
type backend interface {
	// seat makes a place for a node.
	seat(ctx context.Context, n *Node) (seat, error)
	// close removes what is left once all servers have ended.
	close() error
}

// seat is where a node's servers run, one after the other. All but the two
// addresses are called by one goroutine at a time.
type seat interface {
	// addr is the server's host:port as we reach it. It never changes.
	addr() string
	// peerAddr is the same as another node's server reaches it.
	peerAddr() string
	// launch starts a server, which has the memory of the last one.
	launch(ctx context.Context) (server, error)
	// wipe takes the memory away. The server must be dead.
	wipe(ctx context.Context) error
	// forget cuts the newest writes off the memory. The server must be dead.
	forget(ctx context.Context, now time.Time) error
	// unplug takes the seat off the network, and plug puts it back.
	unplug(ctx context.Context) error
	plug(ctx context.Context) error
	// release gives back what outlives the servers.
	release()
}

// server is one server, from its start until it is gone. Its methods may be
// called from many goroutines at once.
type server interface {
	// hostPid is its process, as the system that runs it numbers it.
	hostPid() int
	// ownPid is the same as the server itself sees it.
	ownPid() int
	// gone reports whether it has ended and left nothing running.
	gone() bool
	// end sends a signal and waits until it is gone.
	end(ctx context.Context, sig syscall.Signal) error
	// freeze returns once it is seen to stand still.
	freeze(ctx context.Context) error
	// thaw lets it go on.
	thaw(ctx context.Context) error
}

// settings are what a server's configuration depends on.
type settings struct {
	version  version
	password string
	bind     string
	port     int
	data     string // folder of the append-only file
	log      string // empty means standard output
	persist  Persistence
	more     []string
}

// conf is a server's configuration file. Nothing is rewritten in the background
// and every write is on disk before its reply (or nothing ever is), so that
// memory is kept or lost only when a fault says so.
func (s settings) conf() string {
	lines := []string{
		fmt.Sprintf("port %d", s.port),
		"bind " + s.bind,
		"protected-mode no",
		"daemonize no",
		// A frozen server's clients reconnect; when its queue is full, proxies hang
		// in connecting and recover seconds after it was thawed.
		"tcp-backlog 4096",
		"dir " + confQuote(s.data),
		"logfile " + confQuote(s.log),
		`save ""`,
		"appendonly " + map[bool]string{true: "yes", false: "no"}[s.persist != PersistNothing],
		"appendfsync always",
		"aof-use-rdb-preamble no",
		"auto-aof-rewrite-percentage 0",
		"maxmemory-policy noeviction",
		"repl-backlog-size 1mb",
		"repl-diskless-sync-delay 0",
	}
	if s.version.major >= 7 {
		// PartialMemory tells by it what was written when.
		lines = append(lines, "aof-timestamp-enabled yes")
	}
	if s.password != "" {
		lines = append(lines, "requirepass "+confQuote(s.password), "masterauth "+confQuote(s.password))
	}
	lines = append(lines, s.more...)
	return strings.Join(lines, "\n") + "\n"
}

// confQuote quotes a word for a configuration file.
func confQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
