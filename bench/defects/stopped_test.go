package defects

import (
	"context"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	goredis "github.com/redis/go-redis/v9"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// freezeFor stops the third node and thaws it after a while, at the latest when
// the returned function is called.
func (w *world) freezeFor(d time.Duration) (thaw func()) {
	w.t.Helper()
	node := w.Env.Nodes()[2]
	must(w.t, node.Freeze(w.t.Context()))
	done := make(chan error, 1)
	timer := time.AfterFunc(d, func() { done <- node.Thaw(context.Background()) })
	return func() {
		if timer.Stop() {
			done <- node.Thaw(context.Background())
		}
		must(w.t, <-done)
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// TestDefect1NodeStopped: one of three nodes is stopped, its connections stay.
// redsync waits for it: on redigo without timeouts for as long as it stands
// still, in Lock, Extend and Unlock alike; on go-redis with its defaults so long
// that a lock of two seconds is never had at all.
func TestDefect1NodeStopped(t *testing.T) {
	const ttl = 2 * time.Second
	t.Run("redsync on redigo", func(t *testing.T) {
		t.Parallel()
		w := start(t, testenv.Config{})
		m := w.redsyncOn("a", w.redigoPool).NewMutex(name, redsync.WithExpiry(30*time.Second))
		const frozen = 700 * time.Millisecond
		for _, op := range []struct {
			name string
			f    func() error
		}{
			{"lock", m.TryLock},
			{"extend", func() error { _, err := m.Extend(); return err }},
			{"unlock", func() error { _, err := m.Unlock(); return err }},
		} {
			thaw := w.freezeFor(frozen)
			took := timed(func() { must(t, op.f()) })
			thaw()
			if took < frozen-100*time.Millisecond {
				t.Errorf("%s took %v only while a node was frozen for %v: mended?", op.name, took, frozen)
			}
			t.Logf("%s: %v", op.name, took)
		}
	})
	t.Run("redsync on go-redis", func(t *testing.T) {
		t.Parallel()
		w := start(t, testenv.Config{})
		m := w.redsyncOn("a", w.goredisPool(goredis.Options{})).NewMutex(name, redsync.WithExpiry(ttl))
		thaw := w.freezeFor(time.Minute)
		defer thaw()
		var err error
		took := timed(func() { err = m.TryLock() })
		if err == nil || took < ttl {
			t.Errorf("a lock of %v, with two of three nodes healthy, took %v: %v: mended?", ttl, took, err)
		}
		t.Logf("lock: %v, %v", took, err)
	})
	t.Run("quorumlock", func(t *testing.T) {
		t.Parallel()
		w := start(t, testenv.Config{})
		c := w.ours("a", redlock.Config{TTL: shortTTL})
		m := mutex(t, c, name, redlock.NoRenew())
		lease, err := m.Lock(bounded(t)) // connections are made, scripts are loaded
		must(t, err)
		must(t, lease.Unlock(t.Context()))
		w.soon("it is released everywhere", func() bool { return !w.has(0, name) && !w.has(1, name) && !w.has(2, name) })
		thaw := w.freezeFor(time.Minute)
		defer thaw()
		for _, op := range []struct {
			name string
			f    func() error
		}{
			{"lock", func() (err error) { lease, err = m.TryLock(t.Context()); return err }},
			{"extend", func() error { return lease.Extend(t.Context(), shortTTL) }},
			{"unlock", func() error { return lease.Unlock(t.Context()) }},
		} {
			took := timed(func() { must(t, op.f()) })
			if limit := 2 * nodeDeadline; took > limit {
				t.Errorf("%s took %v, want at most %v", op.name, took, limit)
			}
			t.Logf("%s: %v", op.name, took)
		}
	})
}
