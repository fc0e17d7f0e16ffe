package defects

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// locker makes a rueidislock client of the first server.
func (w *world) locker(client string, o rueidislock.LockerOption) rueidislock.Locker {
	w.t.Helper()
	o.ClientOption = rueidis.ClientOption{InitAddress: []string{w.Addr(client, "n1")}}
	l, err := rueidislock.NewLocker(o)
	must(w.t, err)
	w.t.Cleanup(l.Close)
	return l
}

// TestDefect8LossIsToldTooLate: a holds the lock and is cut off; b waits for it.
// rueidislock computes a's deadline from the extension that never arrived, so
// a's context goes on for an extension interval after b has the lock.
func TestDefect8LossIsToldTooLate(t *testing.T) {
	t.Run("rueidislock", func(t *testing.T) {
		t.Parallel()
		w := start(t, testenv.Config{Nodes: 1})
		const validity = 2 * time.Second
		o := rueidislock.LockerOption{KeyValidity: validity}
		a, b := w.locker("a", o), w.locker("b", o)
		held, unlock, err := a.WithContext(t.Context(), name)
		must(t, err)
		defer unlock()
		must(t, w.Cut(t.Context(), "a", "n1", testenv.Both))
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		_, unlockB, err := b.WithContext(ctx, name)
		must(t, err)
		defer unlockB()
		if held.Err() != nil {
			t.Error("a knew of its loss when b had the lock: mended?")
		}
		late := timed(func() { <-held.Done() })
		t.Logf("a's context ended %v after b had the lock", late)
	})
	t.Run("quorumlock", func(t *testing.T) {
		t.Parallel()
		w := start(t, testenv.Config{})
		cfg := redlock.Config{MaxTTL: shortTTL}
		a, b := mutex(t, w.ours("a", cfg), name), mutex(t, w.ours("b", cfg), name)
		lease, err := a.Lock(bounded(t))
		must(t, err)
		for _, n := range w.Env.Nodes() {
			must(t, w.Cut(t.Context(), "a", n.Name(), testenv.Both))
		}
		second, err := b.Lock(bounded(t))
		must(t, err)
		if lease.Context().Err() == nil || !errors.Is(context.Cause(lease.Context()), redlock.ErrLost) {
			t.Errorf("a does not know of its loss while b has the lock: %v", context.Cause(lease.Context()))
		}
		must(t, second.Unlock(t.Context()))
	})
}

// TestDefect9ServerClockAhead: the servers' clocks are an hour ahead of the
// clients'. rueidislock says when a key shall expire in the client's time; for
// the server that is long past, so it answers OK and stores nothing, and
// everybody has the lock.
func TestDefect9ServerClockAhead(t *testing.T) {
	testenv.RequireClocks(t)
	ahead := func(t *testing.T) *world {
		w := start(t, testenv.Config{Clocks: true})
		for _, n := range w.Env.Nodes() {
			must(t, n.SetClock(t.Context(), testenv.Clock{Offset: time.Hour}))
		}
		return w
	}
	t.Run("rueidislock", func(t *testing.T) {
		w := ahead(t)
		a, b := w.locker("a", rueidislock.LockerOption{}), w.locker("b", rueidislock.LockerOption{})
		// On a busy machine its next renewal may find out before b is granted;
		// once is enough.
		both := 0
		for i := range 20 {
			lock := fmt.Sprintf("%s-%d", name, i)
			first, unlockA, err := a.TryWithContext(t.Context(), lock)
			must(t, err)
			second, unlockB, err := b.TryWithContext(t.Context(), lock)
			if err != nil {
				t.Fatalf("b was refused, %v: mended?", err)
			}
			if first.Err() == nil && second.Err() == nil {
				both++
			}
			unlockB()
			unlockA()
		}
		t.Logf("both had the lock %d times in 20", both)
		if both == 0 {
			t.Error("one of them was told every time: mended?")
		}
	})
	t.Run("quorumlock", func(t *testing.T) {
		w := ahead(t)
		a, b := mutex(t, w.ours("a", redlock.Config{}), name), mutex(t, w.ours("b", redlock.Config{}), name)
		lease, err := a.Lock(bounded(t))
		must(t, err)
		if !w.has(0, name) && !w.has(1, name) {
			t.Error("no key stands")
		}
		if _, err := b.TryLock(t.Context()); !errors.Is(err, redlock.ErrHeld) {
			t.Errorf("b: %v", err)
		}
		must(t, lease.Unlock(t.Context()))
	})
}
