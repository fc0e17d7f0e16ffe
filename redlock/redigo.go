package redlock

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

const (
	// maxInFlight is how many calls may wait for a node's answer, and maxQueued
	// how many more may wait to be sent. Both are reached behind a node that
	// hangs; whatever is asked of it beyond that is refused at once, since it
	// could only come too late. Few are in flight, because what waits in the
	// queue for too long costs the node nothing, while what was sent is executed
	// all the same; a node 50 ms away still takes 5,000 calls a second.
	maxInFlight = 256
	maxQueued   = 1024

	minBackoff   = 10 * time.Millisecond
	maxBackoff   = 500 * time.Millisecond
	minHandshake = 100 * time.Millisecond
)

// driverOptions are the settings of a redigoDriver. The zero value of every
// field but nodeDeadline is usable.
type driverOptions struct {
	name         string        // the node's name; empty means the address
	nodeDeadline time.Duration // bounds connecting: see connect

	// onState is told when a connection is ready, and why there is none: a
	// connection that ended or an attempt that failed. It is called by one
	// goroutine, in order, must return quickly and must not call Close.
	onState func(up bool, err error)

	dial   func(ctx context.Context, network, address string) (net.Conn, error) // nil means the network
	tls    *tls.Config                                                          // for rediss; nil means the system's roots
	jitter func() float64                                                       // in [0,1), spreads reconnects; nil means random
}

// redigoDriver is the Driver that clients use by default. All calls share one
// connection, pipelined in the order of their Start: a writer takes whatever
// waits in the queue and flushes it at once, a reader hands out the replies.
// Three goroutines serve any number of calls, whatever the node does:
//
//	serve  connects, then writes, and connects again
//	read   reads, while there is a connection
//	watch  answers calls that waited too long, and gives up silent connections
//
// A call that is not answered in time is abandoned by itself: its place is kept,
// so that the answers to those behind it find them. Only a connection on which
// nothing at all was heard is given up.
//
// A done must return soon, since others wait behind it, and must not call
// Close. It may call Start; one that starts a call anew whenever it was refused
// recurses while it is being refused.
type redigoDriver struct {
	url  nodeURL
	opts driverOptions
	name string

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	wake  chan struct{} // of size 1: the queue may have become non-empty
	rearm chan struct{} // of size 1: armed moved forward

	// mu guards what follows. It is never held during I/O or a callback.
	mu       sync.Mutex
	closed   bool
	queue    wireQueue // not written yet
	inFlight wireQueue // handed to link's writer, oldest first; empty without a link
	heard    time.Time // when the last answer came, or the first of inFlight was taken after a pause
	link     *redigoLink
	lastErr  error     // why there is no link
	circuit  circuit   // how the last connections went
	made     uint64    // connections that became ready
	broken   uint64    // connections that ended, and attempts that failed
	armed    time.Time // when watch looks next; zero if nothing is open
}

