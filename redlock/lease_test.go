package redlock_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
)

func TestLockAndUnlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 5)
		a, b := mutex(t, c.client(nil), "x"), mutex(t, c.client(nil), "x")
		l := lock(t, a)
		if !l.Valid() || l.Token() == 0 || len(l.Nodes()) < 3 || l.ID() == "" {
			t.Errorf("lease: valid %v, token %v, nodes %v, id %q", l.Valid(), l.Token(), l.Nodes(), l.ID())
		}
		if got := time.Until(l.Deadline()); got != validity {
			t.Errorf("the deadline is in %v, want %v", got, validity)
		}
		_, err := b.TryLock(t.Context())
		is(t, "TryLock of a held lock", err, redlock.ErrHeld)
		if err := l.Unlock(t.Context()); err != nil {
			t.Errorf("Unlock: %v", err)
		}
		if l.Valid() || !errors.Is(context.Cause(l.Context()), redlock.ErrReleased) {
			t.Errorf("after Unlock: valid %v, cause %v", l.Valid(), context.Cause(l.Context()))
		}
		is(t, "second Unlock", l.Unlock(t.Context()), redlock.ErrReleased)
		is(t, "Extend after Unlock", l.Extend(t.Context(), time.Second), redlock.ErrReleased)
		l2, err := b.TryLock(t.Context())
		if err != nil || l2.Token() <= l.Token() {
			t.Errorf("TryLock of a free lock: %v, %v; the token before was %v", l2, err, l.Token())
		}
	})
}

func TestRenewalKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		l := lock(t, mutex(t, c.client(nil), "x"))
		wait(time.Minute) // 30 ttls
		if !l.Valid() || l.Context().Err() != nil {
			t.Errorf("the lease was lost: %v", context.Cause(l.Context()))
		}
	})
}

func TestNoRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		l := lock(t, mutex(t, c.client(nil), "x", redlock.NoRenew()))
		start := time.Now()
		<-l.Context().Done()
		if got := time.Since(start); got != validity-lossMargin {
			t.Errorf("the lease lasted %v, want %v", got, validity-lossMargin)
		}
		is(t, "cause", context.Cause(l.Context()), redlock.ErrLost, redlock.ErrExpired)
	})
}

func TestTTLOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		l := lock(t, mutex(t, c.client(nil), "x", redlock.TTL(time.Second)))
		if got, want := time.Until(l.Deadline()), 838*time.Millisecond; got != want {
			t.Errorf("the deadline is in %v, want %v", got, want)
		}
	})
}

func TestNoHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		for name, m := range map[string]*redlock.Mutex{
			"config": mutex(t, c.client(func(cfg *redlock.Config) { cfg.NoHint = true }), "x"),
			"option": mutex(t, c.client(nil), "y", redlock.NoHint()),
		} {
			for want := 1; want <= 3; want++ {
				l := lock(t, m)
				if int(l.Token()) != want {
					t.Errorf("%s: token %v, want %d", name, l.Token(), want)
				}
				if err := l.Unlock(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		if l := lock(t, mutex(t, c.client(nil), "z")); int64(l.Token()) < time.Now().UnixMicro() {
			t.Errorf("with the hint the token is %v", l.Token())
		}
	})
}

// wallClock is a clock whose time of day is wrong.
type wallClock struct {
	redlock.Clock
	by time.Duration
}

func (c wallClock) Wall() time.Time { return time.Now().Add(c.by) }

// TestWallClock aims at the time that the clock shows, and nodes refuse what
// lies more than a minute ahead.
func TestWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		ahead := func(by time.Duration) func(*redlock.Config) {
			return func(cfg *redlock.Config) { cfg.Clock = wallClock{cfg.Clock, by} }
		}
		if l := lock(t, mutex(t, c.client(ahead(50*time.Second)), "x")); int64(l.Token()) != time.Now().Add(50*time.Second).UnixMicro() {
			t.Errorf("50 s ahead of %d the token is %v", time.Now().UnixMicro(), l.Token())
		}
		if l := lock(t, mutex(t, c.client(ahead(70*time.Second)), "y")); l.Token() != 1 {
			t.Errorf("70 s ahead the token is %v, want 1", l.Token())
		}
	})
}

func TestContextCarriesValuesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		type key struct{}
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		l, err := mutex(t, c.client(nil), "x").Lock(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		wait(time.Minute)
		if l.Context().Value(key{}) != "value" {
			t.Error("the lease's context lacks the value")
		}
		if l.Context().Err() != nil || !l.Valid() {
			t.Errorf("the lease ended with Lock's context: %v", context.Cause(l.Context()))
		}
	})
}

func TestExtend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		m := mutex(t, c.client(nil), "x", redlock.TTL(time.Second), redlock.NoRenew())
		l := lock(t, m)
		until := func() time.Duration { return time.Until(l.Deadline()) }

		wait(500 * time.Millisecond)
		if err := l.Extend(t.Context(), maxTTL); err != nil || until() != validity {
			t.Errorf("longer: %v; the deadline is in %v, want %v", err, until(), validity)
		}
		// Nodes never shorten, but the caller is bound by less at once, whoever answers.
		c.hang()
		want := 502 * time.Millisecond // 600·0.84 − 2
		err := l.Extend(cancelAfter(t, time.Millisecond), 600*time.Millisecond)
		if until() != want-time.Millisecond {
			t.Errorf("shorter: %v; the deadline is in %v, want %v", err, until(), want)
		}
		c.heal()
		wait(100 * time.Millisecond)
		if err := l.Extend(t.Context(), 600*time.Millisecond); err != nil || until() != want {
			t.Errorf("as short again: %v; the deadline is in %v, want %v", err, until(), want)
		}
		<-l.Context().Done()
		err = l.Extend(t.Context(), time.Second)
		is(t, "Extend after the loss", err, redlock.ErrExpired, redlock.ErrLost)
	})
}

func TestExtendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		l := lock(t, mutex(t, c.client(nil), "x", redlock.NoRenew()))
		for _, tt := range []struct {
			ttl   time.Duration
			value string
		}{{0, "0s"}, {-time.Second, "-1s"}, {time.Second + 1, "1.000000001s"}, {499 * time.Millisecond, "499ms"}, {3 * time.Second, "3s"}} {
			checkConfigError(t, l.Extend(t.Context(), tt.ttl), "ttl", tt.value)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		is(t, "ended context", l.Extend(ended, time.Second), redlock.ErrUnknown, context.Canceled)

		c.hang(1, 2)
		start := time.Now()
		err := l.Extend(t.Context(), maxTTL)
		is(t, "two of three silent", err, redlock.ErrNoQuorum)
		within(t, "Extend without a quorum", time.Since(start), nodeDeadline, nodeDeadline)

		is(t, "cancelled", l.Extend(cancelAfter(t, 10*time.Millisecond), maxTTL), redlock.ErrUnknown, context.Canceled)
		first := make(chan error)
		go func() { first <- l.Extend(t.Context(), maxTTL) }()
		synctest.Wait()
		is(t, "second Extend", l.Extend(t.Context(), maxTTL), redlock.ErrNoQuorum)
		is(t, "replaced Extend", <-first, redlock.ErrUnknown)
		if !l.Valid() {
			t.Error("a failed Extend ended the lease")
		}
		c.heal()
		go func() { first <- l.Extend(t.Context(), maxTTL) }()
		if err := <-first; err != nil {
			t.Errorf("after healing: %v", err)
		}
	})
}

func TestSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		l := lock(t, mutex(t, c.client(nil), "x"))
		c.supersede("x", uint64(l.Token())+5, 1)
		if err := l.Extend(t.Context(), maxTTL); err != nil {
			t.Errorf("with one node superseded: %v", err)
		}
		if !slices.Equal(l.Nodes(), []string{"n2", "n3"}) {
			t.Errorf("nodes %v, want n2 and n3", l.Nodes())
		}
		c.supersede("x", uint64(l.Token())+5, 2)
		start := time.Now()
		is(t, "with two nodes superseded", l.Extend(t.Context(), maxTTL), redlock.ErrSuperseded)
		if !l.Valid() {
			t.Error("the lease ended before its deadline")
		}
		<-l.Context().Done()
		if got := time.Since(start); got != validity-lossMargin {
			t.Errorf("the lease ended after %v, want %v", got, validity-lossMargin)
		}
	})
}

