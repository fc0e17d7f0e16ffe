package redlock

import (
	"context"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// poolCall is one call on a pool.
type poolCall struct {
	call    script.Call
	start   time.Time
	timeout time.Duration
	done    func(script.Reply, error)

	// guarded by the driver's mu
	state poolState
	timer *time.Timer // fires at the timeout, then at twice the timeout
}

// poolState is where a call stands.
type poolState uint8

const (
	poolQueued  poolState = iota // it waits for a goroutine
	poolRunning                  // the pool has it
	poolHung                     // the pool still has it, but the caller was told that there is no answer
	poolEnded
)

func (c *poolCall) answerBy() time.Time { return c.start.Add(2 * c.timeout) }

func (c *poolCall) fail(err error) { c.done(script.Reply{}, err) }

// keysAndArgs is what the pools take: keys and arguments as strings in one list.
func (c *poolCall) keysAndArgs() (keys int, all []any) {
	k, a := c.call.Keys(), c.call.Args()
	all = make([]any, 0, len(k)+len(a))
	for _, s := range k {
		all = append(all, s)
	}
	for _, s := range a {
		all = append(all, s)
	}
	return len(k), all
}

// work runs calls, one after the other, until there are none.
func (d *poolDriver) work() {
	for c := d.next(); c != nil; c = d.next() {
		ctx, cancel := context.WithDeadline(d.ctx, c.answerBy())
		keys, all := c.keysAndArgs()
		raw, asked, err := d.eval(ctx, c.call.Op, keys, all)
		cancel()
		d.returned(c, raw, poolError(asked, err))
	}
}

// next takes the oldest call that may run, or ends the goroutine that asks.
func (d *poolDriver) next() *poolCall {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.runnable()
	if c == nil {
		d.running--
		return nil
	}
	d.remove(c)
	c.state = poolRunning
	d.asked++
	if c.call.ID != "" {
		d.busy[c.call.ID] = struct{}{}
	}
	return c
}

// runnable is the oldest call whose id no running call has. Calls of one attempt
// keep their order, since pools have many connections: a RELEASE that overtook
// its ACQUIRE would leave a lock that nobody holds. Behind a call that hangs the
// order is lost, as it is on a network that loses a connection.
func (d *poolDriver) runnable() *poolCall {
	for _, c := range d.queue {
		if _, busy := d.busy[c.call.ID]; !busy {
			return c
		}
	}
	return nil
}

// returned takes what the pool made of a call.
func (d *poolDriver) returned(c *poolCall, raw any, err error) {
	d.mu.Lock()
	if err == nil || fromServer(err) {
		d.circuit.answered() // also by a call that was given up: the node lives
		d.lastErr = nil
	}
	if c.state == poolHung {
		d.hung--
		d.dispatch()
		d.mu.Unlock()
		return
	}
	c.timer.Stop()
	d.end(c)
	if err != nil && !fromServer(err) {
		d.failed(err)
	}
	d.dispatch()
	d.mu.Unlock()
	if err != nil {
		c.fail(err)
		return
	}
	c.done(script.Decode(c.call.Op, c.call.Hint, raw))
}

// due ends a call that waited for too long: at its timeout if nobody has begun
// it, at twice the timeout if the pool hangs.
func (d *poolDriver) due(c *poolCall) {
	d.mu.Lock()
	var err error
	switch c.state {
	case poolQueued:
		d.remove(c)
		delete(d.calls, c)
		c.state = poolEnded
		err = &UnsentError{Reason: "waited in the queue for " + c.timeout.String(), Cause: d.lastErr}
	case poolRunning:
		if left := time.Until(c.answerBy()); left > 0 {
			c.timer.Reset(left)
			break
		}
		err = &ConnectionError{Reason: "no answer from the pool within " + (2 * c.timeout).String(), Cause: context.DeadlineExceeded}
		d.end(c)
		c.state = poolHung
		d.hung++
		d.failed(err)
		d.dispatch()
	}
	d.mu.Unlock()
	if err != nil {
		c.fail(err)
	}
}
