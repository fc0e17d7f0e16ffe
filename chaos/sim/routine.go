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
	due    int64   // when the timer in the queue fires, true time; never without one
	key    stream
	wakes  uint64
}

const never = math.MaxInt64

// start lets body run as a routine. It begins with the next wake.
func (r *run) start(client *client, key stream, body func(*routine)) *routine {
	c := &routine{run: r, index: int32(len(r.routines)), client: client, key: key, until: never, due: never}
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

// timer sees to it that a timer fires no later than at until. One that fires too
// early sees to the next.
func (c *routine) timer() {
	if c.until == never {
		return
	}
	at := c.until
	if c.client != nil {
		at = c.client.clock.when(at)
	}
	if at = max(c.run.now, at); at < c.due {
		c.due = at
		c.run.push(event{at: at, kind: evTimer, who: c.index})
	}
}

// fired is the event of a timer.
func (r *run) fired(e event) {
	c := r.routines[e.who]
	if e.at == c.due {
		c.due = never
	}
	if !c.waits || c.until == never {
		return
	}
	now := r.now
	if c.client != nil {
		now = int64(c.client.now())
	}
	if now < c.until {
		c.timer()
		return
	}
	r.goOn(c, e)
}

// woke is the event of a wake.
func (r *run) woke(e event) {
	if c := r.routines[e.who]; c.gen == e.gen {
		r.goOn(c, e)
	}
}

// goOn resumes a routine, unless its client is frozen, or dead.
func (r *run) goOn(c *routine, e event) {
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
