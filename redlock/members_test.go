package redlock_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// votes reports which nodes grant a lock of a fresh name to the client.
func votes(t *testing.T, client *redlock.Client, name string) []string {
	t.Helper()
	l := lock(t, mutex(t, client, name, redlock.NoRenew()))
	synctest.Wait()
	got := l.Nodes()
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
	return got
}

// awaitVotes locks and unlocks until all n nodes grant, and returns how long
// that took.
func awaitVotes(t *testing.T, client *redlock.Client, n int) time.Duration {
	t.Helper()
	start := time.Now()
	for time.Since(start) < time.Minute {
		if len(votes(t, client, "await")) == n {
			return time.Since(start)
		}
		wait(nodeDeadline)
	}
	t.Fatalf("not all of %d nodes vote after a minute", n)
	return 0
}

func TestRejoinByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		var seen events
		client := c.client(func(cfg *redlock.Config) { cfg.Observer = &seen })
		m := mutex(t, client, "x")
		l := lock(t, m)
		if err := l.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.wipe(1)
		within(t, "the rejoin", awaitVotes(t, client, 3), outlive, outlive+soon+2*nodeDeadline)

		out, in := seen.of(redlock.EventNode), seen.took(redlock.PathReadmission)
		if len(out) != 2 || len(in) != 1 || !errors.Is(out[0].Err, redlock.ErrQuarantined) || out[1].Err != nil || in[0].Node != "n1" {
			t.Fatalf("standings %+v, re-admissions %+v", out, in)
		}
		within(t, "the quarantine", in[0].At-out[0].At, outlive, outlive+soon)
		c.down(2)
		if l2 := lock(t, m); l2.Token() <= l.Token() {
			t.Errorf("the token fell from %v to %v", l.Token(), l2.Token())
		}
	})
}

// TestWipedNodeBetweenDisjointCuts is the story that random faults miss: the
// token must rise although no node remembers it, bar the one that was cut off.
func TestWipedNodeBetweenDisjointCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(func(cfg *redlock.Config) { cfg.NoHint = true })
		m := mutex(t, client, "x")
		var l *redlock.Lease
		c.hang(3)
		for range 5 {
			l = lock(t, m)
			if err := l.Unlock(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		c.heal()
		c.wipe(2)
		c.down(3) // and it votes in nothing meanwhile
		if _, err := m.TryLock(t.Context()); !errors.Is(err, redlock.ErrQuarantined) {
			t.Errorf("while B is out and C is cut off: %v", err)
		}
		c.heal()
		awaitVotes(t, client, 3)
		c.down(1)
		if l2 := lock(t, m); l2.Token() <= l.Token() {
			t.Errorf("the token fell from %v to %v", l.Token(), l2.Token())
		}
	})
}

func TestNoRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(func(cfg *redlock.Config) { cfg.NoRejoin = true })
		c.wipe(1)
		for range 10 {
			if got := votes(t, client, "y"); slices.Contains(got, "n1") {
				t.Fatalf("a wiped node votes: %v", got)
			}
			wait(maxTTL)
		}
		within(t, "the rejoin by another client", awaitVotes(t, c.client(nil), 3), outlive, outlive+soon+2*nodeDeadline)
	})
}

// TestRejoinOutlivesItsClient closes the client that was at it.
func TestRejoinOutlivesItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		a := c.client(nil)
		c.wipe(1)
		votes(t, a, "y")
		wait(outlive / 2)
		a.Close()
		// The wait begins anew: nobody knows how long the first one had waited.
		within(t, "the second rejoin", awaitVotes(t, c.client(nil), 3), outlive, outlive+soon+2*nodeDeadline)
	})
}

// TestManyClientsRejoinOneNode has them all notice at once.
func TestManyClientsRejoinOneNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 5)
		var clients []*redlock.Client
		for range 6 {
			clients = append(clients, c.client(nil))
		}
		c.wipe(1, 4)
		start := time.Now()
		for i, client := range clients {
			lock(t, mutex(t, client, string(rune('a'+i))))
		}
		awaitVotes(t, clients[0], 5)
		within(t, "the rejoins", time.Since(start), outlive, outlive+4*soon)
	})
}

