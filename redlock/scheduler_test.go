package redlock_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// gauge is in front of a node and remembers how many calls were open at most.
type gauge struct {
	redlock.Driver
	mu         sync.Mutex
	open, most int
}

func (g *gauge) Start(call script.Call, timeout time.Duration, done func(script.Reply, error)) {
	g.add(1)
	g.Driver.Start(call, timeout, func(r script.Reply, err error) {
		g.add(-1)
		done(r, err)
	})
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open += n
	g.most = max(g.most, g.open)
}

// reset forgets the most and returns it.
func (g *gauge) reset() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	most := g.most
	g.most = g.open
	return most
}

func gauged(gauges *[]*gauge) func(*redlock.Config) {
	return func(cfg *redlock.Config) {
		for i := range cfg.Nodes {
			g := &gauge{Driver: cfg.Nodes[i].Driver}
			cfg.Nodes[i].Driver = g
			*gauges = append(*gauges, g)
		}
	}
}

// locks takes many locks at one moment.
func locks(t *testing.T, c *redlock.Client, n int, opts ...redlock.Option) []*redlock.Lease {
	t.Helper()
	held := make([]*redlock.Lease, n)
	for i := range held {
		held[i] = lock(t, mutex(t, c, fmt.Sprint("many", i), opts...))
	}
	return held
}

// awaitTimelyLosses waits until all leases have ended, none after its deadline.
func awaitTimelyLosses(t *testing.T, held []*redlock.Lease) {
	t.Helper()
	var watchers sync.WaitGroup
	for _, l := range held {
		watchers.Go(func() {
			<-l.Context().Done()
			if now := time.Now(); now.After(l.Deadline()) {
				t.Errorf("a loss was told %v late", now.Sub(l.Deadline()))
			}
		})
	}
	watchers.Wait()
}

// TestManyLossesAreToldBeforeTheyAreCleanedUp lets many leases end at one moment:
// none of them waits for the calls of another.
func TestManyLossesAreToldBeforeTheyAreCleanedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		var mu sync.Mutex
		var story strings.Builder
		tell := func(what byte) {
			mu.Lock()
			defer mu.Unlock()
			story.WriteByte(what)
		}
		client := c.client(func(cfg *redlock.Config) {
			cfg.Observer = redlock.ObserverFunc(func(e redlock.Event) {
				if e.Kind == redlock.EventLost {
					tell('L')
				}
			})
			filtered(func(call script.Call) error {
				if call.Op == script.Release {
					tell('R')
				}
				return nil
			}, 1, 2, 3)(cfg)
		})
		const n = 500
		held := locks(t, client, n, redlock.NoRenew())
		c.hang()
		for _, l := range held {
			<-l.Context().Done()
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if got := story.String(); strings.Count(got, "L") != n || strings.LastIndexByte(got, 'L') >= n {
			t.Errorf("losses and releases alternate: %.200s", got)
		}
		c.heal()
	})
}

// TestRenewalsAreNotSentAllAtOnce has many leases come due at one moment, for
// renewal and later for cleaning up: they go to the nodes a few at a time, none is
// lost, and all are cleaned up.
func TestRenewalsAreNotSentAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		var gauges []*gauge
		var seen events
		client := c.client(func(cfg *redlock.Config) {
			gauged(&gauges)(cfg)
			cfg.Observer = &seen
		})
		const n, bound = 1000, 400
		held := locks(t, client, n)
		c.each(func(d *redlocktest.Driver) { d.Delay(nodeDeadline/5, nodeDeadline/5) })
		synctest.Wait()
		goroutines := runtime.NumGoroutine()
		wait(2 * maxTTL)
		for i, g := range gauges {
			if most := g.reset(); most > bound || most < 64 {
				t.Errorf("n%d had %d calls open, want 64 to %d", i+1, most, bound)
			}
		}
		if extended := len(seen.of(redlock.EventExtended)); extended < 4*n {
			t.Errorf("%d renewals of %d leases in twice the ttl", extended, n)
		}
		if lost := len(seen.of(redlock.EventLost)); lost > 0 {
			t.Errorf("%d leases were lost", lost)
		}
		synctest.Wait() // timers that fire at this very moment have goroutines
		if more := runtime.NumGoroutine() - goroutines; more > 50 {
			t.Errorf("%d more goroutines", more)
		}

		// All nodes hang for as long as it takes to lose everything.
		c.hang()
		awaitTimelyLosses(t, held)
		wait(nodeDeadline)
		c.heal()
		for _, g := range gauges {
			g.reset()
		}
		wait(outlive)
		for i, g := range gauges {
			// Calls that end without an answer are followed by others at once.
			if most := g.reset(); most > 2*bound {
				t.Errorf("n%d had %d RELEASEs open", i+1, most)
			}
		}
		if cleaned := len(seen.of(redlock.EventCleaned)); cleaned != n {
			t.Errorf("%d of %d leases were cleaned up", cleaned, n)
		}
	})
}
