package sim

import (
	"slices"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// pollers is the part of clients that no node tells of their turns: their
// drivers cannot subscribe.
const pollers = 0.25

// message is what a node tells a client: the number of a waiter whose turn it is.
type message struct {
	client *client
	number uint64
}

// queueing prepares the wait for a lock: it says where the thread will stand in
// line.
func (t *thread) queueing(w *want, o *quorum.WaiterOptions) {
	if t.foreign || w.once {
		return
	}
	c, r := t.client, t.run
	c.places++
	t.place, t.told = c.places, false
	trip, poll := time.Duration(0), o.Poll
	if keeper := c.attendance.Keeper(w.lock.name, r.names); keeper >= 0 {
		trip = c.nodes[keeper].Trip()
	}
	if !c.polls {
		poll = 0
	}
	o.Place = quorum.Place{Client: c.name, Number: t.place, Turn: r.p.Turn(trip, poll)}
	o.Rivals = c.rivals[w.lock.index].Near(c.now(), r.p)
	c.waiting = append(c.waiting, t)
}

// dequeueing ends it, whatever came of it.
func (t *thread) dequeueing() {
	t.client.waiting = slices.DeleteFunc(t.client.waiting, func(o *thread) bool { return o == t })
}

// rest waits until the next attempt is due, or the thread's turn has come.
func (t *thread) rest(waiter *quorum.Waiter, until int64, ended func() bool) (alive bool) {
	for !ended() {
		if t.told {
			t.told = false
			waiter.Woken(t.now())
		}
		wake := clientTime(waiter.Next())
		if int64(t.now()) >= wake {
			return true
		}
		if !t.routine.pause(t.client, min(wake, until)) {
			return false
		}
	}
	return true
}

// leaveLine has the thread leave the line after an attempt that failed.
func (t *thread) leaveLine(a *attempt) {
	if t.foreign {
		return
	}
	out := t.run.effects()
	if a.hold.Leave(t.now(), out) && a.over {
		a.over = false
		if a.cleaning {
			t.client.releasing++
		}
	}
	t.run.after(a.task, out)
}

// tellTurn sends what a server told during the last call. Like any message on a
// connection it is late, or lost with it.
func (r *run) tellTurn(s *server, p script.Place) {
	r.cover.turns++
	i := slices.IndexFunc(r.clients, func(c *client) bool { return c.name == p.Client })
	if i < 0 {
		return
	}
	c := r.clients[i]
	node := slices.IndexFunc(c.links, func(l link) bool { return l.server == s })
	if node < 0 || c.polls {
		return
	}
	l := &c.links[node]
	if l.cut > 0 || l.lost[replies] > 0 || l.holds[replies] > 0 {
		return
	}
	r.messages = append(r.messages, message{c, p.Number})
	x := c.key.named("turn").at(uint64(len(r.messages)))
	d := within(x, r.sim.Latency.Min.D(), r.sim.Latency.Max.D()) + l.slow[replies]
	r.push(event{at: r.now + d, kind: evTurn, who: int32(len(r.messages) - 1)})
	if r.narrate != nil {
		r.say("%s tells %s that it is its turn", s.label, c.name)
	}
}

// hearTurn is the event of a message at its client.
func (r *run) hearTurn(e event) {
	m := r.messages[e.who]
	switch c := m.client; {
	case c.dead:
	case c.frozen > 0:
		c.park(e)
	default:
		r.dig.add(uint64(r.now)<<1 ^ m.number)
		for _, t := range c.waiting {
			if t.place == m.number {
				t.told = true
				t.routine.wake()
			}
		}
	}
}
