package redlock_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
	"go.uber.org/goleak"
)

func TestLockWaitsForTheRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		l := lock(t, mutex(t, c.client(nil), "x"))
		done := make(chan *redlock.Lease)
		m := mutex(t, c.client(nil), "x")
		go func() {
			l, err := m.Lock(t.Context())
			if err != nil {
				t.Error(err)
			}
			done <- l
		}()
		wait(10 * time.Second)
		select {
		case <-done:
			t.Fatal("Lock returned while another held the lock")
		default:
		}
		if err := l.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		l2 := <-done
		within(t, "waiting after the release", time.Since(start), 0, pollEvery)
		if l2.Token() <= l.Token() {
			t.Errorf("token %v after %v", l2.Token(), l.Token())
		}
	})
}

func TestLockWakesWhenTheHoldersKeysExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		for i, n := range c.nodes { // a dead holder's
			n.Update(func(s *redlocktest.State, now int64) { s.Set("x", "dead", int64(500+100*i), now) })
		}
		m := mutex(t, c.client(func(cfg *redlock.Config) { cfg.Poll = 10 * time.Second }), "x")
		start := time.Now()
		lock(t, m)
		// Two of three are free once the second smallest ttl has passed.
		within(t, "waiting", time.Since(start), 600*time.Millisecond, 610*time.Millisecond)
	})
}

func TestLockWaitsForAQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(nil)
		c.down(1, 2)
		time.AfterFunc(time.Second, c.heal)
		start := time.Now()
		lock(t, mutex(t, client, "x"))
		within(t, "waiting", time.Since(start), time.Second, time.Second+pollEvery)
	})
}

func TestTryLockDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 5)
		lock(t, mutex(t, c.client(nil), "x"))
		client := c.client(nil)
		m := mutex(t, client, "x")
		start := time.Now()
		_, err := m.TryLock(t.Context())
		is(t, "held", err, redlock.ErrHeld)
		within(t, "TryLock of a held lock", time.Since(start), 0, 0)

		c.hang(1, 2, 3)
		start = time.Now()
		_, err = mutex(t, client, "y").TryLock(t.Context())
		is(t, "silent nodes", err, redlock.ErrNoQuorum)
		within(t, "TryLock without a quorum", time.Since(start), nodeDeadline, nodeDeadline)

		start = time.Now()
		_, err = mutex(t, c.client(nil), "y").TryLock(t.Context())
		is(t, "silent nodes, unknown cluster", err, redlock.ErrNoQuorum)
		within(t, "TryLock of a new client", time.Since(start), nodeDeadline, 2*nodeDeadline)
	})
}

func TestCancelledBeforeLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		m := mutex(t, c.client(nil), "x")
		for _, f := range []func(context.Context) (*redlock.Lease, error){m.Lock, m.TryLock} {
			_, err := f(ctx)
			is(t, "ended context", err, redlock.ErrNoQuorum, context.Canceled)
		}
		if got := c.keyed("x"); len(got) > 0 {
			t.Errorf("keys on nodes %v", got)
		}
		err := c.client(nil).Bootstrap(ctx, redlock.BootstrapOptions{})
		is(t, "Bootstrap with an ended context", err, redlock.ErrNoQuorum, context.Canceled)
	})
}

// TestCancelledInMidAttempt cancels at every stage of an exchange that takes
// 20 ms each way. Two node deadlines later nothing may be left.
func TestCancelledInMidAttempt(t *testing.T) {
	for _, after := range []time.Duration{0, 10, 20, 30, 39} {
		synctest.Test(t, func(t *testing.T) {
			c := admitted(t, 5)
			m := mutex(t, c.client(nil), "x")
			if err := lock(t, m).Unlock(t.Context()); err != nil { // learns the cluster
				t.Fatal(err)
			}
			c.each(func(n *redlocktest.Driver) { n.Delay(20*time.Millisecond, 20*time.Millisecond) })
			start := time.Now()
			_, err := m.Lock(cancelAfter(t, after*time.Millisecond))
			is(t, fmt.Sprintf("cancelled after %d ms", after), err, redlock.ErrNoQuorum, context.Canceled)
			within(t, "cancelled Lock", time.Since(start), after*time.Millisecond, after*time.Millisecond)
			wait(2 * nodeDeadline)
			if got := c.keyed("x"); len(got) > 0 {
				t.Errorf("cancelled after %d ms: keys on nodes %v", after, got)
			}
		})
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		lock(t, mutex(t, c.client(nil), "x"))
		ctx, cancel := context.WithTimeout(t.Context(), 777*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := mutex(t, c.client(nil), "x").Lock(ctx)
		e := is(t, "waiting", err, redlock.ErrHeld, context.DeadlineExceeded)
		within(t, "Lock", time.Since(start), 777*time.Millisecond, 777*time.Millisecond)
		if e.Op != "lock" || e.Name != "x" || len(e.Nodes) == 0 {
			t.Errorf("op %q, name %q, nodes %v", e.Op, e.Name, e.Nodes)
		}
	})
}

// TestLateGrantIsUndone has a node grant after the attempt's end, and no
// not-after that would refuse it.
func TestLateGrantIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		var seen events
		client := c.client(func(cfg *redlock.Config) { cfg.Observer = &seen })
		m := mutex(t, client, "x")
		if err := lock(t, m).Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.each(func(n *redlocktest.Driver) { n.Delay(0, 60*time.Millisecond) }, 1, 2)
		_, err := m.TryLock(t.Context())
		is(t, "answers past the node deadline", err, redlock.ErrNoQuorum)
		wait(2 * nodeDeadline)
		if got := c.keyed("x"); len(got) > 0 {
			t.Errorf("keys on nodes %v", got)
		}
		if len(seen.took(redlock.PathLateGrant)) != 2 {
			t.Errorf("late grants are not told: %v", seen.story())
		}
	})
}

func TestClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(nil)
		var leases []*redlock.Lease
		for i := range 10 {
			leases = append(leases, lock(t, mutex(t, client, fmt.Sprint(i))))
		}
		lock(t, mutex(t, c.client(nil), "held"))
		waiting := make(chan error)
		held := mutex(t, client, "held")
		go func() { _, err := held.Lock(t.Context()); waiting <- err }()
		synctest.Wait()
		start := time.Now()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		within(t, "Close", time.Since(start), 0, 0)
		is(t, "waiting Lock", <-waiting, redlock.ErrClosed)
		for i, l := range leases {
			if !errors.Is(context.Cause(l.Context()), redlock.ErrClosed) || l.Valid() {
				t.Errorf("lease %d: cause %v", i, context.Cause(l.Context()))
			}
			if got := c.keyed(fmt.Sprint(i)); len(got) > 0 {
				t.Errorf("lease %d: keys on nodes %v", i, got)
			}
		}
		_, err := held.Lock(t.Context())
		is(t, "Lock after Close", err, redlock.ErrClosed)
		_, err = held.TryLock(t.Context())
		is(t, "TryLock after Close", err, redlock.ErrClosed)
		is(t, "Bootstrap after Close", client.Bootstrap(t.Context(), redlock.BootstrapOptions{}), redlock.ErrClosed)
		if err := client.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestCloseWithSilentNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(nil)
		m := mutex(t, client, "x")
		lock(t, m)
		c.hang()
		attempt := make(chan error)
		go func() { _, err := mutex(t, client, "y").Lock(t.Context()); attempt <- err }()
		synctest.Wait()
		start := time.Now()
		client.Close()
		within(t, "Close", time.Since(start), 0, 2*nodeDeadline)
		is(t, "Lock under way", <-attempt, redlock.ErrClosed)
		c.heal()
	})
}

// TestCloseRacesLock closes clients while many goroutines lock: none may get a
// lease that nobody releases.
func TestCloseRacesLock(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := newCluster(t, 3)
	systemClock := func(cfg *redlock.Config) { cfg.Clock = nil }
	op := c.client(systemClock)
	if err := op.Bootstrap(t.Context(), redlock.BootstrapOptions{NewCluster: true}); err != nil {
		t.Fatal(err)
	}
	op.Close()
	for try := range 100 {
		client := c.client(systemClock)
		mutex(t, client, "warm").TryLock(t.Context())
		var names []string
		var wg sync.WaitGroup
		started := make(chan struct{}, 64)
		for i := range 8 {
			name := fmt.Sprintf("%d/%d", try, i)
			names = append(names, name)
			m := mutex(t, client, name)
			wg.Go(func() {
				started <- struct{}{}
				l, err := m.TryLock(t.Context())
				switch {
				case err == nil && l == nil:
					t.Error("neither lease nor error")
				case err != nil && !errors.Is(err, redlock.ErrClosed):
					t.Errorf("%v", err)
				}
			})
		}
		<-started
		client.Close()
		wg.Wait()
		for _, name := range names {
			if got := c.keyed(name); len(got) > 0 {
				t.Fatalf("try %d: %s stands on nodes %v after Close", try, name, got)
			}
		}
	}
}

func TestLeasesCostNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(nil)
		lock(t, mutex(t, client, "first"))
		synctest.Wait()
		before := runtime.NumGoroutine()
		for i := range 1000 {
			lock(t, mutex(t, client, fmt.Sprint(i)))
		}
		wait(maxTTL)
		synctest.Wait()
		if after := runtime.NumGoroutine(); after > before+2 {
			t.Errorf("%d goroutines with one lease, %d with 1001", before, after)
		}
	})
}

// TestRaise has contenders aim at different tokens.
func TestRaise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		for i := range c.nodes { // counters of 10, 20, 30
			c.supersede("x", uint64(10*(i+1)-1), i+1)
		}
		// So that all answers come at once: a majority does not wait for long.
		c.each(func(n *redlocktest.Driver) { n.Delay(0, time.Millisecond) })
		var seen events
		l := lock(t, mutex(t, c.client(func(cfg *redlock.Config) { cfg.Observer = &seen }), "x", redlock.NoHint()))
		if l.Token() != 31 || len(seen.took(redlock.PathRaise)) != 1 {
			t.Errorf("token %v, want 31; %v", l.Token(), seen.story())
		}
		// A node that cannot be raised leaves two equal values: no round more.
		c.supersede("y", 7, 1)
		c.supersede("y", 6, 2, 3)
		client := c.client(filtered(dropOp(script.Raise), 1, 2, 3))
		if l := lock(t, mutex(t, client, "y", redlock.NoHint())); l.Token() != 8 {
			t.Errorf("token %v, want the 8 of two nodes", l.Token())
		}
		// Where no two are equal, a token that no majority was raised to is none.
		for i := range c.nodes {
			c.supersede("z", uint64(10*(i+1)), i+1)
		}
		_, err := mutex(t, client, "z", redlock.NoHint()).TryLock(t.Context())
		is(t, "without an answer to RAISE", err, redlock.ErrNoQuorum)
		wait(2 * nodeDeadline)
		if got := c.keyed("z"); len(got) > 0 {
			t.Errorf("keys on nodes %v", got)
		}
	})
}
