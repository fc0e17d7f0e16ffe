// Package subject puts the locks that are compared under one interface: this
// project's, redsync, rueidislock, bsm/redislock, and two floors that do
// without everything that makes a lock of it.
//
// It guarantees that every subject of a run reaches the same servers at the
// same addresses with the same ttl, and that Unlock returns once the lock can
// be had by somebody else. It does not make them equal: each keeps the defaults
// of its library, which Subject.Note tells apart.
package subject

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// TTL is the ttl of every lock in a benchmark, long enough never to matter.
const TTL = 10 * time.Second

// ErrNoExtend says that a subject cannot extend a lock on request.
var ErrNoExtend = errors.New("subject cannot extend")

// Nodes are the servers that a subject locks on.
type Nodes struct {
	Names []string // the nodes' names, the same for every client
	Addrs []string // host:port, of the server or of a proxy in front of it
}

// First returns the first n nodes.
func (n Nodes) First(count int) Nodes {
	return Nodes{n.Names[:count], n.Addrs[:count]}
}

// Subject is one way to lock.
type Subject struct {
	Name string // short, without spaces: "quorumlock", "redsync-redigo"
	// Note is what a reader must know beside the name.
	Note string
	// OneServer says that it locks on the first node alone, whatever it is given.
	OneServer bool
	// Waits says that Lock waits while another holds the lock.
	Waits bool
	// OnPool says that this project's lock runs on somebody else's client.
	OnPool bool
	// Open makes one client of the nodes, as a process of its own would have.
	Open func(ctx context.Context, n Nodes) (Client, error)
}

// Client is one client of a subject. Its methods may be called from many
// goroutines at once.
type Client interface {
	// Lock returns a handle on the lock of that name.
	Lock(name string) (Lock, error)
	// Close ends the client's connections.
	Close() error
}

// Lock is one goroutine's handle on one lock: not to be used by several at once.
type Lock interface {
	// Try makes one attempt.
	Try(ctx context.Context) error
	// Lock waits until it holds the lock or ctx ends.
	Lock(ctx context.Context) error
	// Extend prolongs what is held; ErrNoExtend where there is no such thing.
	Extend(ctx context.Context) error
	// Unlock returns once the lock was given up.
	Unlock(ctx context.Context) error
}

// All returns the subjects in the order in which they are measured and shown.
func All() []Subject {
	return []Subject{
		Ours(), Floor(), FloorScripts(), Redsync("redigo"), Redsync("goredis"), Rueidislock(), Redislock(),
	}
}

// ByName returns one of All. It panics for a name that is not there, which is
// a mistake of this module's.
func ByName(name string) Subject {
	for _, s := range All() {
		if s.Name == name {
			return s
		}
	}
	panic(fmt.Sprintf("no subject %q", name))
}
