package redlock

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// lines is what a client knows about the waiting lines of locks: which nodes can
// keep them, which locks others want, and which of its waiters is told of its
// turn. It decides nothing; package quorum does.
type lines struct {
	client *Client
	id     string // the client's channel
	number atomic.Uint64
	absent atomic.Bool // some node is believed absent; written with mu held

	mu         sync.Mutex // guards what follows
	attendance quorum.Attendance
	rivals     map[string]quorum.Rivals
	waiting    map[uint64]*waiting
	early      map[uint64]bool       // told of their turn before they began to wait for it
	asked      [quorum.MaxNodes]bool // was asked to tell
	listening  [quorum.MaxNodes]bool // tells
}

// waiting is a waiter between two attempts, or in one that is not its first.
type waiting struct {
	turn chan struct{} // of size 1
	last *Lease        // its latest attempt
}

func newLines(c *Client) *lines {
	return &lines{
		client: c, id: c.newID(), rivals: make(map[string]quorum.Rivals),
		waiting: make(map[uint64]*waiting), early: make(map[uint64]bool),
	}
}

const (
	maxRivals = 4096 // locks of which it is remembered that others want them
	maxEarly  = 256
)

// waiter returns the Waiter of a new call of Lock, and its place's number.
func (l *lines) waiter(name string, once bool) (quorum.Waiter, uint64) {
	c := l.client
	o := quorum.WaiterOptions{Poll: c.cfg.Poll, Once: once, RecoverByClock: c.cfg.RecoverByClock}
	if once {
		return quorum.NewWaiter(c.params, o), 0
	}
	number := l.number.Add(1)
	l.mu.Lock()
	keeper := l.attendance.Keeper(name, c.names)
	poll := c.cfg.Poll
	if keeper >= 0 && l.listening[keeper] {
		poll = 0
	}
	rivals, ok := l.rivals[name]
	l.mu.Unlock()
	trip := time.Duration(0)
	if keeper >= 0 {
		trip = c.nodes[keeper].timed().Trip()
	}
	o.Place = quorum.Place{Client: l.id, Number: number, Turn: c.params.Turn(trip, poll)}
	o.Rivals = ok && rivals.Near(quorum.Time(c.clock.Now()), c.params)
	return quorum.NewWaiter(c.params, o), number
}

// keeper returns the node that keeps a lock's line, −1 for none.
func (l *lines) keeper(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.attendance.Keeper(name, l.client.names)
}

// meet notes that others want the lock too.
func (l *lines) meet(name string) {
	now := quorum.Time(l.client.clock.Now())
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rivals) >= maxRivals {
		for name, r := range l.rivals {
			if !r.Near(now, l.client.params) {
				delete(l.rivals, name)
			}
		}
		if len(l.rivals) >= maxRivals {
			clear(l.rivals) // it costs these locks some fairness
		}
	}
	r := l.rivals[name]
	r.Meet(now)
	l.rivals[name] = r
}

// wait registers a waiter that was refused, and has the keeper of its line tell
// of its turn.
func (l *lines) wait(number uint64, last *Lease) <-chan struct{} {
	keeper := last.keeper
	l.mu.Lock()
	w := l.waiting[number]
	if w == nil {
		w = &waiting{turn: make(chan struct{}, 1)}
		l.waiting[number] = w
		if l.early[number] {
			delete(l.early, number)
			w.turn <- struct{}{}
		}
	}
	w.last = last
	subscriber, ok := Subscriber(nil), false
	if keeper >= 0 && !l.asked[keeper] {
		if subscriber, ok = l.client.nodes[keeper].driver.(Subscriber); ok {
			l.asked[keeper] = true
		}
	}
	l.mu.Unlock()
	if ok {
		subscriber.Subscribe(script.Channel(l.client.cfg.Prefix, l.id), l.heard, func(up bool) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.listening[keeper] = up
		})
	}
	return w.turn
}

// close has all waiters leave their lines. Their callers are told afterwards.
func (l *lines) close() {
	l.mu.Lock()
	var all []*Lease
	for _, w := range l.waiting {
		all = append(all, w.last)
	}
	l.mu.Unlock()
	for _, last := range all {
		last.leave()
	}
}

// leave ends what wait began.
func (l *lines) leave(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, number)
	delete(l.early, number)
}

// heard takes a node's message: the text of a place whose turn it is.
func (l *lines) heard(place string) {
	rest, _, _ := cutLast(place)
	_, digits, ok := cutLast(rest)
	number, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil {
		return // nobody that speaks the protocol sent it
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok := l.waiting[number]
	if !ok {
		// Its refusal is still on the way, or it waits no longer.
		if len(l.early) >= maxEarly {
			clear(l.early)
		}
		l.early[number] = true
		return
	}
	select {
	case w.turn <- struct{}{}:
	default:
	}
}

// cutLast cuts s around its last colon.
func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// note takes an event that a hold told.
func (l *lines) note(e quorum.Event) {
	switch e.Kind {
	case quorum.PassedOver, quorum.Unadmitted:
		l.update(func(a *quorum.Attendance) { a.Note(e) })
	}
}

// answered notes what came of a call. As a rule that is nothing new.
func (l *lines) answered(ref quorum.Ref, r *script.Reply, err error) {
	switch {
	case err != nil:
		l.update(func(a *quorum.Attendance) { a.Failed(ref.Node) })
	case r.Code == script.NotAdmitted || l.absent.Load():
		l.update(func(a *quorum.Attendance) { a.Answered(ref.Node, ref.Op, quorum.Reply(*r)) })
	}
}

func (l *lines) update(f func(*quorum.Attendance)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.attendance)
	l.absent.Store(l.attendance != quorum.Attendance{})
}

// sleep waits until the waiter asks again, or its turn comes. It reports false
// when ctx or the client ended first.
func (c *Client) sleep(ctx context.Context, w *quorum.Waiter, turn <-chan struct{}) bool {
	woken := make(chan struct{})
	stop := c.clock.AfterFunc(time.Duration(w.Next())-c.clock.Now(), func() { close(woken) })
	defer stop()
	select {
	case <-turn:
		w.Woken(quorum.Time(c.clock.Now()))
		return true
	case <-woken:
		return true
	case <-ctx.Done():
		return false
	case <-c.closing:
		return false
	}
}

// leave leaves the line after an attempt that failed.
func (l *Lease) leave() {
	c := l.client
	l.task.step(func(now quorum.Time, out *quorum.Effects) {
		over := l.hold.Phase() == quorum.Done
		if l.hold.Leave(now, out) && over && c.keepLease(l) {
			l.cleans() // once more, until the node has answered
		}
	})
}
