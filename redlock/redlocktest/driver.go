package redlocktest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// ErrNoAnswer is how a Driver ends a call that its node did not answer: whether
// the node executed it is unknown.
var ErrNoAnswer = errors.New("redlocktest: no answer")

var errNotReached = fmt.Errorf("redlocktest: node not reached: %w", script.ErrNotSent)

// incarnations makes those of all drivers of a process different, as those of
// real servers are.
var incarnations atomic.Uint64

func newIncarnation() string { return fmt.Sprintf("%040x", incarnations.Add(1)) }

// Driver is a node in memory behind the lock's driver interface. Give one to
// each node of a cluster's configuration, and share it among the clients under
// test: they then meet at the same node. A client closes the drivers that it is
// given, so clients that come and go need one handle each: see Handle.
//
// Calls are executed one at a time and, unless Delay or Hang say otherwise, at
// once: done is called before Start returns. All methods are safe for
// concurrent use. Use NewDriver.
type Driver struct {
	node *node

	mu     sync.Mutex // guards what follows; taken before node.mu
	closed bool
	open   map[*pending]struct{}
	work   sync.WaitGroup // timers and callbacks under way
}

// node is what the handles of one node share.
type node struct {
	now func() time.Time

	mu       sync.Mutex // guards what follows
	state    State
	down     bool
	hang     bool
	request  time.Duration
	reply    time.Duration
	restarts int                                 // a request that was sent before a restart is lost
	ears     map[*Driver]map[string]func(string) // by handle and channel
}

// NewDriver returns a driver of a new, empty node. now is the node's clock; nil
// means time.Now, which in a bubble of testing/synctest is the bubble's clock.
func NewDriver(now func() time.Time) *Driver {
	if now == nil {
		now = time.Now
	}
	return newHandle(&node{now: now, state: NewState(newIncarnation()), ears: make(map[*Driver]map[string]func(string))})
}

func newHandle(n *node) *Driver {
	return &Driver{node: n, open: make(map[*pending]struct{})}
}

// Handle returns another driver of the same node, to be closed by itself.
func (d *Driver) Handle() *Driver { return newHandle(d.node) }

// Update calls f with the node's state and its time in Unix µs. No call is
// executed meanwhile. f must neither keep s nor use the driver.
func (d *Driver) Update(f func(s *State, now int64)) {
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	f(&d.node.state, d.node.now().UnixMicro())
}

// Down makes the node unreachable, as a server that was stopped: calls are
// answered at once with an error that is script.ErrNotSent.
func (d *Driver) Down(down bool) {
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	d.node.down = down
}

// Hang makes the node swallow calls, as behind a network that drops packets:
// they are not executed and end with ErrNoAnswer after twice their timeout.
func (d *Driver) Hang(hang bool) {
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	d.node.hang = hang
}

// Delay makes later calls take request until they are executed and reply until
// they are answered. A call that would take longer than twice its timeout in
// all ends with ErrNoAnswer by then, and is executed nevertheless.
func (d *Driver) Delay(request, reply time.Duration) {
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	d.node.request, d.node.reply = request, reply
}

// Restart restarts the server: it gets a new incarnation, keeps its keys if
// keepMemory says so, and never executes calls that have not yet reached it.
func (d *Driver) Restart(keepMemory bool) {
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	d.node.restarts++
	d.node.state.Restart(newIncarnation())
	if !keepMemory {
		d.node.state.FlushAll()
	}
}

// FlushAll removes all keys of the node; its incarnation stays.
func (d *Driver) FlushAll() { d.Update(func(s *State, _ int64) { s.FlushAll() }) }

// pending is a call that was not over when Start returned.
type pending struct {
	call     script.Call
	done     func(script.Reply, error)
	restarts int
	delay    time.Duration // from execution to answer
	answered bool
	request  *time.Timer // executes the call; nil when that is over or never comes
	reply    *time.Timer // answers it, likewise
	giveUp   *time.Timer
}

