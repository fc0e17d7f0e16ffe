package sim

import (
	"context"
	"slices"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// pool is memory that runs hand on to the next.
type pool struct {
	servers  []*server
	clients  []*client
	flights  []*flight
	tasks    []*task
	attempts []*attempt
	numbers  []*[numbersInBlock]int64
	looks    []*look
	locks    []*lock
	labels   map[string]*labels
}

// run is one run. Everything in it but the pool is of this run alone.
type run struct {
	pool pool

	plan    *scenario.Plan
	sim     *scenario.Simulation
	p       quorum.Params
	keep    time.Duration // fences' retention
	key     stream
	names   []string
	narrate func(string)

	now    int64 // true time, ns since the run began
	seq    uint64
	events uint64
	queue  queue
	dig    digest

	keys         []*lock
	servers      []*server // all that ever were
	behind       []*server // where each name leads for those who are not told otherwise
	busy         []bool    // per name: it bears a fault
	incarnations uint64
	clients      []*client
	routines     []*routine
	workers      []*worker
	stories      []*StoryOutcome
	told         int
	strikes      []*strike
	faultID      int
	faulty       int // faults that are active for the history
	votesChanged bool
	watchers     []*routine // who waits for votes to change
	guard        *fencing.Guard
	syncs        []bool // per name: it writes to disk every second

	flown, worked, attempted, looked, counted int // how much of the pool is used
	idle                                      []int32
	idleTasks                                 []*task
	idleAttempts                              []*attempt
	outs                                      []*quorum.Effects
	wanted                                    []*quorum.Tasks
	depth                                     int

	messages  []message // that nodes told waiters
	lines     []linearizability.Event
	last      int64 // time of the last line
	processes linearizability.Process

	arriving int64 // when the last message that was sent so far arrives
	closing  bool  // no fault strikes any more
	returned int64 // until when a memory that came back may have what was released meanwhile
	calm     bool  // the faulted part is over
	healed   int64
	stopping bool
	ending   bool // the end is in the queue
	ended    bool
	bound    int64 // within which waiters must be served after the heal
	patience int64

	broken         *InvariantError
	c1, c2, c3, c4 bool // assumptions that the run broke
	cover          Coverage
	paths          [pathCount]uint64
	done           [len(operations)]int
	acquisitions   int
	underFault     int
	waited         int
	refused        int
}

// push puts an event into the queue.
func (r *run) push(e event) {
	r.seq++
	e.seq = r.seq
	r.queue.push(e)
}

// loop lets everything happen until the end.
func (r *run) loop(ctx context.Context) error {
	at, here := int64(-1), 0 // events in a row at one time
	for len(r.queue.heap) > 0 && !r.ended {
		if r.events%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e := r.queue.pop()
		r.now = e.at
		r.events++
		if here++; e.at != at {
			at, here = e.at, 0
		}
		if here > maxAtOnce {
			r.fell(Progress, "more than %d events at one moment", maxAtOnce)
			return nil
		}
		r.happen(e)
		if r.votesChanged {
			r.votesAreBack()
		}
	}
	return nil
}

// maxAtOnce is far more than ever happens at one moment.
const maxAtOnce = 200_000

// happen lets one event happen.
func (r *run) happen(e event) {
	switch e.kind {
	case evRequest:
		r.arrive(r.pool.flights[e.who])
	case evReply:
		r.land(r.pool.flights[e.who], e)
	case evRefused:
		r.fail(r.pool.flights[e.who], e, true)
	case evBroken:
		r.fail(r.pool.flights[e.who], e, false)
	case evTick:
		r.tick(r.pool.tasks[e.who], e)
	case evGiveUp:
		r.giveUp(r.clients[e.who], e)
	case evWake:
		r.woke(e)
	case evTimer:
		r.fired(e)
	case evFault:
		r.strikeDue(r.strikes[e.who])
	case evHeal:
		r.heal(r.strikes[e.who])
	case evSample:
		r.sample()
		r.planSample()
	case evSync:
		for i, s := range r.behind {
			if r.syncs[i] && !s.down {
				r.save(s)
			}
		}
		if !r.calm {
			r.push(event{at: r.now + syncEvery, kind: evSync})
		}
	case evDone:
		r.endFaults()
	case evTail:
		r.tail()
	case evTurn:
		r.hearTurn(e)
	case evEnd:
		r.sample()
		r.ended = true
	}
}

// planSample plans the next look at the nodes.
func (r *run) planSample() {
	d := within(r.key.named("sample").at(uint64(r.looked)), r.sim.Sample.Min.D(), r.sim.Sample.Max.D())
	r.push(event{at: r.now + d, kind: evSample})
}

// storyPatience bounds how much longer than planned stories may take.
const storyPatience = int64(2 * time.Minute)

// endFaults heals everything, once the stories are told.
func (r *run) endFaults() {
	if r.told < len(r.stories) && r.now < int64(r.plan.Duration)+storyPatience {
		r.push(event{at: r.now + int64(10*time.Millisecond), kind: evDone})
		return
	}
	r.closing = true
	for _, s := range r.strikes {
		r.heal(s)
	}
	if r.now < r.returned {
		// A server that came back under its name, or an earlier memory, has
		// what was released meanwhile. No client can clean that up; it expires.
		r.push(event{at: r.returned, kind: evDone})
		return
	}
	for _, c := range r.clients {
		for i := range c.links {
			c.links[i].fates = c.links[i].fates[:0]
		}
	}
	// What is on its way is as slow as the network was.
	r.calm, r.healed = true, max(r.now, r.arriving)
	r.push(event{at: r.healed + int64(r.plan.Tail), kind: evTail})
}

// tail goes on without faults: at least as long as planned, and until every
// worker has acquired since, unless the bound of liveness has passed.
func (r *run) tail() {
	for _, w := range r.workers {
		if w.active && w.served < r.healed && r.now < r.healed+r.bound+int64(time.Second) {
			r.push(event{at: r.now + int64(r.plan.TTL)/16, kind: evTail})
			return
		}
	}
	r.stopping = true
	// Who waits for what a mistake keeps from coming, such as the loss of a
	// lease, waits no longer than who is owed every lock.
	r.push(event{at: r.now + int64(len(r.keys)+1)*r.patience, kind: evEnd})
	for _, w := range r.workers {
		if w.active {
			w.routine.wake()
		}
	}
	r.left()
}

// left ends the run when everybody has stopped: whatever is left on the nodes
// two node deadlines later is an orphan.
func (r *run) left() {
	if !r.stopping || r.ending {
		return
	}
	for _, w := range r.workers {
		if w.active {
			return
		}
	}
	r.ending = true
	r.push(event{at: r.now + 4*int64(r.plan.NodeDeadline), kind: evEnd})
}

// stopRoutines ends those that still wait.
func (r *run) stopRoutines() {
	for _, c := range r.routines {
		c.stop()
	}
	r.routines = r.routines[:0]
}

// conclude judges what happened.
func (r *run) conclude() (*Outcome, error) {
	r.stopping, r.ending = false, true // routines that end now have nothing to say
	lines := slices.Clip(r.lines)
	o := &Outcome{
		Events: lines, Params: r.params(), Acquired: r.acquisitions, Simulated: time.Duration(r.now),
		Healed: time.Duration(r.healed), Processed: r.events, Coverage: r.cover, Digest: r.dig.sum(),
		counts: counts{r.done, r.underFault, r.waited, r.refused, r.paths},
	}
	if r.broken != nil {
		o.Broken = r.broken
	}
	for _, w := range r.workers {
		o.Turns, o.Begun = append(o.Turns, len(w.begun)), append(o.Begun, w.begun)
	}
	for _, s := range r.strikes {
		o.Faults = append(o.Faults, s.Strike)
	}
	for _, s := range r.stories {
		o.Stories = append(o.Stories, *s)
	}
	var err error
	o.Verdict, err = linearizability.Judge(lines, o.Params)
	return o, err
}

// params is what the judge must know, with the assumptions that the run broke.
func (r *run) params() linearizability.Params {
	p := linearizability.Params{
		Quorum: r.plan.Quorum(), TTL: r.plan.TTL.D(), MaxTTL: r.plan.TTL.D(), Drift: r.plan.Drift,
		NodeDeadline: r.plan.NodeDeadline.D(), Clients: max(1, len(r.plan.Workers)), Hold: r.longestHold(),
		Healed: r.healed, Broken: []linearizability.Assumption{},
	}
	if r.healed == 0 {
		p.Healed = max(1, r.last) // it ended early: nothing comes after the heal
	}
	for _, a := range []struct {
		broken bool
		name   linearizability.Assumption
	}{{r.c1 && !r.sim.TrustsClocks, linearizability.C1}, {r.c2, linearizability.C2}, {r.c3, linearizability.C3}, {r.c4, linearizability.C4}} {
		if a.broken {
			p.Broken = append(p.Broken, a.name)
		}
	}
	return p
}

// longestHold is the longest time for which a worker means to hold a lock.
func (r *run) longestHold() time.Duration {
	longest := r.plan.TTL.D()
	for i := range r.plan.Workers {
		w := &r.plan.Workers[i]
		for _, b := range w.Holds {
			longest = max(longest, b.Max.D())
		}
		for j := range w.Ops {
			longest = max(longest, w.Ops[j].Hold.D())
		}
	}
	return longest
}
