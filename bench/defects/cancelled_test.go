package defects

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	goredis "github.com/redis/go-redis/v9"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// lingers is how long a key must stay for it to count as left behind. Until its
// ttl of 30 s nothing else would remove it.
const lingers = 2 * time.Second

// TestDefect2ContextEndsInMidAttempt: the first node grants, the two others say
// late that the lock is taken, and the caller's context ends before. redsync
// then cleans up under that same context, so that nothing is sent, and the key
// stays on the first node for its whole ttl.
func TestDefect2ContextEndsInMidAttempt(t *testing.T) {
	setUp := func(t *testing.T) *world {
		w := start(t, testenv.Config{})
		w.taken(name, 1, 2)
		for _, n := range []string{"n2", "n3"} {
			must(t, w.Delay(t.Context(), "a", n, testenv.Replies, 300*time.Millisecond, 0))
		}
		return w
	}
	t.Run("redsync", func(t *testing.T) {
		w := setUp(t)
		m := w.redsyncOn("a", w.goredisPool(goredis.Options{})).NewMutex(name, redsync.WithExpiry(30*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := m.LockContext(ctx); err == nil {
			t.Fatal("it has the lock")
		}
		if w.within(lingers, func() bool { return !w.has(0, name) }) {
			t.Error("the key is gone: mended?")
		}
	})
	t.Run("quorumlock", func(t *testing.T) {
		w := setUp(t)
		w.ours("b", redlock.Config{}) // bootstraps past the delay
		m := mutex(t, w.ours("a", redlock.Config{NodeDeadline: time.Second}), name)
		if _, err := m.TryLock(t.Context()); !errors.Is(err, redlock.ErrHeld) { // connections are made
			t.Fatal(err)
		}
		granted := make(chan bool, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			granted <- w.within(patience, func() bool { return w.has(0, name) })
			cancel()
		}()
		if _, err := m.Lock(ctx); err == nil || !errors.Is(err, context.Canceled) {
			t.Fatalf("%v", err)
		}
		if !<-granted {
			t.Fatal("no attempt was seen on the first node")
		}
		w.soon("the key is gone from the first node", func() bool { return !w.has(0, name) })
	})
}

// TestDefect3FailFast: two of three nodes say taken at once, the third is a few
// milliseconds slow. redsync's fail-fast returns after two answers and deletes
// on another connection, which the SET under way can be overtaken by: the key
// then stays on the slow node, and blocks its vote for a whole ttl.
func TestDefect3FailFast(t *testing.T) {
	const tries = 100
	key := func(i int) string { return fmt.Sprint(name, "-", i) }
	setUp := func(t *testing.T) *world {
		w := start(t, testenv.Config{Seed: 3})
		for i := range tries {
			w.taken(key(i), 0, 1)
		}
		must(t, w.Delay(t.Context(), "a", "n3", testenv.Requests, 2*time.Millisecond, 2*time.Millisecond))
		return w
	}
	left := func(w *world) (n int) {
		for i := range tries {
			if w.has(2, key(i)) {
				n++
			}
		}
		return n
	}
	t.Run("redsync", func(t *testing.T) {
		w := setUp(t)
		rs := w.redsyncOn("a", w.redigoPool)
		for i := range tries {
			if err := rs.NewMutex(key(i), redsync.WithExpiry(30*time.Second), redsync.WithFailFast(true)).TryLock(); err == nil {
				t.Fatal("it has a lock that two nodes refused")
			}
		}
		if w.within(lingers, func() bool { return left(w) == 0 }) {
			t.Error("no key is left: mended?")
		}
		t.Logf("%d of %d attempts left a key", left(w), tries)
	})
	t.Run("quorumlock", func(t *testing.T) {
		w := setUp(t)
		c := w.ours("a", redlock.Config{})
		for i := range tries {
			if _, err := mutex(t, c, key(i)).TryLock(t.Context()); !errors.Is(err, redlock.ErrHeld) {
				t.Fatal(err)
			}
		}
		w.soon("no key is left on the slow node", func() bool { return left(w) == 0 })
	})
}

// TestDefect7ErrorsThatCannotBeToldApart: redsync answers a cancelled context
// with ErrFailed alone, as if the tries were used up, and the extension of an
// expired lock with "already taken", though nobody has it.
func TestDefect7ErrorsThatCannotBeToldApart(t *testing.T) {
	t.Run("redsync", func(t *testing.T) {
		w := start(t, testenv.Config{})
		rs := w.redsyncOn("a", w.redigoPool)
		m := rs.NewMutex(name, redsync.WithExpiry(200*time.Millisecond))
		must(t, m.Lock())
		w.soon("the lock expires", func() bool { return !w.has(0, name) && !w.has(1, name) && !w.has(2, name) })
		_, err := m.Extend()
		var taken *redsync.ErrTaken
		if !errors.As(err, &taken) {
			t.Errorf("the extension of an expired lock: %v: mended?", err)
		}
		w.taken(name, 0, 1, 2)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		err = rs.NewMutex(name, redsync.WithTries(1000)).LockContext(ctx)
		if !errors.Is(err, redsync.ErrFailed) || errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled context: %v: mended?", err)
		}
	})
	t.Run("quorumlock", func(t *testing.T) {
		w := start(t, testenv.Config{})
		c := w.ours("a", redlock.Config{MaxTTL: shortTTL})
		m := mutex(t, c, name, redlock.NoRenew())
		lease, err := m.Lock(bounded(t))
		must(t, err)
		<-lease.Context().Done()
		err = lease.Extend(t.Context(), shortTTL)
		if !errors.Is(err, redlock.ErrExpired) || errors.Is(err, redlock.ErrHeld) {
			t.Errorf("the extension of an expired lock: %v", err)
		}
		w.soon("the lock is free", func() bool { return !w.has(0, name) && !w.has(1, name) && !w.has(2, name) })
		w.taken(name, 0, 1, 2)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		_, err = m.Lock(ctx)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, redlock.ErrHeld) {
			t.Errorf("a cancelled context: %v", err)
		}
	})
}
