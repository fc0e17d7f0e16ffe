package redlock

import (
	"errors"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// task executes one state machine: it sends the calls that the machine asks
// for, steps it with the answers, and hands its events on. It decides nothing.
//
// The answers come from whoever has read them, as a rule a connection's reader,
// which steps the machine there and then: whoever waits for the outcome is woken
// once, when it is decided.
type task struct {
	client  *Client
	machine quorum.Machine
	names   []string // of the locks; nil for admission
	events  events   // is called with mu held

	at    quorum.Time // next tick, while in the scheduler; guarded by the scheduler
	index int         // place in the scheduler's heap, −1 for none; guarded by the scheduler

	mu      sync.Mutex // guards the machine and what follows
	queue   []quorum.Call
	sending bool        // somebody is at it, and sends the queue too
	next    quorum.Time // what the scheduler was told
	errs    [quorum.MaxNodes]error
}

// events takes what a task's machine tells.
type events interface{ event(quorum.Event) }

// eventFunc makes one of a function.
type eventFunc func(quorum.Event)

func (f eventFunc) event(e quorum.Event) { f(e) }

func (c *Client) newTask(m quorum.Machine, names []string, to events) *task {
	t := new(task)
	t.init(c, m, names, to)
	return t
}

// init makes a task of a zero one.
func (t *task) init(c *Client, m quorum.Machine, names []string, to events) {
	t.client, t.machine, t.names, t.events = c, m, names, to
	t.index, t.next = -1, quorum.Never
}

// outs are effects that were carried out: each step needs some for a moment.
var outs = sync.Pool{New: func() any { return new(quorum.Effects) }}

func recycle(out *quorum.Effects) {
	clear(out.Calls) // and with them what they refer to
	clear(out.Events)
	out.Reset()
	outs.Put(out)
}

// step lets the machine take one step, and carries out its effects.
func (t *task) step(f func(now quorum.Time, out *quorum.Effects)) {
	t.mu.Lock()
	out := outs.Get().(*quorum.Effects)
	now := t.client.clock.Now()
	t.advance(quorum.Time(now), out, f)
	t.send(out.Calls, now)
	recycle(out)
}

// advance lets the machine take one step, hands its events on and leaves its
// calls in out. mu is held, and has been since now was read.
func (t *task) advance(now quorum.Time, out *quorum.Effects, f func(now quorum.Time, out *quorum.Effects)) {
	f(now, out)
	for _, e := range out.Events {
		t.events.event(e)
	}
	if next := t.machine.Next(); next != t.next {
		t.next = next
		t.client.scheduler.set(t, next)
	}
}

// send sends what is queued, and then calls, which stay the caller's; now is when
// they were made. mu is held; it unlocks.
//
// Calls leave in the order in which the machine made them, or a RELEASE could
// overtake the ACQUIRE that it undoes. So only one goroutine sends at a time,
// outside the lock, because an answer may come before Start returns.
func (t *task) send(calls []quorum.Call, now time.Duration) {
	if t.sending || len(t.queue) > 0 {
		t.queue = append(t.queue, calls...)
		calls = nil
	}
	if t.sending {
		t.mu.Unlock()
		return
	}
	t.sending = true
	for len(calls)+len(t.queue) > 0 {
		if len(calls) == 0 {
			calls, t.queue, now = t.queue, nil, t.client.clock.Now()
		}
		t.mu.Unlock()
		for i := range calls {
			t.start(&calls[i], now)
		}
		calls = nil
		t.mu.Lock()
	}
	t.sending = false
	t.mu.Unlock()
}

// tick is what the scheduler calls when the task is due: its entry is gone. What
// the tick wants sent waits for flush, or for the next step if that is sooner.
//
// Where others wait, and while the nodes are busy, a renewal is put off, but not
// the end of its lease, and so is the cleaning up after one that has ended. The
// result is AtOnce if the task can be flushed.
func (t *task) tick(wait bool) quorum.Haste {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.machine.(*quorum.Hold)
	wait = ok && (wait || t.client.busy())
	if wait {
		if haste, until := h.Haste(quorum.Time(t.client.clock.Now())); haste != quorum.AtOnce {
			t.next = until
			t.client.scheduler.set(t, until)
			return haste
		}
	}
	t.next = quorum.Never
	t.tickNow()
	if wait {
		if haste, _ := h.Haste(quorum.Time(t.client.clock.Now())); haste == quorum.Sometime {
			return haste // the lease has just ended: its RELEASE can wait
		}
	}
	return quorum.AtOnce
}

// resume ticks a task that was put off, unless it has ended meanwhile: its tick
// does nothing then.
func (t *task) resume() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tickNow()
}

