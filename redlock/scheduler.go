package redlock

import (
	"container/heap"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// maxNap is the longest time for which the scheduler trusts a timer. Timers
// stand still while a machine sleeps; the clock does not.
const maxNap = 25 * time.Millisecond

const (
	parallelTicks = 32 // a worker for each so many tasks that are due at once
	sendsAtOnce   = 64 // tasks whose calls are sent before looking again at what is due

	// lookAgain is when to see whether the nodes have time for renewals again.
	lookAgain = time.Millisecond
)

// scheduler ticks the client's tasks when they want it: renewals, deadlines,
// clean-up. One timer serves them all, so a lease costs no goroutine; while
// tasks are due one goroutine ticks them, helped by as many as there are
// processors where many are due.
//
// Ticks come before calls: first all tasks that are due take their step, by
// which losses are told, then their calls are sent, a few at a time. So losing
// thousands of leases at once delays no loss by the RELEASEs of those before.
// While the nodes are busy renewals wait, in order, and cleaning up behind them.
type scheduler struct {
	clock Clock
	busy  func() bool // whether renewals had better wait

	mu      sync.Mutex // guards what follows
	tasks   taskHeap
	stop    func() bool                  // the timer; nil when none is set
	timers  uint64                       // how many timers were set: only the last one counts when it fires
	at      time.Duration                // when it fires
	ticking bool                         // somebody ticks, and looks again before it sets the timer
	putOff  [quorum.Sometime + 1][]*task // by haste: what waits for busy nodes, oldest first
	closed  bool
	wg      sync.WaitGroup // whoever ticks
}

// set plans the task's next tick; quorum.Never takes it out.
func (s *scheduler) set(t *task, at quorum.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case at == quorum.Never:
		if t.index >= 0 {
			heap.Remove(&s.tasks, t.index)
		}
	case t.index >= 0:
		t.at = at
		heap.Fix(&s.tasks, t.index)
	default:
		t.at = at
		heap.Push(&s.tasks, t)
	}
	s.arm()
}

// arm sets the timer for the earliest task. s.mu is held.
func (s *scheduler) arm() {
	if s.closed || s.ticking || len(s.tasks) == 0 && !s.waiting() {
		return
	}
	if s.stop != nil && !s.waiting() && s.at <= time.Duration(s.tasks[0].at) {
		return // as a rule: the timer is set for a nap from some earlier moment
	}
	now := s.clock.Now()
	at := now + maxNap
	if len(s.tasks) > 0 {
		at = min(at, time.Duration(s.tasks[0].at))
	}
	if s.waiting() {
		at = min(at, now+lookAgain)
	}
	if s.stop != nil {
		if s.at <= at {
			return
		}
		s.stop()
	}
	s.at = at
	s.timers++
	timer := s.timers
	s.stop = s.clock.AfterFunc(max(0, at-now), func() { s.fire(timer) })
}

// fire ticks the tasks that are due, until there are none. A timer that was
// replaced after it had fired does nothing, or it would start a chain of its
// own.
func (s *scheduler) fire(timer uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || timer != s.timers {
		return
	}
	s.wg.Add(1)
	defer s.wg.Done()
	s.stop = nil
	s.ticking = true
	var ticked []*task // with calls to send, oldest first
	for !s.closed {
		due := s.due()
		var resumed []*task
		if len(ticked) == 0 { // or the nodes seem to have more time than they have
			resumed = s.resumed()
		}
		wait := s.waiting() || len(due) > sendsAtOnce // many at once make the nodes busy
		if len(due)+len(resumed)+len(ticked) == 0 {
			break
		}
		s.mu.Unlock()
		spread(resumed, func(_ int, t *task) { t.resume() })
		ticked = append(ticked, resumed...)
		done, putOff := tick(due, wait)
		ticked = append(ticked, done...)
		some := ticked[:min(len(ticked), sendsAtOnce)]
		spread(some, func(_ int, t *task) { t.flush() })
		clear(some) // they may be over and gone before the next ones are sent
		ticked = ticked[len(some):]
		s.mu.Lock()
		for haste, tasks := range putOff {
			s.putOff[haste] = append(s.putOff[haste], tasks...)
		}
	}
	s.ticking = false
	s.arm()
}

// due takes the tasks that are due out of the heap, in order. s.mu is held.
func (s *scheduler) due() []*task {
	now := quorum.Time(s.clock.Now())
	var due []*task
	for len(s.tasks) > 0 && s.tasks[0].at <= now {
		due = append(due, heap.Pop(&s.tasks).(*task))
	}
	return due
}

// waiting reports whether anything was put off. s.mu is held.
func (s *scheduler) waiting() bool {
	return len(s.putOff[quorum.Soon]) > 0 || len(s.putOff[quorum.Sometime]) > 0
}

// resumed takes a few of the tasks that were put off, the oldest renewals first,
// if the nodes have time for them. s.mu is held.
func (s *scheduler) resumed() []*task {
	haste := quorum.Soon
	if len(s.putOff[haste]) == 0 {
		haste = quorum.Sometime
	}
	queue := s.putOff[haste]
	if len(queue) == 0 || s.busy() {
		return nil
	}
	some := slices.Clone(queue[:min(len(queue), sendsAtOnce)])
	clear(queue[:len(some)])
	s.putOff[haste] = queue[len(some):]
	return some
}

// tick ticks the tasks and parts those that did from those that were put off;
// wait says that others wait already.
func tick(due []*task, wait bool) (done []*task, putOff [quorum.Sometime + 1][]*task) {
	hastes := make([]quorum.Haste, len(due))
	spread(due, func(i int, t *task) { hastes[i] = t.tick(wait) })
	for i, t := range due {
		putOff[hastes[i]] = append(putOff[hastes[i]], t)
	}
	done, putOff[quorum.AtOnce] = putOff[quorum.AtOnce], nil
	return done, putOff
}

// spread calls f for all tasks, each worker taking the next one in order, so
// that what is due first comes first.
func spread(tasks []*task, f func(i int, t *task)) {
	workers := min(runtime.GOMAXPROCS(0), len(tasks)/parallelTicks)
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(tasks); i = int(next.Add(1)) - 1 {
			f(i, tasks[i])
		}
	}
	var helpers sync.WaitGroup
	for range workers - 1 {
		helpers.Go(work)
	}
	work()
	helpers.Wait()
}

// close stops the timer and waits for whoever ticks.
func (s *scheduler) close() {
	s.mu.Lock()
	s.closed = true
	if s.stop != nil {
		s.stop()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// taskHeap orders tasks by their next tick.
type taskHeap []*task

func (h taskHeap) Len() int           { return len(h) }
func (h taskHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h taskHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push appends x, a *task.
func (h *taskHeap) Push(x any) {
	t := x.(*task)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop removes the last task.
func (h *taskHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	t.index = -1
	*h = old[:len(old)-1]
	return t
}
