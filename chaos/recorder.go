package chaos

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
)

// recorder collects the events of a run. All methods may be called from many
// goroutines at once.
type recorder struct {
	clock func() time.Duration
	base  time.Duration // the clock's reading when the run began
	begun atomic.Bool   // base is set; what happens before is no part of the run

	mu      sync.Mutex // guards all below
	events  []linearizability.Event
	next    linearizability.Process // the next unused process number
	crashed map[string]bool         // clients that are no more
	closed  bool                    // the history has ended
}

func newRecorder(clock func() time.Duration) *recorder {
	return &recorder{clock: clock, crashed: map[string]bool{}}
}

// begin begins the run. Nobody else may use the recorder yet, but for asking
// whether it has begun.
func (r *recorder) begin() {
	r.base = r.clock()
	r.begun.Store(true)
}

// now is the run's time in nanoseconds.
func (r *recorder) now() int64 { return int64(r.clock() - r.base) }

// at turns a reading of the clock into the run's time.
func (r *recorder) at(reading time.Duration) int64 { return int64(reading - r.base) }

// process hands out a process number that was never used.
func (r *recorder) process() linearizability.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	return r.next - 1
}

// add appends an event whose time has been read. Events of crashed clients,
// and all that come after the end, are dropped: what a dead process sees is no
// part of the history, and its open operations stay open.
func (r *recorder) add(e linearizability.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.crashed[e.Value.Client] {
		return
	}
	r.events = append(r.events, e)
}

// crash adds the nemesis's line about a client's end and drops what the client
// still has to say.
func (r *recorder) crash(client string, e linearizability.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	e.Time = r.now()
	r.events = append(r.events, e)
	r.crashed[client] = true
}

// dead tells whether the client has crashed.
func (r *recorder) dead(client string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.crashed[client]
}

// end closes the history and returns it in order.
func (r *recorder) end() []linearizability.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return linearizability.Order(r.events)
}
