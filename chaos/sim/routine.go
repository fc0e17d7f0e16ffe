package sim

import (
	"iter"
	"math"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// routine is a line of control that waits: a worker's, or a story's. It is a
// coroutine, not a goroutine that runs by itself: it runs while the simulator
// has resumed it, and the simulator stands still meanwhile. So nothing is ever
// concurrent, and what a routine does can be written down from top to bottom.
type routine struct {
	run    *run
	index  int32
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool

	client *client // who is waited in: while it is frozen, so is the routine; nil for nobody
	gen    uint32  // wakes of another generation are void
	waits  bool    // it is suspended
	until  int64   // when it wants to be woken at the latest, on the clock of client or in true time
	woken  bool    // a wake is on its way
	key    stream
	wakes  uint64
}

const never = math.MaxInt64

// start lets body run as a routine. It begins with the next wake.
func (r *run) start(client *client, key stream, body func(*routine)) *routine {
	c := &routine{run: r, index: int32(len(r.routines)), client: client, key: key, until: never}
	c.resume, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		body(c)
	})
	r.routines = append(r.routines, c)
	c.wake()
	return c
}

// wake lets the routine go on soon: what it waits for may have happened. The
// small delay is a scheduler's.
func (c *routine) wake() {
	if c.woken {
		return
	}
	c.woken = true
	c.wakes++
	c.run.push(event{at: c.run.now + within(c.key.at(c.wakes), 1000, 20_000), kind: evWake, who: c.index, gen: c.gen})
}

// pause suspends the routine until it is woken, or until the given time on the
// clock of client, or true time where that is nil. It may be woken for nothing.
// It returns false when the routine must end at once: its client is dead, or
// the run is over.
func (c *routine) pause(client *client, until int64) bool {
	c.client, c.until, c.waits = client, until, true
	c.timer()
	ok := c.yield(struct{}{})
	c.waits = false
	return ok && (c.client == nil || !c.client.dead)
}

// timer plans the wake at until.
func (c *routine) timer() {
	if c.until == never {
		return
	}
	at := c.until
	if c.client != nil {
		at = c.client.clock.when(at)
	}
	c.run.push(event{at: max(c.run.now, at), kind: evWake, who: c.index, gen: c.gen})
}

// woke is the event.
func (r *run) woke(e event) {
	c := r.routines[e.who]
	if c.gen != e.gen {
		return
	}
	if c.client != nil {
		if c.client.dead {
			return
		}
		if c.client.frozen > 0 {
			c.client.park(e)
			return
		}
	}
	c.gen++
	c.woken = false
	c.resume()
}

// sleep lets d pass on the client's clock, or less: until done says so, which
// is asked whenever the routine is woken.
func (c *routine) sleep(client *client, d int64, done func() bool) bool {
	until := int64(client.now()) + d
	for int64(client.now()) < until && !done() {
		if !c.pause(client, until) {
			return false
		}
	}
	return true
}

// clientTime is a moment on a client's clock as pause takes it.
func clientTime(t quorum.Time) int64 { return int64(t) }