// newRedigoDriver starts connecting in the background and returns at once.
func newRedigoDriver(u nodeURL, o driverOptions) *redigoDriver {
	if o.dial == nil {
		o.dial = new(net.Dialer).DialContext
	}
	if o.jitter == nil {
		o.jitter = rand.Float64
	}
	if o.onState == nil {
		o.onState = func(bool, error) {}
	}
	if u.tls && o.tls == nil {
		o.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	d := &redigoDriver{url: u, opts: o, name: o.name, wake: make(chan struct{}, 1), rearm: make(chan struct{}, 1)}
	if d.name == "" {
		d.name = u.address
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.work.Go(d.serve)
	d.work.Go(d.watch)
	return d
}

// String returns the node's name.
func (d *redigoDriver) String() string { return d.name }

// Start implements Driver.
func (d *redigoDriver) Start(call script.Call, timeout time.Duration, done func(script.Reply, error)) {
	d.ask(call, timeout, doneFunc(done), quorum.Ref{}, 0)
}

// ask implements asker.
func (d *redigoDriver) ask(call script.Call, timeout time.Duration, to answerer, ref quorum.Ref, sent time.Duration) {
	now := time.Now()
	d.mu.Lock()
	err := d.refuse(call.Op, timeout, now)
	d.mu.Unlock()
	if err != nil { // before anything was spent on the call
		to.answered(ref, sent, script.Reply{}, err)
		return
	}
	w := newWireCall(&call, now, timeout, to)
	w.ref, w.sent = ref, sent
	d.mu.Lock()
	if err = d.refuse(call.Op, timeout, now); err == nil { // still
		d.push(w)
	}
	d.mu.Unlock()
	if err != nil {
		w.fail(err)
	}
}

// refuse returns why a call cannot be taken. The caller holds mu.
func (d *redigoDriver) refuse(op script.Op, timeout time.Duration, now time.Time) error {
	switch {
	case d.closed:
		return errDriverClosed
	case op.SHA1() == "":
		return &UnsentError{Reason: fmt.Sprintf("unknown script %v", op)}
	case timeout <= 0:
		return &UnsentError{Reason: fmt.Sprintf("no time left (timeout %v)", timeout)}
	case d.queue.len() >= maxQueued:
		return &OverloadError{Node: d.name, Queued: d.queue.len(), InFlight: d.inFlight.len(), Limit: maxQueued, Cause: d.lastErr}
	}
	return d.circuit.refuse(d.name, now, d.link != nil, d.queue.len()+d.inFlight.len())
}

// push puts a call into the queue. The caller holds mu.
func (d *redigoDriver) push(w *wireCall) {
	d.queue.push(w)
	signal(d.wake)
	if by := w.sendBy(); d.armed.IsZero() || by.Before(d.armed) {
		d.armed = by
		signal(d.rearm)
	}
}

// resend queues a call again, as EVAL: the node does not have the script. It is
// still the same call, so its timeout goes on and the bound on open calls does
// not apply.
func (d *redigoDriver) resend(w *wireCall) {
	d.mu.Lock()
	closed := d.closed
	if !closed {
		w.eval = true
		d.push(w)
	}
	d.mu.Unlock()
	if closed {
		w.fail(errDriverClosed)
	}
}

// Close implements Driver. It may be called several times, from several
// goroutines; each call returns when everything has ended.
func (d *redigoDriver) Close() error {
	d.mu.Lock()
	d.closed = true
	link := d.link
	d.mu.Unlock()
	d.cancel()
	if link != nil {
		link.fail(errConnectionClosed)
	}
	d.work.Wait()
	return nil
}

var (
	errDriverClosed     error = &UnsentError{Reason: "the driver is closed", Cause: ErrClosed}
	errConnectionClosed error = &ConnectionError{Reason: "connection closed", Cause: ErrClosed}
)

// serve keeps a connection to the node until Close.
func (d *redigoDriver) serve() {
	for d.ctx.Err() == nil {
		link, err := d.connect()
		if err == nil {
			d.opts.onState(true, nil)
			err = d.use(link)
		}
		backoff, closed := d.disconnected(link, err)
		if !closed {
			d.opts.onState(false, err)
			d.pause(backoff)
		}
	}
	d.mu.Lock()
	calls := d.queue.takeAll(nil)
	d.mu.Unlock()
	failAll(calls, errDriverClosed)
}

// disconnected notes why there is no connection any longer, answers the queue
// if waiting cannot help, and returns how long to wait before the next attempt.
// link is nil if none was made.
func (d *redigoDriver) disconnected(link *redigoLink, err error) (backoff time.Duration, closed bool) {
	now := time.Now()
	var calls []*wireCall
	var why error
	d.mu.Lock()
	d.lastErr = err
	d.broken++
	down := false
	if link == nil || !link.answered {
		down = d.circuit.failed(now, err)
	}
	switch {
	case d.closed: // serve answers the queue
	case down:
		calls, why = d.queue.takeAll(nil), d.circuit.down(d.name, now)
	case link == nil && refused(err):
		// An answer like this will not change by waiting, and the caller should
		// see it rather than a timeout.
		calls, why = d.queue.takeAll(nil), &UnsentError{Reason: "no connection", Cause: err}
	}
	backoff, closed = d.circuit.backoff(), d.closed
	d.mu.Unlock()
	failAll(calls, why)
	return backoff, closed
}

// pause waits for half of the backoff and up to as much again, so that clients
// that lost a node together do not come back together.
func (d *redigoDriver) pause(backoff time.Duration) {
	half := backoff / 2
	timer := time.NewTimer(half + time.Duration(d.opts.jitter()*float64(half)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.ctx.Done():
	}
}

// use runs a connection until it fails, answers what was in flight, and returns
// why it failed.
func (d *redigoDriver) use(link *redigoLink) error {
	d.mu.Lock()
	d.link, d.lastErr = link, nil
	d.made++
	closed := d.closed
	d.mu.Unlock()
	if closed { // Close came before it could see this connection
		link.fail(errConnectionClosed)
	}
	signal(d.wake) // for what was queued while there was no connection

	var reader sync.WaitGroup
	reader.Go(func() { d.read(link) })
	d.write(link)
	reader.Wait()

	d.mu.Lock()
	d.link = nil
	d.lastErr = link.err
	calls := d.inFlight.takeAll(nil)
	d.mu.Unlock()
	failAll(calls, link.err)
	return link.err
}

// Stats implements StatsDriver.
func (d *redigoDriver) Stats() DriverStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := DriverStats{
		State: NodeUp, Queued: d.queue.len(), InFlight: d.inFlight.len(),
		Connects: d.made, Failures: d.broken, LastErr: d.lastErr,
	}
	switch tripped := d.circuit.tripped(); {
	case d.link == nil && tripped:
		s.State = NodeDown
	case d.link == nil:
		s.State = NodeConnecting
	case tripped:
		s.State = NodeTrying
	}
	return s
}

// signal makes a channel of size 1 ready without waiting.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var (
	_ StatsDriver = (*redigoDriver)(nil)
	_ asker       = (*redigoDriver)(nil)
)
