package redlock

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock/script"
)

const (
	maxPoolCalls  = 64          // goroutines inside the pool of one node
	closePatience = time.Second // how long Close waits for a pool that hangs
)

// evalFunc executes a script on a connection of a pool. asked says whether there
// was a connection.
type evalFunc func(ctx context.Context, op script.Op, keys int, keysAndArgs []any) (raw any, asked bool, err error)

// poolDriver is the Driver over somebody else's Redis client, which may ignore
// contexts, hang, and have any number of connections. Each call runs on a
// goroutine that ends when nothing is left to do; the time limits are enforced
// by timers, so that nobody waits for the client.
type poolDriver struct {
	eval    evalFunc
	jitter  func() float64 // in [0,1)
	ctx     context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu      sync.Mutex // guards what follows; never held while the pool or done is called
	name    string     // the node's
	closed  bool
	queue   []*poolCall         // not begun yet, oldest first
	busy    map[string]struct{} // ids of running calls
	calls   map[*poolCall]struct{}
	running int // goroutines
	asked   int // calls that the pool has and that have not ended
	hung    int // calls that were given up while the pool has them

	circuit  circuit
	retry    time.Time // when the next call may try the node, while the circuit is open
	failures uint64
	lastErr  error
}

func newPoolDriver(eval evalFunc) *poolDriver {
	d := &poolDriver{eval: eval, jitter: rand.Float64, busy: make(map[string]struct{}), calls: make(map[*poolCall]struct{})}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// setName tells the driver the name of its node, for errors.
func (d *poolDriver) setName(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.name = name
}

// Start implements Driver.
func (d *poolDriver) Start(call script.Call, timeout time.Duration, done func(script.Reply, error)) {
	c := &poolCall{call: call, start: time.Now(), timeout: timeout, done: done}
	d.mu.Lock()
	err := d.refuse(c)
	if err == nil {
		d.queue = append(d.queue, c)
		d.calls[c] = struct{}{}
		c.timer = time.AfterFunc(timeout, func() { d.due(c) })
		d.dispatch()
	}
	d.mu.Unlock()
	if err != nil {
		c.fail(err)
	}
}

// refuse returns why a call cannot be taken. d.mu is held.
func (d *poolDriver) refuse(c *poolCall) error {
	switch {
	case d.closed:
		return errDriverClosed
	case c.call.Op.SHA1() == "":
		return &UnsentError{Reason: fmt.Sprintf("unknown script %v", c.call.Op)}
	case c.timeout <= 0:
		return &UnsentError{Reason: fmt.Sprintf("no time left (timeout %v)", c.timeout)}
	case len(d.queue) >= maxQueued:
		return &OverloadError{Node: d.name, Queued: len(d.queue), InFlight: d.asked + d.hung, Limit: maxQueued, Cause: d.lastErr}
	}
	return d.circuit.refuse(d.name, c.start, !c.start.Before(d.retry), len(d.queue)+d.asked)
}

// dispatch starts a goroutine if there is something for it to do. d.mu is held.
func (d *poolDriver) dispatch() {
	if d.running < maxPoolCalls && d.runnable() != nil {
		d.running++
		d.workers.Go(d.work)
	}
}

// remove takes a call out of the queue. d.mu is held.
func (d *poolDriver) remove(c *poolCall) {
	if len(d.queue) > 0 && d.queue[0] == c {
		d.queue[0] = nil
		d.queue = d.queue[1:]
		return
	}
	if i := slices.Index(d.queue, c); i >= 0 {
		d.queue = slices.Delete(d.queue, i, i+1)
	}
}

// end notes that a running call's caller is told. d.mu is held.
func (d *poolDriver) end(c *poolCall) {
	c.state = poolEnded
	d.asked--
	delete(d.busy, c.call.ID)
	delete(d.calls, c)
}

// failed notes a call that came to nothing. Once the circuit is open one call in
// 250 to 500 ms tries the node. d.mu is held.
func (d *poolDriver) failed(err error) {
	d.failures++
	d.lastErr = err
	now := time.Now()
	if d.circuit.failed(now, err) {
		d.retry = now.Add(maxBackoff/2 + time.Duration(d.jitter()*float64(maxBackoff/2)))
	}
}

// Close implements Driver. It answers every call, and waits a second at most
// for the pool to return; the error tells of calls that hang in it, whose
// goroutines end when it does.
func (d *poolDriver) Close() error {
	d.mu.Lock()
	d.closed = true
	open := make([]*poolCall, 0, len(d.calls))
	queued := make(map[*poolCall]bool, len(d.queue))
	for c := range d.calls {
		open = append(open, c)
		c.timer.Stop()
		if c.state == poolQueued {
			queued[c] = true
			c.state = poolEnded
			continue
		}
		d.end(c)
		c.state = poolHung
		d.hung++
	}
	clear(d.calls)
	d.queue = nil
	d.mu.Unlock()
	d.cancel()
	for _, c := range open {
		if queued[c] {
			c.fail(errDriverClosed)
		} else {
			c.fail(errConnectionClosed)
		}
	}
	return d.wait()
}

func (d *poolDriver) wait() error {
	ended := make(chan struct{})
	go func() {
		d.workers.Wait()
		close(ended)
	}()
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	select {
	case <-ended:
		return nil
	case <-patience.C:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return &HungError{Node: d.name, Calls: d.hung}
}

// Stats implements StatsDriver.
func (d *poolDriver) Stats() DriverStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := DriverStats{State: NodeUp, Queued: len(d.queue), InFlight: d.asked + d.hung, Failures: d.failures, LastErr: d.lastErr}
	if d.circuit.tripped() {
		s.State = NodeDown
		if !time.Now().Before(d.retry) {
			s.State = NodeTrying
		}
	}
	return s
}

// HungError says that calls hang inside a pool's driver although the client was
// closed: their goroutines end when it returns.
type HungError struct {
	Node  string // the node's name
	Calls int    // how many calls hang
}

// Error names the node and the number.
func (e *HungError) Error() string {
	return fmt.Sprintf("redlock: %d calls hang in the pool of %s", e.Calls, e.Node)
}

// poolError types what a pool returned.
func poolError(asked bool, err error) error {
	if err == nil {
		return nil
	}
	if !asked {
		return &UnsentError{Reason: "no connection from the pool", Cause: err}
	}
	if text, ok := serverText(err); ok {
		typed := serverError(text)
		if server, ok := typed.(*ServerError); ok {
			server.relayed = true
		}
		return typed
	}
	return &ConnectionError{Reason: "the pool's driver failed", Cause: err}
}

// serverText is what the node answered, if err is such an answer. The types of
// the clients are recognised by a method that each has for itself.
func serverText(err error) (string, bool) {
	var redigo redis.Error
	if errors.As(err, &redigo) {
		return string(redigo), true
	}
	var goredis interface {
		error
		RedisError()
	}
	if errors.As(err, &goredis) {
		return goredis.Error(), true
	}
	var rueidis interface { // and valkey-go
		error
		IsNoScript() bool
	}
	if errors.As(err, &rueidis) {
		return rueidis.Error(), true
	}
	return "", false
}

// fromServer reports whether a typed error is a node's answer.
func fromServer(err error) bool {
	var server *ServerError
	var unsupported *UnsupportedError
	return errors.As(err, &server) || errors.As(err, &unsupported)
}

var _ StatsDriver = (*poolDriver)(nil)
