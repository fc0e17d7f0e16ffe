package subject_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/bench/subject"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// The frozen nodes' deadline is the usual one; elsewhere it is one that a busy
// machine does not reach, and slack is what such a machine may add.
const (
	nodeDeadline = 100 * time.Millisecond
	longDeadline = time.Second
	slack        = 150 * time.Millisecond
)

// ttl of the leases in these tests, unless a deadline needs more.
const ttl = 2 * time.Second

// servers starts n servers.
func servers(t *testing.T, n int) (*testenv.Env, subject.Nodes) {
	env, err := testenv.Start(context.Background(), testenv.Config{
		Nodes: n, Dir: filepath.Join(t.TempDir(), "nodes"), RedisServer: testenv.Require(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { env.Close() })
	var nodes subject.Nodes
	for _, n := range env.Nodes() {
		nodes.Names = append(nodes.Names, n.Name())
		nodes.Addrs = append(nodes.Addrs, n.DirectAddr())
	}
	return env, nodes
}

func mutex(t *testing.T, client *redlock.Client, name string) *redlock.Mutex {
	t.Helper()
	m, err := client.Mutex(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// eachDriver runs a test over every driver, on a cluster bootstrapped over it.
func eachDriver(t *testing.T, nodes int, deadline time.Duration, test func(t *testing.T, env *testenv.Env, client *redlock.Client)) {
	for _, driver := range subject.Drivers() {
		t.Run(driver, func(t *testing.T) {
			env, nodes := servers(t, nodes)
			client, err := subject.OpenOnPools(driver, nodes, max(ttl, 10*deadline), deadline)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { client.Close() })
			if err := client.Bootstrap(t.Context(), redlock.BootstrapOptions{NewCluster: true}); err != nil {
				t.Fatal(err)
			}
			test(t, env, client.Client)
		})
	}
}

// A lock over somebody else's client is a lock: exclusive, extended, renewed,
// released, also when the servers have forgotten the scripts.
func TestPoolsLock(t *testing.T) {
	eachDriver(t, 3, longDeadline, func(t *testing.T, env *testenv.Env, client *redlock.Client) {
		m := mutex(t, client, "a")
		last := redlock.Stats{}
		for i := range 20 {
			if i%5 == 0 {
				for _, n := range env.Nodes() {
					command(t, n, "SCRIPT", "FLUSH", "SYNC")
				}
			}
			lease, err := m.Lock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.TryLock(t.Context()); !errors.Is(err, redlock.ErrHeld) {
				t.Errorf("a second holder: %v", err)
			}
			if err := lease.Extend(t.Context(), 10*longDeadline); err != nil {
				t.Error(err)
			}
			if err := lease.Unlock(t.Context()); err != nil {
				t.Error(err)
			}
			last = client.Stats()
		}
		for _, n := range last.Nodes {
			if n.Answered < 60 || n.Errors.Total() > 0 || n.Driver.State != redlock.NodeUp {
				t.Errorf("%+v", n)
			}
		}
	})
}

// A renewed lease outlives its ttl.
func TestPoolsRenew(t *testing.T) {
	eachDriver(t, 3, nodeDeadline, func(t *testing.T, _ *testenv.Env, client *redlock.Client) {
		lease, err := mutex(t, client, "a").Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-lease.Context().Done():
			t.Fatal(context.Cause(lease.Context()))
		case <-time.After(2 * ttl):
		}
		if err := lease.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What a node answers with an error is told as such, whatever the client makes
// of it, and nothing is claimed about whether it was executed.
func TestPoolsTellServerErrors(t *testing.T) {
	eachDriver(t, 1, longDeadline, func(t *testing.T, env *testenv.Env, client *redlock.Client) {
		command(t, env.Nodes()[0], "ACL", "SETUSER", "default", "-evalsha", "-eval")
		_, err := mutex(t, client, "a").TryLock(t.Context())
		var server *redlock.ServerError
		if !errors.As(err, &server) || server.Code != "NOPERM" {
			t.Errorf("%v", err)
		}
		if s, _ := client.Stats().Node("n1"); s.Errors.Server == 0 || s.Driver.State != redlock.NodeUp {
			t.Errorf("%+v", s)
		}
	})
}

// One frozen server of three, then all of them: every operation ends in time,
// whatever the clients' own limits are, and goroutines stay bounded.
func TestPoolsFrozen(t *testing.T) {
	eachDriver(t, 3, nodeDeadline, func(t *testing.T, env *testenv.Env, client *redlock.Client) {
		m := mutex(t, client, "a")
		if _, err := cycle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		goroutines := runtime.NumGoroutine()
		must(t, env.Nodes()[1].Freeze)
		cycles, failed := 0, 0
		for start := time.Now(); time.Since(start) < 2*time.Second; cycles++ {
			longest, err := cycle(t.Context(), m)
			if err != nil {
				failed++
			}
			if longest > nodeDeadline+slack {
				t.Errorf("an operation took %v with one node frozen", longest)
			}
		}
		if failed > 1+cycles/50 {
			t.Errorf("%d of %d cycles failed though two of three nodes are well", failed, cycles)
		}
		if more := runtime.NumGoroutine() - goroutines; more > 100 {
			t.Errorf("%d more goroutines behind one frozen node", more)
		}
		must(t, env.Nodes()[0].Freeze)
		must(t, env.Nodes()[2].Freeze)
		for range 20 {
			start := time.Now()
			_, err := m.TryLock(t.Context())
			if took := time.Since(start); !errors.Is(err, redlock.ErrNoQuorum) || took > nodeDeadline+slack {
				t.Errorf("with all nodes frozen: %v after %v", err, took)
			}
		}
		if more := runtime.NumGoroutine() - goroutines; more > 3*100 {
			t.Errorf("%d more goroutines behind three frozen nodes", more)
		}
		for _, n := range env.Nodes() {
			must(t, n.Thaw)
		}
		start := time.Now()
		lease, err := m.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		back := time.Since(start)
		if back > time.Second+slack {
			t.Errorf("locked only %v after the nodes were thawed", back)
		}
		if err := lease.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
		t.Logf("%d cycles with one node frozen; locked %v after all were thawed", cycles, back)
	})
}

// cycle locks, extends and unlocks, and returns how long the longest took.
func cycle(ctx context.Context, m *redlock.Mutex) (longest time.Duration, err error) {
	timed := func(f func() error) {
		if err == nil {
			start := time.Now()
			err = f()
			longest = max(longest, time.Since(start))
		}
	}
	var lease *redlock.Lease
	timed(func() (err error) { lease, err = m.TryLock(ctx); return err })
	timed(func() error { return lease.Extend(ctx, ttl) })
	timed(func() error { return lease.Unlock(ctx) })
	return longest, err
}

func command(tb testing.TB, n *testenv.Node, name string, args ...any) any {
	tb.Helper()
	c, err := n.Dial(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	reply, err := c.Do(name, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return reply
}

func must(tb testing.TB, f func(context.Context) error) {
	tb.Helper()
	if err := f(context.Background()); err != nil {
		tb.Fatal(err)
	}
}
