//go:build !race

// The race detector's own runtime crashes in this test, with a segmentation
// fault, about one time in three (Go 1.26): it has too many goroutines in one
// bubble for it.

package redlock_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/quorumlock/quorumlock/redlock/redlocktest"
)

// TestBusyNodesDelayNoLoss keeps the nodes busy with other things, so that
// renewals wait for ever: the leases end before their deadlines all the same.
func TestBusyNodesDelayNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(nil)
		held := locks(t, client, 10)
		c.each(func(d *redlocktest.Driver) { d.Delay(0, nodeDeadline*3/2) })
		stop := make(chan struct{})
		var attempts sync.WaitGroup
		for i := range 140 {
			attempts.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						mutex(t, client, fmt.Sprint("busy", i)).TryLock(t.Context())
					}
				}
			})
		}
		awaitTimelyLosses(t, held)
		close(stop)
		attempts.Wait()
	})
}
