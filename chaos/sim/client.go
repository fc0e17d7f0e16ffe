package sim

import (
	"strconv"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// client is one client of the lock: what the live client's goroutines do
// between its machines and the network, done by events. It decides nothing.
type client struct {
	run   *run
	index int
	name  string
	key   stream
	clock clock // its monotonic clock
	wall  clock // what time it thinks it is, ns since 1970

	links []link
	nodes [quorum.MaxNodes]quorum.NodeClock

	members quorum.Members
	hints   quorum.Hints

	attendance quorum.Attendance
	rivals     []quorum.Rivals // by lock
	waiting    []*thread       // that may stand in line
	places     uint64          // taken in lines
	polls      bool            // no node tells it of its turns

	learnt    uint32 // counts Learns that ended
	why       quorum.Reason
	learners  []*routine // who waits for one
	begun     uint64     // machines begun
	holds     int        // leases won
	attempts  int
	releasing int // attempts and leases that send RELEASE
	paths     [pathCount]uint64

	calls []*flight // open ones in the order of sending, from first on
	first int
	armed bool // a give-up is in the queue
	gen   uint32

	frozen int
	parked []event // what happened to it meanwhile
	dead   bool
}

// now is the client's time.
func (c *client) now() quorum.Time { return quorum.Time(c.clock.read(c.run.now)) }

// park keeps an event until the client goes on. Its references stay.
func (c *client) park(e event) { c.parked = append(c.parked, e) }

// await notes a call that must be answered within two node deadlines.
func (c *client) await(f *flight) {
	f.refs++
	c.calls = append(c.calls, f)
	if !c.armed {
		c.arm()
	}
}

// arm plans the next look at the oldest call.
func (c *client) arm() {
	c.armed = true
	c.gen++
	at := c.clock.when(int64(c.calls[c.first].sent) + 2*int64(c.run.p.NodeDeadline))
	c.run.push(event{at: max(c.run.now, at), kind: evGiveUp, who: int32(c.index), gen: c.gen})
}

// giveUp is the event: the driver gives up calls that were silent for too long,
// and the connection with them.
func (r *run) giveUp(c *client, e event) {
	switch {
	case c.gen != e.gen || c.dead:
		return
	case c.frozen > 0:
		c.park(e)
		return
	}
	c.armed = false
	for c.first < len(c.calls) {
		f := c.calls[c.first]
		if !f.done && int64(c.now()) < int64(f.sent)+2*int64(r.p.NodeDeadline) {
			break
		}
		c.calls[c.first] = nil
		c.first++
		if !f.done {
			c.links[f.node].up, c.links[f.node].last = false, [2]int64{}
			r.failed(f, false)
		}
		r.drop(f)
	}
	if c.first == len(c.calls) {
		c.calls, c.first = c.calls[:0], 0
		return
	}
	if c.first > 1024 && c.first > len(c.calls)/2 {
		c.calls = c.calls[:copy(c.calls, c.calls[c.first:])]
		c.first = 0
	}
	if !c.armed { // what failed may have sent anew
		c.arm()
	}
}

// job says what a task's machine is for.
type job uint8

const (
	jobHold job = iota
	jobForeign
	jobLearn
	jobRejoin
	jobCatchUp
	jobRecover
	jobs
)

// sources are where Members is told that a job's events come from.
var sources = [jobs]quorum.Source{
	jobHold: quorum.FromHold, jobLearn: quorum.FromLearn, jobRejoin: quorum.FromRejoin,
	jobCatchUp: quorum.FromCatchUp, jobRecover: quorum.FromRecovery,
}

// task is a machine at work.
type task struct {
	index   int32
	gen     uint32 // of the tick in the queue; others are void
	client  *client
	machine quorum.Machine
	job     job
	node    int      // rejoin, catch-up
	attempt *attempt // hold, foreign
	key     stream
	due     int64  // when the tick in the queue comes, true time; never without one
	open    int    // calls without an answer
	notes   uint64 // events told to Members
	free    bool   // it is in the pool
	ended   bool   // admission: nothing more is expected of it

	learn   quorum.Learn // the machines of admission; one of them is used
	rejoin  quorum.Rejoin
	catchUp quorum.CatchUp
	boot    quorum.Bootstrap
}

// newTask takes a task without attempt from the pool.
func (r *run) newTask(c *client, j job) *task {
	t := r.takeTask()
	c.begun++
	t.client, t.job, t.key = c, j, c.key.sub(uint64(j)<<48|c.begun)
	return t
}

func (r *run) takeTask() *task {
	var t *task
	if n := len(r.idleTasks); n > 0 {
		t = r.idleTasks[n-1]
		r.idleTasks = r.idleTasks[:n-1]
	} else {
		if r.worked == len(r.pool.tasks) {
			r.pool.tasks = append(r.pool.tasks, &task{index: int32(r.worked)})
		}
		t = r.pool.tasks[r.worked]
		t.due = never
		r.worked++
	}
	// A tick that is in the queue stays: it comes too early, as a rule, and then
	// sees to the next one.
	t.client, t.machine, t.attempt, t.node = nil, nil, nil, 0
	t.open, t.notes, t.free, t.ended = 0, 0, false, false
	return t
}

// effects is where a machine's step puts what it wants done. Steps nest, since
// an event may begin another machine.
func (r *run) effects() *quorum.Effects {
	if r.depth == len(r.outs) {
		r.outs = append(r.outs, new(quorum.Effects))
	}
	r.depth++
	out := r.outs[r.depth-1]
	out.Reset()
	return out
}

// after carries out what a step of t wants.
func (r *run) after(t *task, out *quorum.Effects) {
	for i := range out.Events {
		r.event(t, &out.Events[i])
	}
	for i := range out.Calls {
		r.send(t, &out.Calls[i])
	}
	r.depth--
	r.planTick(t)
	r.retire(t)
}

// planTick sees to it that a tick comes no later than the machine wants it.
func (r *run) planTick(t *task) {
	next := t.machine.Next()
	if next == quorum.Never {
		return
	}
	if at := max(r.now, t.client.clock.when(int64(next))); at < t.due {
		t.due = at
		t.gen++ // a later tick that was planned is void
		r.push(event{at: at, kind: evTick, who: t.index, gen: t.gen})
	}
}

// retire returns a task to the pool once nothing can come of it any more.
func (r *run) retire(t *task) {
	if t.free || t.open > 0 || r.depth > 0 {
		return
	}
	if a := t.attempt; a != nil {
		if !a.over || !a.detached || t.machine.Next() != quorum.Never {
			return
		}
		r.idleAttempts = append(r.idleAttempts, a)
	} else if !t.ended {
		return
	}
	t.free = true
	r.idleTasks = append(r.idleTasks, t)
}

// tick is the event.
func (r *run) tick(t *task, e event) {
	c := t.client
	switch {
	case t.gen != e.gen:
		return
	case t.free:
		t.due = never
		return
	case c.dead:
		return
	case c.frozen > 0:
		c.park(e)
		return
	}
	t.due = never
	if t.machine.Next() > c.now() {
		r.planTick(t)
		return
	}
	out := r.effects()
	if a := t.attempt; a != nil {
		r.beforeTick(a, c.now())
	}
	t.machine.Tick(c.now(), out)
	r.after(t, out)
}

// answered steps a task with its call's answer.
func (r *run) answered(t *task, f *flight) {
	if r.narrate != nil {
		r.tellAnswer(t, f)
	}
	if f.call.Op <= script.Retire {
		t.client.attendance.Answered(f.node, f.ref.Op, quorum.Reply(f.reply))
	}
	out := r.effects()
	t.machine.Reply(t.client.now(), f.ref, quorum.Reply(f.reply), out)
	r.after(t, out)
}

// failed steps a task with the news that there will be no answer.
func (r *run) failed(f *flight, notSent bool) {
	f.done = true
	t := f.task
	t.open--
	if r.narrate != nil {
		r.tellFailure(t, f, notSent)
	}
	r.dig.add(uint64(r.now)<<1 | 1)
	if f.call.Op <= script.Retire {
		t.client.attendance.Failed(f.node)
	}
	out := r.effects()
	t.machine.Fail(t.client.now(), f.ref, notSent, out)
	r.after(t, out)
}

// send fills in what the whole cluster shares and sends a call.
func (r *run) send(t *task, q *quorum.Call) {
	c := t.client
	f := r.newFlight()
	f.task, f.attempt, f.client, f.node, f.ref = t, t.attempt, c, q.Node, q.Ref
	f.lock = nil
	var names []string
	if t.attempt != nil {
		f.lock = t.attempt.lock
		names = f.lock.names
	}
	f.call = script.Call{
		Op: script.Op(q.Op), Names: names, ID: q.ID, Cfg: q.Cfg, Self: q.Node + 1, TTL: q.TTL, Hint: q.Hint,
		NotAfter: c.nodes[q.Node].At(q.NotAfter), Token: q.Token,
		Inc: q.Inc, Nonce: q.Nonce, Renew: q.Renew, Mark: q.Mark, Floor: q.Floor,
		MaxTTL: r.p.MaxTTL, Keep: r.keep, Static: q.Static, Index: q.Index, K: q.K, Entry: q.Entry,
		Place: script.Place(q.Place), Pass: script.Pass(q.Pass),
	}
	if r.narrate != nil {
		r.tellCall(t, f)
	}
	r.depart(f)
}

// event takes what a machine tells.
func (r *run) event(t *task, e *quorum.Event) {
	if r.narrate != nil {
		r.tellEvent(t, e)
	}
	r.dig.add(uint64(e.Kind)<<56 | uint64(e.Reason)<<48 | uint64(uint32(t.index)))
	r.dig.add(e.Token ^ uint64(e.Deadline))
	r.cover.events[e.Kind][e.Reason]++
	if t.attempt != nil {
		t.client.attendance.Note(*e)
		r.holdEvent(t.attempt, e)
	} else {
		r.adminEvent(t, e)
	}
	if t.job != jobForeign && e.Kind.ForMembers() {
		r.note(t, sources[t.job], e)
	}
}

// note has Members decide what follows from an event, and starts it.
func (r *run) note(t *task, from quorum.Source, e *quorum.Event) {
	c := t.client
	t.notes++
	tasks := r.tasks()
	c.members.Note(c.now(), from, *e, t.key.sub(uint64(e.Kind)).at(t.notes), tasks)
	r.begin(c, tasks)
}

// tasks is where Members puts what it wants started; like effects, one for each
// depth of nesting.
func (r *run) tasks() *quorum.Tasks {
	for len(r.wanted) <= r.depth {
		r.wanted = append(r.wanted, new(quorum.Tasks))
	}
	r.wanted[r.depth].Reset()
	return r.wanted[r.depth]
}

// begin starts the machines that Members wants.
func (r *run) begin(c *client, tasks *quorum.Tasks) {
	for i := range tasks.Start {
		k := &tasks.Start[i]
		nonce := ""
		switch k.Kind {
		case quorum.TaskLearn:
			t := r.newTask(c, jobLearn)
			nonce = c.nonce()
			t.learn = quorum.NewLearn(r.p, r.names, nonce)
			t.machine = &t.learn
			r.startTask(t, func(out *quorum.Effects) { t.learn.Start(c.now(), out) })
		case quorum.TaskRejoin:
			t := r.newTask(c, jobRejoin)
			t.node = k.Node
			t.rejoin = quorum.NewRejoin(r.p, k.Node, k.Cfg, c.nonce())
			t.machine = &t.rejoin
			r.startTask(t, func(*quorum.Effects) { t.rejoin.StartAfter(c.now(), k.After) })
		case quorum.TaskCatchUp:
			t := r.newTask(c, jobCatchUp)
			t.node = k.Node
			t.catchUp = quorum.NewCatchUp(r.p, k.Node, k.Cfg, k.Theirs)
			t.machine = &t.catchUp
			r.startTask(t, func(out *quorum.Effects) { t.catchUp.Start(c.now(), out) })
		case quorum.TaskRecover:
			t := r.newTask(c, jobRecover)
			t.boot = quorum.NewBootstrap(r.p, quorum.ByClock, r.names, c.nonce())
			t.machine = &t.boot
			r.startTask(t, func(out *quorum.Effects) { t.boot.Start(c.now(), out) })
		}
	}
}

func (r *run) startTask(t *task, start func(*quorum.Effects)) {
	out := r.effects()
	start(out)
	r.after(t, out)
}

// nonce is one that no other machine has.
func (c *client) nonce() string { return c.name + "." + strconv.FormatUint(c.begun, 10) }

// adminEvent takes what the machines of admission tell, besides what Members
// makes of it.
func (r *run) adminEvent(t *task, e *quorum.Event) {
	c := t.client
	switch e.Kind {
	case quorum.Known, quorum.NotKnown:
		c.learnt++
		c.why = e.Reason
		t.ended = true
		for _, w := range c.learners {
			w.wake()
		}
		c.learners = c.learners[:0]
	case quorum.Readmitted, quorum.AlreadyAdmitted, quorum.RejoinFailed, quorum.CaughtUp, quorum.CatchUpFailed,
		quorum.Bootstrapped, quorum.BootstrapFailed:
		t.ended = true
	case quorum.Unadmitted:
		t.ended = t.ended || t.job == jobCatchUp
	}
	c.hints.Note(*e)
	r.path(c, e.Kind)
}