func TestRepair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 5)
		var seen events
		c.down(4, 5)
		l := lock(t, mutex(t, c.client(func(cfg *redlock.Config) { cfg.Observer = &seen }), "x"))
		if got := len(l.Nodes()); got != 3 {
			t.Errorf("%d nodes hold, want 3", got)
		}
		c.heal()
		wait(maxTTL)
		if got := len(l.Nodes()); got != 5 || len(seen.took(redlock.PathRepair)) != 2 {
			t.Errorf("%d nodes hold after a renewal, %d repaired; want 5 and 2", got, len(seen.took(redlock.PathRepair)))
		}
	})
}

// TestUnlockIsNilIffAMajorityDeleted draws what each node does and computes the
// answer by counting.
func TestUnlockIsNilIffAMajorityDeleted(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	outcomes := make(map[string]int)
	for try := range 200 {
		synctest.Test(t, func(t *testing.T) {
			n := 1 + 2*rng.IntN(3)
			c := admitted(t, n)
			l := lock(t, mutex(t, c.client(nil), "x", redlock.NoRenew()))
			deleted, without, q := 0, 0, n/2+1
			for _, node := range c.nodes {
				switch rng.IntN(4) {
				case 0: // lost its key
					node.Update(func(s *redlocktest.State, now int64) { s.Del("x", now) })
					without++
				case 1:
					node.Hang(true)
				default:
					deleted++
				}
			}
			err := l.Unlock(t.Context())
			var want error
			switch {
			case deleted >= q:
			case without > n-q:
				want = redlock.ErrExpired
			default:
				want = redlock.ErrUnknown
			}
			outcomes[map[error]string{nil: "nil", redlock.ErrExpired: "expired", redlock.ErrUnknown: "unknown"}[want]]++
			if (want == nil) != (err == nil) || !errors.Is(err, want) {
				t.Errorf("seed %d, try %d: n=%d, %d deleted, %d had nothing: got %v, want %v", seed, try, n, deleted, without, err, want)
			}
			c.heal()
		})
	}
	for _, o := range []string{"nil", "expired", "unknown"} {
		if outcomes[o] < 10 {
			t.Errorf("seed %d: %q came up only %d times: %v", seed, o, outcomes[o], outcomes)
		}
	}
}

func TestUnlockOfUnknownOutcomeIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		var seen events
		l := lock(t, mutex(t, c.client(func(cfg *redlock.Config) { cfg.Observer = &seen }), "x"))
		c.hang(1, 2)
		start := time.Now()
		is(t, "Unlock with two of three silent", l.Unlock(t.Context()), redlock.ErrUnknown)
		within(t, "Unlock", time.Since(start), nodeDeadline, nodeDeadline)
		if l.Context().Err() == nil || l.Valid() {
			t.Error("the lease goes on after Unlock")
		}
		wait(300 * time.Millisecond)
		if got := c.keyed("x"); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("keys on nodes %v, want 1 and 2", got)
		}
		c.heal()
		wait(nodeDeadline + time.Millisecond)
		if got := c.keyed("x"); len(got) > 0 {
			t.Errorf("nodes %v were not freed once they answered", got)
		}
		if len(seen.of(redlock.EventCleaned)) != 1 {
			t.Errorf("the lease is not reported as cleaned: %v", seen.story())
		}
	})
}

func TestUnlockWithEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(nil)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 { // the outcome is there, so it is told
			l := lock(t, mutex(t, client, "x"))
			if err := l.Unlock(ended); err != nil {
				t.Errorf("Unlock that was done at once: %v", err)
			}
		}
		l := lock(t, mutex(t, client, "x"))
		c.each(func(n *redlocktest.Driver) { n.Delay(10*time.Millisecond, 0) })
		is(t, "Unlock with an ended context", l.Unlock(ended), redlock.ErrUnknown, context.Canceled)
		wait(11 * time.Millisecond)
		if got := c.keyed("x"); len(got) > 0 {
			t.Errorf("nodes %v were not freed", got)
		}
	})
}