// TestReadmittedNodeStaysOutOfRunningHolds: its floor lies above their tokens.
func TestReadmittedNodeStaysOutOfRunningHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		var seen events
		client := c.client(func(cfg *redlock.Config) { cfg.Observer = &seen })
		l := lock(t, mutex(t, client, "x"))
		wait(time.Millisecond)
		votes(t, client, "later") // its token is the higher one, and the floor to come
		c.wipe(1)
		wait(outlive + 2*maxTTL)
		if len(seen.took(redlock.PathReadmission)) != 1 {
			t.Fatalf("no re-admission: %v", seen.story())
		}
		if !l.Valid() || !slices.Equal(l.Nodes(), []string{"n2", "n3"}) {
			t.Errorf("the lease: valid %v, on %v, want n2 and n3", l.Valid(), l.Nodes())
		}
		if len(seen.took(redlock.PathSuperseded)) == 0 {
			t.Error("the node's refusal is not told")
		}
	})
}

func TestRecoverByClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		l := lock(t, mutex(t, c.client(nil), "x"))
		if err := l.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		client := c.client(func(cfg *redlock.Config) { cfg.RecoverByClock = true })
		m := mutex(t, client, "x")
		if err := lock(t, m).Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.wipe(1, 2)
		if _, err := mutex(t, c.client(nil), "x").Lock(t.Context()); !errors.Is(err, redlock.ErrOperatorNeeded) {
			t.Errorf("a client that may not recover: %v", err)
		}
		start := time.Now()
		l2 := lock(t, m)
		within(t, "the recovery", time.Since(start), outlive, outlive+soon+4*pollEvery)
		if l2.Token() <= l.Token() {
			t.Errorf("the token fell from %v to %v", l.Token(), l2.Token())
		}
	})
}

// TestCatchUp has a node miss the seal.
func TestCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 5)
		var seen events
		client := c.client(func(cfg *redlock.Config) { cfg.Observer = &seen })
		old := c.client(nil)
		votes(t, old, "y") // knows the view before
		c.hang(5)
		c.wipe(1)
		awaitVotes(t, client, 4)
		c.heal()
		votes(t, client, "y")
		wait(soon)
		if got := votes(t, client, "y"); len(got) != 5 {
			t.Errorf("%v vote after the catch-up", got)
		}
		if got := seen.took(redlock.PathCatchUp); len(got) != 1 || got[0].Node != "n5" {
			t.Errorf("catch-ups: %+v", got)
		}
		// The other client meets the newer view in its first attempt.
		l, err := mutex(t, old, "z").TryLock(t.Context())
		if err != nil || len(l.Nodes()) < 3 {
			t.Errorf("a client of the old view: %v", err)
		}
	})
}

// TestNewViewDuringExtend has extensions meet a newer view: they begin again
// under it, and the caller does not notice.
func TestNewViewDuringExtend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		l := lock(t, mutex(t, c.client(func(cfg *redlock.Config) { cfg.NoRejoin = true }), "y", redlock.NoRenew()))
		c.wipe(1)
		votes(t, c.client(nil), "z")
		wait(soon) // that client has sealed the others
		if err := l.Extend(t.Context(), maxTTL); err != nil {
			t.Errorf("Extend across a change of view: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		var seen events
		holder := c.client(func(cfg *redlock.Config) { cfg.Observer, cfg.NoRejoin = &seen, true })
		l := lock(t, mutex(t, holder, "x"))
		c.wipe(1)
		awaitVotes(t, c.client(nil), 3)
		wait(maxTTL)
		if !l.Valid() || len(seen.took(redlock.PathNewView)) == 0 {
			t.Errorf("valid %v; %v", l.Valid(), seen.story())
		}
	})
}

func TestBootstrappedAnewWhileAClientLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(nil)
		l := lock(t, mutex(t, client, "held"))
		before := lock(t, mutex(t, client, "x"))
		if err := before.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.wipe()
		start := time.Now()
		if err := c.client(nil).Bootstrap(t.Context(), redlock.BootstrapOptions{}); err != nil {
			t.Fatal(err)
		}
		after := lock(t, mutex(t, client, "x"))
		within(t, "adopting the new cluster", time.Since(start), 0, pollEvery+soon)
		if after.Token() <= before.Token() {
			t.Errorf("the token fell from %v to %v", before.Token(), after.Token())
		}
		<-l.Context().Done()
		within(t, "the old cluster's lease", time.Since(start), validity-lossMargin, validity-lossMargin)
		is(t, "its cause", context.Cause(l.Context()), redlock.ErrLost)
	})
}