// tickNow ticks the machine and queues its calls. mu is held.
func (t *task) tickNow() {
	out := outs.Get().(*quorum.Effects)
	t.advance(quorum.Time(t.client.clock.Now()), out, t.machine.Tick)
	t.queue = append(t.queue, out.Calls...)
	recycle(out)
}

// busyFrom is how many calls a node may have open before renewals wait for it.
const busyFrom = maxInFlight / 2

// busy reports whether so many nodes are busy that a renewal would find no
// majority in time. Sent all the same, thousands of them would be refused or
// answered too late, and be sent again.
func (c *Client) busy() bool {
	busy := 0
	for _, n := range c.nodes {
		if n.stats.open.Load() >= busyFrom {
			busy++
		}
	}
	return busy > 0 && busy >= c.params.N-c.params.Quorum()+1
}

// flush sends what is queued.
func (t *task) flush() {
	t.mu.Lock()
	t.send(nil, 0)
}

// start starts a call on its node's driver.
func (t *task) start(call *quorum.Call, sent time.Duration) {
	c := t.client
	node := c.nodes[call.Node]
	node.stats.start()
	if node.asker != nil {
		node.asker.ask(c.scriptCall(t.names, call, node), c.cfg.NodeDeadline, t, call.Ref, sent)
		return
	}
	ref := call.Ref
	node.driver.Start(c.scriptCall(t.names, call, node), c.cfg.NodeDeadline, func(r script.Reply, err error) {
		t.answered(ref, sent, r, err)
	})
}

// answered steps the machine with what came of a call.
func (t *task) answered(ref quorum.Ref, sent time.Duration, r script.Reply, err error) {
	c := t.client
	node := c.nodes[ref.Node]
	t.mu.Lock()
	now := c.clock.Now()
	node.stats.end(now-sent, c.cfg.NodeDeadline, err)
	if err == nil {
		node.learnClock(sent, now, c.cfg.NodeDeadline, &r)
	}
	c.lines.answered(ref, &r, err)
	t.errs[ref.Node] = err
	out := outs.Get().(*quorum.Effects)
	t.advance(quorum.Time(now), out, func(now quorum.Time, out *quorum.Effects) {
		if err != nil {
			t.machine.Fail(now, ref, errors.Is(err, script.ErrNotSent), out)
			return
		}
		t.machine.Reply(now, ref, quorum.Reply(r), out)
	})
	t.send(out.Calls, now)
	recycle(out)
}

// scriptCall adds what the whole cluster shares to a machine's call.
func (c *Client) scriptCall(names []string, call *quorum.Call, node *node) script.Call {
	return script.Call{
		Op: script.Op(call.Op), Prefix: c.cfg.Prefix, Names: names,
		ID: call.ID, Cfg: call.Cfg, Self: call.Node + 1, TTL: call.TTL, Hint: call.Hint,
		NotAfter: node.timed().At(call.NotAfter), Token: call.Token,
		Inc: call.Inc, Nonce: call.Nonce, Renew: call.Renew, Mark: call.Mark, Floor: call.Floor,
		MaxTTL: c.cfg.MaxTTL, Keep: c.keep(),
		Static: call.Static, Index: call.Index, K: call.K, Entry: call.Entry,
		Place: script.Place(call.Place), Pass: script.Pass(call.Pass),
	}
}

// learnClock notes how the node's clock stands to ours.
func (n *node) learnClock(sent, now, deadline time.Duration, r *script.Reply) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clock.Learn(quorum.Time(sent), quorum.Time(now), deadline, quorum.Reply(*r))
}

// timed returns what is known of the node's clock.
func (n *node) timed() quorum.NodeClock {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.clock
}

// untimed has a bit set for each node on whose clock no reliance can be put.
func (c *Client) untimed() (bits uint16) {
	now := quorum.Time(c.clock.Now())
	for i, n := range c.nodes {
		if !n.timed().Reliable(now, c.params) {
			bits |= 1 << i
		}
	}
	return bits
}
