package redlock

import (
	"container/heap"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// maxNap is the longest time for which the scheduler trusts a timer. Timers
// stand still while a machine sleeps; the clock does not.
const maxNap = 25 * time.Millisecond

// scheduler ticks the client's tasks when they want it: renewals, deadlines,
// clean-up. One timer serves them all, so a lease costs no goroutine.
type scheduler struct {
	clock Clock

	mu     sync.Mutex // guards what follows
	tasks  taskHeap
	stop   func() bool   // the timer; nil when none is set
	timers uint64        // how many timers were set: only the last one counts when it fires
	at     time.Duration // when it fires
	closed bool
	wg     sync.WaitGroup // firings under way
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
	if s.closed || len(s.tasks) == 0 {
		return
	}
	now := s.clock.Now()
	at := min(time.Duration(s.tasks[0].at), now+maxNap)
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

// fire ticks the tasks that are due. A timer that was replaced after it had
// fired does nothing, or it would start a chain of its own.
func (s *scheduler) fire(timer uint64) {
	s.mu.Lock()
	if s.closed || timer != s.timers {
		s.mu.Unlock()
		return
	}
	s.wg.Add(1)
	defer s.wg.Done()
	s.stop = nil
	now := quorum.Time(s.clock.Now())
	var due []*task
	for len(s.tasks) > 0 && s.tasks[0].at <= now {
		due = append(due, heap.Pop(&s.tasks).(*task))
	}
	s.arm()
	s.mu.Unlock()
	for _, t := range due {
		t.tick()
	}
}

// close stops the timer and waits for firings under way.
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
