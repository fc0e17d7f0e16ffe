package chaos

import (
	"context"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
)

// stallLimit is the longest time for which a process may not run without its
// being written down.
const stallLimit = 5 * time.Millisecond

// heartbeat writes a line for each time in which this process, and with it
// every client, did not run. It returns when ctx ends.
func heartbeat(ctx context.Context, rec *recorder) {
	const beat = time.Millisecond
	last := rec.now()
	for ctx.Err() == nil {
		time.Sleep(beat)
		now := rec.now()
		if time.Duration(now-last) > stallLimit {
			rec.add(linearizability.Event{
				Time: now, Process: linearizability.Observer, Type: linearizability.Info, F: linearizability.StallSeen,
				Value: linearizability.Value{Stall: &linearizability.Stall{From: last, To: now}},
			})
		}
		last = now
	}
}
