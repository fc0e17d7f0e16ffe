package defects

import (
	"errors"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	goredis "github.com/redis/go-redis/v9"

	"github.com/quorumlock/quorumlock/bench/subject"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// TestDefect4LostReply: the servers execute a SET, and their replies are lost.
// go-redis sends it again, the servers answer that the key stands, and redsync
// takes its own key for another's: ErrTaken on a lock that nobody has.
func TestDefect4LostReply(t *testing.T) {
	// losing calls try while the replies to a are lost, until the first request
	// was executed everywhere.
	losing := func(t *testing.T, w *world, try func() error) error {
		for _, n := range w.Env.Nodes() {
			must(t, w.Cut(t.Context(), "a", n.Name(), testenv.Replies))
		}
		result := make(chan error, 1)
		go func() { result <- try() }()
		var executed [3]bool
		w.soon("the requests are executed", func() bool {
			for i := range executed {
				executed[i] = executed[i] || w.has(i, name)
			}
			return executed == [3]bool{true, true, true}
		})
		for _, n := range w.Env.Nodes() {
			must(t, w.Heal(t.Context(), "a", n.Name()))
		}
		return <-result
	}
	t.Run("redsync", func(t *testing.T) {
		w := start(t, testenv.Config{})
		m := w.redsyncOn("a", w.goredisPool(goredis.Options{})).NewMutex(name, redsync.WithExpiry(30*time.Second))
		must(t, m.TryLock()) // connections are made
		_, err := m.Unlock()
		must(t, err)
		err = losing(t, w, m.TryLock)
		var taken *redsync.ErrTaken
		if !errors.As(err, &taken) {
			t.Errorf("%v: mended?", err)
		}
	})
	quorumlock := func(t *testing.T, w *world, c *redlock.Client) {
		m := mutex(t, c, name)
		lease, err := m.Lock(bounded(t)) // connections are made, scripts are loaded
		must(t, err)
		must(t, lease.Unlock(t.Context()))
		w.soon("it is released everywhere", func() bool { return !w.has(0, name) && !w.has(1, name) && !w.has(2, name) })
		try := func() (err error) { lease, err = m.TryLock(t.Context()); return err }
		if err := losing(t, w, try); errors.Is(err, redlock.ErrHeld) {
			t.Errorf("its own key is another's: %v", err)
		} else if err == nil {
			must(t, lease.Unlock(t.Context()))
		}
		w.soon("the keys of the attempt are gone", func() bool { return !w.has(0, name) && !w.has(1, name) && !w.has(2, name) })
		lease, err = m.Lock(bounded(t))
		must(t, err)
		must(t, lease.Unlock(t.Context()))
	}
	t.Run("quorumlock", func(t *testing.T) {
		w := start(t, testenv.Config{})
		quorumlock(t, w, w.ours("a", redlock.Config{}))
	})
	t.Run("quorumlock on go-redis", func(t *testing.T) { // which sends again here as well
		w := start(t, testenv.Config{})
		w.ours("b", redlock.Config{}) // bootstraps
		nodes := subject.Nodes{}
		for _, n := range w.Env.Nodes() {
			nodes.Names, nodes.Addrs = append(nodes.Names, n.Name()), append(nodes.Addrs, w.Addr("a", n.Name()))
		}
		c, err := subject.OpenOnPools("goredis", nodes, 30*time.Second, 2*time.Second)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		quorumlock(t, w, c.Client)
	})
}

// TestDefect5ExtendAfterAnotherHolder: a's lock expires, b locks and unlocks, a
// extends. redsync's WithSetNXOnExtend says that it worked: what a did under
// the lock before and what it does after is cut in two by b, in silence.
func TestDefect5ExtendAfterAnotherHolder(t *testing.T) {
	t.Run("redsync", func(t *testing.T) {
		w := start(t, testenv.Config{})
		a := w.redsyncOn("a", w.redigoPool).NewMutex(name, redsync.WithExpiry(200*time.Millisecond), redsync.WithSetNXOnExtend())
		b := w.redsyncOn("b", w.redigoPool).NewMutex(name, redsync.WithTries(100))
		must(t, a.Lock())
		must(t, b.Lock())
		if ok, err := b.Unlock(); !ok {
			t.Fatal(err)
		}
		if ok, err := a.Extend(); !ok || err != nil {
			t.Errorf("a was refused, %v: mended?", err)
		}
	})
	t.Run("quorumlock", func(t *testing.T) {
		w := start(t, testenv.Config{})
		cfg := redlock.Config{MaxTTL: shortTTL}
		a := mutex(t, w.ours("a", cfg), name, redlock.NoRenew())
		b := mutex(t, w.ours("b", cfg), name)
		first, err := a.Lock(bounded(t))
		must(t, err)
		second, err := b.Lock(bounded(t))
		must(t, err)
		must(t, second.Unlock(t.Context()))
		if err := first.Extend(t.Context(), shortTTL); !errors.Is(err, redlock.ErrExpired) {
			t.Errorf("a's extension: %v", err)
		}
	})
}

// TestDefect6MissingNodeIsNeverFilledIn: a locks while it does not reach the
// third node, and extends once it does. Then the second node loses its memory,
// and b locks. redsync extends only what is there, so b finds two nodes free
// and both have the lock.
func TestDefect6MissingNodeIsNeverFilledIn(t *testing.T) {
	t.Run("redsync", func(t *testing.T) {
		w := start(t, testenv.Config{})
		pool := w.goredisPool(goredis.Options{ReadTimeout: 100 * time.Millisecond, MaxRetries: -1})
		a := w.redsyncOn("a", pool).NewMutex(name, redsync.WithExpiry(30*time.Second))
		must(t, w.Cut(t.Context(), "a", "n3", testenv.Both))
		must(t, a.Lock())
		must(t, w.Heal(t.Context(), "a", "n3"))
		for range 3 { // the first may meet the old connection
			if ok, err := a.Extend(); !ok {
				t.Fatal(err)
			}
		}
		if w.has(2, name) {
			t.Error("the third node has the key: mended?")
		}
		must(t, w.Env.Nodes()[1].FlushAll(t.Context()))
		if err := w.redsyncOn("b", pool).NewMutex(name).TryLock(); err != nil {
			t.Errorf("b was refused, %v: mended?", err)
		}
		if time.Until(a.Until()) < 10*time.Second {
			t.Error("a's lock is not valid any longer, which proves nothing")
		}
	})
	t.Run("quorumlock", func(t *testing.T) {
		w := start(t, testenv.Config{})
		a, b := mutex(t, w.ours("a", redlock.Config{}), name), mutex(t, w.ours("b", redlock.Config{}), name)
		must(t, w.Cut(t.Context(), "a", "n3", testenv.Both))
		lease, err := a.Lock(bounded(t))
		must(t, err)
		must(t, w.Heal(t.Context(), "a", "n3"))
		w.soon("an extension fills in the third node", func() bool {
			return lease.Extend(t.Context(), 30*time.Second) == nil && w.has(2, name)
		})
		must(t, w.Env.Nodes()[1].FlushAll(t.Context()))
		if _, err := b.TryLock(t.Context()); err == nil {
			t.Error("b has the lock too")
		}
		if !lease.Valid() {
			t.Error("a's lease is not valid any longer, which proves nothing")
		}
	})
}
