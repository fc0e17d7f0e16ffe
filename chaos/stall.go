package chaos

import (
	"context"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
)

// stallLimit is the longest time for which a process, or one of its threads
// that wants to run, may not run without its being written down.
const stallLimit = 5 * time.Millisecond

// heartbeat writes a line for each time in which this process, and with it
// every client, did not run. It returns when ctx ends.
//
// A heart that beats on one thread says nothing of the others: on a machine
// with too much to do, the kernel keeps one waiting, in the middle of whatever
// it does, while the next one runs. So where the kernel tells how long each
// thread waited for a processor, that is looked at as well.
func heartbeat(ctx context.Context, rec *recorder) {
	const beat = time.Millisecond
	const look = 10 // beats between two looks at the threads
	waits := newWaits()
	last := rec.now()
	for i := 1; ctx.Err() == nil; i++ {
		time.Sleep(beat)
		now := rec.now()
		if time.Duration(now-last) > stallLimit {
			rec.stall(last, now)
		}
		last = now
		if i%look == 0 {
			if d := waits.longest(); d > stallLimit {
				// When exactly it waited the kernel does not tell; no more is
				// excused than it did.
				rec.stall(max(0, rec.now()-int64(d)), rec.now())
			}
		}
	}
}

// stall writes down that every client may have stood still.
func (r *recorder) stall(from, to int64) {
	r.add(linearizability.Event{
		Time: to, Process: linearizability.Observer, Type: linearizability.Info, F: linearizability.StallSeen,
		Value: linearizability.Value{Stall: &linearizability.Stall{From: from, To: to}},
	})
}

// waits follows how long each thread of this process has waited for a
// processor.
type waits struct {
	read func() map[string]time.Duration // thread → total so far
	last map[string]time.Duration
}

func newWaits() *waits { return &waits{read: threadWaits, last: threadWaits()} }

// longest is the longest time that a thread has waited since the last call. A
// thread's waits end before they are counted.
func (w *waits) longest() time.Duration {
	now := w.read()
	var longest time.Duration
	for thread, total := range now {
		longest = max(longest, total-w.last[thread])
	}
	w.last = now
	return longest
}