// Start executes the call as the lock's driver interface says.
func (d *Driver) Start(call script.Call, timeout time.Duration, done func(script.Reply, error)) {
	d.mu.Lock()
	n := d.node
	n.mu.Lock()
	if d.closed || n.down {
		n.mu.Unlock()
		d.mu.Unlock()
		done(script.Reply{}, errNotReached)
		return
	}
	if !n.hang && n.request <= 0 && n.reply <= 0 {
		r, tell := n.apply(&call)
		n.mu.Unlock()
		d.work.Add(1)
		d.mu.Unlock()
		defer d.work.Done()
		tell()
		done(r, nil)
		return
	}
	p := &pending{call: call, done: done, restarts: n.restarts, delay: n.reply}
	hang, request := n.hang, n.request
	n.mu.Unlock()
	d.open[p] = struct{}{}
	p.giveUp = d.after(2*timeout, func() { d.answer(p, script.Reply{}, ErrNoAnswer) })
	if !hang {
		p.request = d.after(request, func() { d.execute(p) })
	}
	d.mu.Unlock()
}

// after starts a timer that Close waits for. d.mu is held.
func (d *Driver) after(wait time.Duration, f func()) *time.Timer {
	d.work.Add(1)
	return time.AfterFunc(wait, func() {
		defer d.work.Done()
		f()
	})
}

// stop stops a timer of after. d.mu is held.
func (d *Driver) stop(t *time.Timer) {
	if t != nil && t.Stop() {
		d.work.Done()
	}
}

// execute lets a delayed call take effect, also one whose caller was told that
// there is no answer.
func (d *Driver) execute(p *pending) {
	d.mu.Lock()
	p.request = nil
	n := d.node
	n.mu.Lock()
	if n.restarts != p.restarts {
		n.mu.Unlock() // the connection went with the server: no answer comes
		d.forget(p)
		d.mu.Unlock()
		return
	}
	r, tell := n.apply(&p.call)
	n.mu.Unlock()
	defer tell()
	switch {
	case p.answered:
		d.forget(p)
	case p.delay > 0:
		p.reply = d.after(p.delay, func() { d.answer(p, r, nil) })
	default:
		defer d.answer(p, r, nil)
	}
	d.mu.Unlock()
}

// answer ends a call unless it was answered before.
func (d *Driver) answer(p *pending, r script.Reply, err error) {
	d.mu.Lock()
	if p.answered {
		d.mu.Unlock()
		return
	}
	p.answered = true
	d.stop(p.giveUp)
	d.stop(p.reply)
	d.forget(p)
	d.mu.Unlock()
	p.done(r, err)
}

// apply executes a call, and returns what tells the waiter whose turn it is,
// to be called without locks. n.mu is held.
func (n *node) apply(c *script.Call) (r script.Reply, tell func()) {
	r = n.state.Apply(c, n.now().UnixMicro())
	place, ok := n.state.Woken()
	if !ok {
		return r, func() {}
	}
	var all []func(string)
	for _, channels := range n.ears {
		if heard := channels[script.Channel(c.Prefix, place.Client)]; heard != nil {
			all = append(all, heard)
		}
	}
	return r, func() {
		for _, heard := range all {
			heard(place.String())
		}
	}
}

// Subscribe hears what the node tells on a channel, until Close. Messages are
// not delayed; a node that is down or hangs executes nothing and so tells
// nothing.
func (d *Driver) Subscribe(channel string, heard func(string), state func(bool)) {
	d.mu.Lock()
	d.node.mu.Lock()
	listening := !d.closed
	if listening {
		if d.node.ears[d] == nil {
			d.node.ears[d] = make(map[string]func(string))
		}
		d.node.ears[d][channel] = heard
	}
	d.node.mu.Unlock()
	d.mu.Unlock()
	state(listening)
}

// forget drops a call that is answered and has nothing left to execute. d.mu is
// held.
func (d *Driver) forget(p *pending) {
	if p.answered && p.request == nil {
		delete(d.open, p)
	}
}

// Close answers every open call of this handle with ErrNoAnswer, drops the
// requests that have not reached the node, and waits for timers and callbacks.
// It must not be called from a callback.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	d.node.mu.Lock()
	delete(d.node.ears, d)
	d.node.mu.Unlock()
	var open []*pending
	for p := range d.open {
		d.stop(p.request)
		d.stop(p.reply)
		d.stop(p.giveUp)
		if !p.answered {
			p.answered = true
			open = append(open, p)
		}
	}
	clear(d.open)
	d.mu.Unlock()
	for _, p := range open {
		p.done(script.Reply{}, ErrNoAnswer)
	}
	d.work.Wait()
	return nil
}
