// Package redlock is a lock held on a majority of independent Redis primaries.
//
// A [Client] knows the nodes, a [Mutex] names a lock, and Lock returns a
// [Lease]: renewed by itself until Unlock, with a context that ends no later
// than the lease does, and with a fencing token that is greater than that of
// every earlier lease.
//
// # What it guarantees
//
// As long as the relative rates of the clocks stay within Config.Drift, no two
// leases of one lock are valid at once, and a lease's context ends before
// another client gets the lock. Whatever clocks and pauses do, tokens are
// unique and strictly increasing, so a resource that refuses tokens below the
// highest it has seen (package fencing) is written by one holder after the
// other. Nodes that lost their memory are kept from voting until they can do
// no harm. All of it assumes that nodes keep their memory otherwise, evict
// nothing and are not tampered with.
//
// # What it does not
//
// Without a fence, a holder that was paused can write after its lease ended:
// no lock can prevent that. As a rule, waiters are served in the order in which
// they came, but not where nodes fail or TryLock and other libraries' clients
// cut in. If fewer than a majority of nodes may vote, nothing can be locked.
//
// The package deliberately imports no metrics, no container tooling and no
// test harness; of a Redis client only redigo.
package redlock

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// Client locks on one cluster of nodes. Make it with New and Close it. All
// methods may be called from many goroutines at once.
type Client struct {
	cfg       Config
	params    quorum.Params
	clock     Clock
	nodes     []*node // sorted by name
	names     []string
	scheduler *scheduler
	members   *members
	lines     *lines
	tasks     sync.WaitGroup // goroutines of background

	releasing atomic.Int64 // leases and attempts that send RELEASE

	closing chan struct{} // closed when Close begins
	mu      sync.Mutex    // guards what follows
	hints   quorum.Hints
	closed  bool
	leases  map[*Lease]struct{}
	drained chan struct{} // Close waits: closed once leases is empty
}

// New checks cfg and returns a client for it. It does not wait for the nodes:
// what is wrong with them is told by the first operation. An error is a
// *ConfigError; drivers that were given are then left open.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg:       cfg,
		clock:     cfg.Clock,
		params:    quorum.Params{N: len(cfg.Nodes), NodeDeadline: cfg.NodeDeadline, MaxTTL: cfg.MaxTTL, Drift: quorum.PPM(cfg.Drift)},
		scheduler: &scheduler{clock: cfg.Clock},
		closing:   make(chan struct{}),
		leases:    make(map[*Lease]struct{}),
	}
	c.scheduler.busy = c.busy
	if err := c.openNodes(); err != nil {
		for _, n := range c.nodes {
			if n.own {
				n.driver.Close()
			}
		}
		return nil, err
	}
	c.members = newMembers(c)
	c.lines = newLines(c)
	return c, nil
}

// Close releases what the client still holds, waits up to two node deadlines
// for the nodes to confirm, and ends every goroutine and connection. Operations
// under way return ErrClosed. Close may be called more than once.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	c.lines.close()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	close(c.closing)
	leases := make([]*Lease, 0, len(c.leases))
	for l := range c.leases {
		leases = append(leases, l)
	}
	c.drained = make(chan struct{})
	if len(leases) == 0 {
		close(c.drained)
	}
	c.mu.Unlock()

	for _, l := range leases {
		l.abandon()
	}
	patience := make(chan struct{})
	stop := c.clock.AfterFunc(2*c.cfg.NodeDeadline, func() { close(patience) })
	select {
	case <-c.drained:
	case <-patience:
	}
	stop()
	c.scheduler.close()
	c.tasks.Wait()
	return c.closeNodes()
}

// abandon ends an attempt or a lease because the client closes.
func (l *Lease) abandon() {
	l.task.step(func(now quorum.Time, out *quorum.Effects) {
		l.hold.Leave(now, out)
		l.hold.Cancel(now, out)
		if l.hold.Phase() == quorum.Holding {
			l.observe(Event{Kind: EventRelease})
		}
		if l.hold.Unlock(now, out) {
			l.cleans()
		}
		l.cancel(ErrClosed)
	})
}

// keepLease makes Close wait for the lease; it fails once Close has begun.
func (c *Client) keepLease(l *Lease) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.leases[l] = struct{}{}
	return true
}

func (c *Client) dropLease(l *Lease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.leases[l]; !ok {
		return
	}
	delete(c.leases, l)
	if l.cleaning {
		c.releasing.Add(-1)
	}
	if c.closed && len(c.leases) == 0 {
		close(c.drained)
	}
}

// keep is the fences' retention: at least ten times MaxTTL, so that no running
// hold's fence is ever dropped.
func (c *Client) keep() time.Duration { return max(c.cfg.FenceRetention, 10*c.cfg.MaxTTL) }

// newID draws an attempt's id: 15 random bytes as 20 characters.
func (c *Client) newID() string {
	var b [15]byte
	var id [20]byte
	rand.Read(b[:]) // never fails, says its documentation
	base64.RawURLEncoding.Encode(id[:], b[:])
	return string(id[:])
}

// random draws a number for jitter.
func random() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

// hint is the token that a new attempt aims at; 0 for none.
func (c *Client) hint(off bool) uint64 {
	if off {
		return 0
	}
	wall := time.Now()
	if w, ok := c.clock.(WallClock); ok {
		wall = w.Wall()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hints.Next(wall.UnixMicro())
}

// sawToken notes the token that an event tells, if it does.
func (c *Client) sawToken(e quorum.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hints.Note(e)
}

// closedError is what operations on a closed client return.
func closedError(op, name string) error { return &Error{Op: op, Name: name, Kind: ErrClosed} }