func TestBootstrapTokens(t *testing.T) {
	for _, tt := range []struct {
		opts        redlock.BootstrapOptions
		least, most time.Duration // of the first token, from now
	}{
		{redlock.BootstrapOptions{}, 2 * time.Minute, 2*time.Minute + time.Second},
		{redlock.BootstrapOptions{NewCluster: true}, 0, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 3)
			op := c.client(nil)
			if err := op.Bootstrap(t.Context(), tt.opts); err != nil {
				t.Fatal(err)
			}
			token := int64(lock(t, mutex(t, op, "x")).Token())
			ahead := time.Until(time.UnixMicro(token))
			if ahead < tt.least || ahead > tt.most {
				t.Errorf("%+v: the first token is %v ahead of the clock, want %v to %v", tt.opts, ahead, tt.least, tt.most)
			}
			if err := op.Bootstrap(t.Context(), tt.opts); err != nil {
				t.Errorf("Bootstrap of a living cluster: %v", err)
			}
		})
	}
}

func TestBootstrapNeedsAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		op := c.client(nil)
		c.down(2)
		err := op.Bootstrap(t.Context(), redlock.BootstrapOptions{NewCluster: true})
		onlyKind(t, err, redlock.ErrNoQuorum, "n2")
		c.heal()
		c.hang(3)
		start := time.Now()
		err = op.Bootstrap(t.Context(), redlock.BootstrapOptions{NewCluster: true})
		onlyKind(t, err, redlock.ErrNoQuorum, "n3", "no answer")
		within(t, "Bootstrap with a silent node", time.Since(start), 2*nodeDeadline, 4*nodeDeadline)
		err = op.Bootstrap(cancelAfter(t, 10*time.Millisecond), redlock.BootstrapOptions{NewCluster: true})
		is(t, "cancelled", err, redlock.ErrUnknown, context.Canceled)
		c.heal()
		wait(time.Second)
		if err := op.Bootstrap(t.Context(), redlock.BootstrapOptions{NewCluster: true}); err != nil {
			t.Errorf("with all nodes back: %v", err)
		}
		lock(t, mutex(t, op, "x"))
	})
}

// TestBootstrapHalfDone interrupts an operator at every stage.
func TestBootstrapHalfDone(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   script.Op
		at   []int // nodes that the operator's calls do not reach
	}{
		{"prepared in part", script.Prepare, []int{2, 3}},
		{"all prepared, none admitted", script.Admit, []int{1, 2, 3}},
		{"one admitted", script.Admit, []int{2, 3}},
		{"two admitted", script.Admit, []int{3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3)
				dead := c.client(filtered(dropOp(tt.op), tt.at...))
				err := dead.Bootstrap(t.Context(), redlock.BootstrapOptions{NewCluster: true})
				is(t, "the first operator", err, redlock.ErrNoQuorum)
				dead.Close()
				client := c.client(nil)
				if err := client.Bootstrap(t.Context(), redlock.BootstrapOptions{NewCluster: true}); err != nil {
					t.Fatalf("the second operator: %v", err)
				}
				if got := votes(t, client, "x"); len(got) != 3 {
					t.Errorf("only %v vote", got)
				}
			})
		})
	}
}

// TestMarkedNodeNeedsNoQuarantine: all nodes had taken the mark, so the one
// that was not admitted has voted for nobody.
func TestMarkedNodeNeedsNoQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		dead := c.client(filtered(dropOp(script.Admit), 3))
		dead.Bootstrap(t.Context(), redlock.BootstrapOptions{NewCluster: true})
		dead.Close()
		within(t, "the rejoin", awaitVotes(t, c.client(nil), 3), 0, soon+2*nodeDeadline)
	})
}

// TestBootstrapOfWhatIsLeft retires the node that still votes.
func TestBootstrapOfWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(func(cfg *redlock.Config) { cfg.NoHint = true })
		before := lock(t, mutex(t, client, "x", redlock.NoRenew()))
		c.wipe(1, 2)
		if err := client.Bootstrap(t.Context(), redlock.BootstrapOptions{}); err != nil {
			t.Fatal(err)
		}
		wait(maxTTL)
		if after := lock(t, mutex(t, client, "x")); after.Token() <= before.Token() {
			t.Errorf("the token fell from %v to %v", before.Token(), after.Token())
		}
	})
}

// TestRestartWithMemory costs a vote too: nobody knows that nothing was lost.
func TestRestartWithMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		client := c.client(nil)
		c.each(func(n *redlocktest.Driver) { n.Restart(true) }, 1)
		if got := votes(t, client, "y"); slices.Contains(got, "n1") {
			t.Errorf("a restarted node votes: %v", got)
		}
		within(t, "the rejoin", awaitVotes(t, client, 3), outlive-nodeDeadline, outlive+soon+2*nodeDeadline)
	})
}
