package sim

import (
	"strings"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// direction is a way on a link.
type direction uint8

const (
	requests direction = iota
	replies
)

// link is how one client reaches one node: a connection, and what faults do to
// it. Messages of one connection arrive in the order in which they were sent,
// unless a fate says otherwise; those of two may overtake each other.
type link struct {
	server *server
	up     bool       // there is a connection
	last   [2]int64   // when the last message of the connection arrives
	cut    int        // faults that cut it: nothing gets through, no connection is made
	lost   [2]int     // faults that lose what goes this way
	holds  [2]int     // faults that hold it
	twice  int        // faults that repeat requests
	slow   [2]int64   // what faults add to the delay, ns
	jitter [2]int64   // and at most besides
	held   [2][]int32 // flights that are held
	fates  []fate     // of the next messages
}

// fate is what a story does to single messages.
type fate struct {
	op    script.Op // 0 for any
	what  scenario.Fate
	late  int64
	count int // how many are left; −1 for all
}

// flight is a call on its way, and its answer.
type flight struct {
	index   int32
	refs    int32    // events and lists that have it
	task    *task    // not to be touched once done: it may be at other work
	attempt *attempt // likewise, if its id is another
	lock    *lock    // nil for admission
	client  *client
	node    int // whose link it takes
	server  *server
	life    uint32 // of the server when it was sent
	ref     quorum.Ref
	key     stream
	sent    quorum.Time // on the client's clock
	done    bool        // its task was told what came of it
	arrived bool        // executed once
	what    scenario.Fate
	late    int64
	call    script.Call
	reply   script.Reply
}

func (r *run) newFlight() *flight {
	var f *flight
	if n := len(r.idle); n > 0 {
		f = r.pool.flights[r.idle[n-1]]
		r.idle = r.idle[:n-1]
	} else {
		if r.flown == len(r.pool.flights) {
			r.pool.flights = append(r.pool.flights, &flight{index: int32(r.flown)})
		}
		f = r.pool.flights[r.flown]
		r.flown++
	}
	f.refs, f.done, f.arrived, f.what = 0, false, false, ""
	return f
}

// drop gives up one reference.
func (r *run) drop(f *flight) {
	if f.refs--; f.refs == 0 {
		r.idle = append(r.idle, f.index)
	}
}

// planFlight puts an event about a flight into the queue.
func (r *run) planFlight(f *flight, kind eventKind, at int64) {
	f.refs++
	r.arriving = max(r.arriving, at)
	r.push(event{at: at, kind: kind, who: f.index})
}

// depart sends a call whose flight is filled in.
func (r *run) depart(f *flight) {
	c := f.client
	l := &c.links[f.node]
	f.server, f.life = l.server, l.server.life
	f.key = f.task.key.sub(uint64(f.ref.Node)<<40 | uint64(f.ref.Op)<<32 | uint64(f.ref.Tag))
	f.sent = c.now()
	f.task.open++
	c.await(f)
	if len(l.fates) > 0 {
		l.befall(f)
	}
	switch {
	case l.server.down:
		// The connection is refused at once, and the driver says so.
		l.up = false
		r.planFlight(f, evRefused, r.now+2*int64(r.sim.Latency.Min)+1)
		return
	case !l.up && l.cut > 0:
		// No connection in time: the driver never sends it.
		r.planFlight(f, evRefused, max(r.now, c.clock.when(int64(f.sent)+int64(r.p.NodeDeadline))))
		return
	}
	d := r.delay(f, l, requests)
	if !l.up {
		l.up, l.last = true, [2]int64{}
		d += 2 * int64(r.sim.Latency.Min) // the handshake
	}
	r.travel(f, l, requests, d)
}

// befall finds the fate of a message.
func (l *link) befall(f *flight) {
	for i := range l.fates {
		t := &l.fates[i]
		if t.count == 0 || t.op != 0 && t.op != f.call.Op {
			continue
		}
		if t.count > 0 {
			t.count--
		}
		f.what, f.late = t.what, t.late
		return
	}
}

// delay draws how long a message takes.
func (r *run) delay(f *flight, l *link, way direction) int64 {
	x := f.key.at(uint64(way))
	d := within(x, r.sim.Latency.Min.D(), r.sim.Latency.Max.D()) + l.slow[way]
	if l.jitter[way] > 0 {
		d += int64(mix(x) % uint64(l.jitter[way]+1))
	}
	if !r.calm && r.sim.Slow > 0 && chance(mix(x^golden), r.sim.Slow) {
		d += within(mix(x+golden), r.sim.SlowBy.Min.D(), r.sim.SlowBy.Max.D())
	}
	return d
}

// travel puts a message on its way.
func (r *run) travel(f *flight, l *link, way direction, d int64) {
	kind := evRequest
	if way == replies {
		kind = evReply
	}
	switch {
	case l.lost[way] > 0 || l.cut > 0,
		way == requests && f.what == scenario.FateLose,
		way == replies && f.what == scenario.FateLoseReply:
		return
	case l.holds[way] > 0:
		f.refs++
		l.held[way] = append(l.held[way], f.index)
		return
	case way == requests && f.what == scenario.FateLate, way == replies && f.what == scenario.FateLateReply:
		r.planFlight(f, kind, r.now+d+f.late) // it holds nobody up
		return
	}
	at := max(r.now+d, l.last[way]+1)
	l.last[way] = at
	r.planFlight(f, kind, at)
	if way != requests {
		return
	}
	if f.what == scenario.FateTwice {
		r.planFlight(f, kind, at+f.late+1)
	} else if l.twice > 0 {
		l.last[way]++
		r.planFlight(f, kind, at+1)
	}
}

// deliver delivers what a link held.
func (r *run) deliver(l *link, way direction) {
	kind := evRequest
	if way == replies {
		kind = evReply
	}
	for _, i := range l.held[way] {
		l.last[way] = max(r.now, l.last[way]) + 1
		r.arriving = max(r.arriving, l.last[way])
		r.push(event{at: l.last[way], kind: kind, who: i}) // the list's reference becomes the event's
	}
	l.held[way] = l.held[way][:0]
}

// arrive is the event of a request at its server.
func (r *run) arrive(f *flight) {
	s := f.server
	switch {
	case s.down || s.life != f.life:
	case s.paused > 0:
		s.parked = append(s.parked, f.index)
		return // the list has the reference
	default:
		r.perform(s, f)
	}
	r.drop(f)
}

// perform lets a server execute a request and sends the answer. Of a request
// that is executed twice the client hears the last answer that comes first.
func (r *run) perform(s *server, f *flight) {
	again := f.arrived
	f.arrived = true
	reply := r.execute(s, f)
	if r.narrate != nil {
		r.tellExecuted(s, f, &reply, again)
	}
	if f.done {
		return // nobody waits for the answer any longer
	}
	f.reply = reply
	l := &f.client.links[f.node]
	if l.server != s {
		return // the connection was to another server than the name leads to now
	}
	r.travel(f, l, replies, r.delay(f, l, replies))
}

// land is the event of an answer at its client.
func (r *run) land(f *flight, e event) {
	c := f.client
	switch {
	case f.done || c.dead:
	case c.frozen > 0:
		c.park(e)
		return
	default:
		f.done = true
		f.task.open--
		if f.call.Op <= script.Retire {
			c.nodes[f.node].Learn(f.sent, c.now(), r.p.NodeDeadline, quorum.Reply(f.reply))
		}
		r.answered(f.task, f)
	}
	r.drop(f)
}

// fail tells a flight's task that no answer will come.
func (r *run) fail(f *flight, e event, notSent bool) {
	c := f.client
	switch {
	case f.done || c.dead:
	case c.frozen > 0:
		c.park(e)
		return
	default:
		r.failed(f, notSent)
	}
	r.drop(f)
}

// breakLink ends a client's connection to a node. Requests that are under way
// are executed if they arrive; all calls without an answer fail.
func (r *run) breakLink(c *client, node int) {
	l := &c.links[node]
	l.up, l.last = false, [2]int64{}
	for _, f := range c.calls[c.first:] {
		if !f.done && f.node == node {
			r.planFlight(f, evBroken, r.now+int64(r.sim.Latency.Min)+1)
		}
	}
}

// opOf returns the script of this name, or 0.
func opOf(name string) script.Op {
	for op := script.Acquire; op <= script.Retire; op++ {
		if strings.EqualFold(op.String(), name) {
			return op
		}
	}
	return 0
}
