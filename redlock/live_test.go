package redlock_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
	"go.uber.org/goleak"
)

// The tests of the files live*_test.go run on real servers. Times are those of
// a busy machine: bounds from above have slack, bounds from below have none.
const (
	slack        = 150 * time.Millisecond
	liveDeadline = 100 * time.Millisecond // of a node
)

// live is a set of real servers.
type live struct {
	*testenv.Env
	t   *testing.T
	ctx context.Context // bounds the whole test; only a hang reaches it
}

// startLive starts servers, and proxies for the named clients. After the test
// no goroutine of anything may be left.
func startLive(t *testing.T, cfg testenv.Config) *live {
	t.Helper()
	cfg.RedisServer = testenv.Require(t)
	cfg.Dir = t.TempDir()
	ignored := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignored) })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	env, err := testenv.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	return &live{env, t, ctx}
}

// config names the nodes n1 to nN and reaches them through the proxies of the
// client, or directly if it is empty.
func (l *live) config(client string, n int) redlock.Config {
	cfg := redlock.Config{MaxTTL: time.Second, NodeDeadline: liveDeadline}
	for _, node := range l.Nodes()[:n] {
		addr := node.DirectAddr()
		if client != "" {
			addr = l.Addr(client, node.Name())
		}
		cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: node.Name(), URL: "redis://" + addr})
	}
	return cfg
}

// open returns a client that the test closes.
func (l *live) open(cfg redlock.Config) *redlock.Client {
	l.t.Helper()
	c, err := redlock.New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	return c
}

// bootstrap makes a cluster for clients of the given configuration.
func (l *live) bootstrap(cfg redlock.Config) {
	l.t.Helper()
	c := l.open(cfg)
	defer c.Close()
	for {
		err := c.Bootstrap(l.ctx, redlock.BootstrapOptions{NewCluster: true})
		if err == nil {
			return
		}
		// On a busy machine the first connection may take longer than a node
		// deadline; what took it changes nothing.
		if l.ctx.Err() != nil || !errors.Is(err, redlock.ErrNoQuorum) {
			l.t.Fatal(err)
		}
	}
}

// must ends the test on an error.
func (l *live) must(errs ...error) {
	l.t.Helper()
	if err := errors.Join(errs...); err != nil {
		l.t.Fatal(err)
	}
}

// node returns the server that bears the name.
func (l *live) node(name string) *testenv.Node {
	l.t.Helper()
	n, ok := l.Node(name)
	if !ok {
		l.t.Fatalf("no node %s", name)
	}
	return n
}

// cut cuts a client off from nodes, all at once.
func (l *live) cut(client string, nodes ...string) {
	l.t.Helper()
	l.must(all(nodes, func(n string) error { return l.Cut(l.ctx, client, n, testenv.Both) }))
}

// mend undoes cut.
func (l *live) mend(client string, nodes ...string) {
	l.t.Helper()
	l.must(all(nodes, func(n string) error { return l.Heal(l.ctx, client, n) }))
}

// all calls f for all items at once and joins the errors.
func all[T any](items []T, f func(T) error) error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() { errs[i] = f(item) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// keys counts on which nodes any of the keys stands, past the proxies.
func (l *live) keys(names []string) map[string]int {
	l.t.Helper()
	found := make(map[string]int)
	for _, n := range l.Nodes() {
		conn, err := n.Dial(l.ctx)
		l.must(err)
		count, err := redis.Int(conn.Do("EXISTS", redis.Args{}.AddFlat(names)...))
		l.must(err, conn.Close())
		if count > 0 {
			found[n.Name()] = count
		}
	}
	return found
}

// lock locks within the test's time.
func (l *live) lock(m *redlock.Mutex) *redlock.Lease {
	l.t.Helper()
	lease, err := m.Lock(l.ctx)
	l.must(err)
	return lease
}

// unlock releases. On a busy machine answers may be late; the lock is freed in
// the background then.
func (l *live) unlock(lease *redlock.Lease) {
	l.t.Helper()
	if err := lease.Unlock(l.ctx); err != nil && !errors.Is(err, redlock.ErrUnknown) {
		l.t.Error(err)
	}
}

// TestLiveCancelledLocksLeaveNoKey cancels Lock at random moments of an
// exchange, with and without a slow network.
func TestLiveCancelledLocksLeaveNoKey(t *testing.T) {
	tries, batch := 1000, 100
	if testing.Short() {
		tries, batch = 100, 50
	}
	env := startLive(t, testenv.Config{Nodes: 5, Clients: []string{"slow"}})
	cfg := env.config("", 5)
	cfg.MaxTTL = 20 * time.Second // longer than the test: no key goes by expiry
	env.bootstrap(cfg)
	slow := env.config("slow", 5)
	slow.MaxTTL = cfg.MaxTTL
	names := []string{"n1", "n2", "n3", "n4", "n5"}
	env.must(all(names, func(n string) error {
		return env.Delay(env.ctx, "slow", n, testenv.Both, 3*time.Millisecond, time.Millisecond)
	}))
	for _, tt := range []struct {
		name string
		cfg  redlock.Config
		most time.Duration // of the moment of the cancellation
		want int           // so many must really have been cancelled in the middle
	}{{"direct", cfg, 3 * time.Millisecond, tries / 2}, {"slow network", slow, 15 * time.Millisecond, tries / 2}} {
		t.Run(tt.name, func(t *testing.T) {
			client := env.open(tt.cfg)
			env.unlock(env.lock(mutex(t, client, "warm")))
			cancelled, made := 0, 0
			for ; cancelled < tt.want && made < 4*tt.want; made += batch {
				from := made
				n, keys := env.cancelLocks(t, client, from, batch, tt.most)
				cancelled += n
				<-time.After(2 * liveDeadline)
				if left := env.keys(keys); len(left) > 0 {
					t.Errorf("%s: seed %d: keys left on %v", tt.name, from, left)
				}
			}
			t.Logf("%d of %d were cancelled in the middle", cancelled, made)
			if cancelled < tt.want {
				t.Errorf("only %d of %d were cancelled in the middle, want %d", cancelled, made, tt.want)
			}
		})
	}
}

// cancelLocks locks and cancels, eight at a time, after times that from and most
// are the seed of. It returns how many were cancelled, and the keys.
func (l *live) cancelLocks(t *testing.T, client *redlock.Client, from, n int, most time.Duration) (cancelled int, keys []string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(from), uint64(most)))
	var mu sync.Mutex
	slots := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for try := from; try < from+n; try++ {
		key := fmt.Sprintf("key-%v-%d", most, try)
		keys = append(keys, key)
		after := 100*time.Microsecond + time.Duration(rng.Int64N(int64(most))) // not before it has begun
		m := mutex(t, client, key)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithCancel(l.ctx)
			defer time.AfterFunc(after, cancel).Stop()
			lease, err := m.Lock(ctx)
			switch {
			case err == nil: // the answers were faster
				l.unlock(lease)
			case !errors.Is(err, context.Canceled):
				t.Errorf("%s: %v", key, err)
			default:
				mu.Lock()
				cancelled++
				mu.Unlock()
			}
			cancel()
		})
	}
	wg.Wait()
	return cancelled, keys
}

// TestLivePartitionedHolderIsToldFirst cuts holders off and lets rivals wait
// for their locks.
func TestLivePartitionedHolderIsToldFirst(t *testing.T) {
	const keys = 50
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	env := startLive(t, testenv.Config{Nodes: 5, Clients: []string{"holder"}})
	var lost, taken events
	holder, rival := env.config("holder", 5), env.config("", 5)
	env.bootstrap(rival)
	holder.TTL, rival.TTL = 600*time.Millisecond, 600*time.Millisecond
	holder.NodeDeadline, rival.NodeDeadline = nodeDeadline, nodeDeadline
	holder.Observer, rival.Observer = &lost, &taken
	a, b := env.open(holder), env.open(rival)
	names := []string{"n1", "n2", "n3", "n4", "n5"}
	for round := range rounds {
		var wg sync.WaitGroup
		for i := range keys {
			name := fmt.Sprintf("%d/%d", round, i)
			held := env.lock(mutex(t, a, name))
			m := mutex(t, b, name)
			wg.Go(func() {
				l, err := m.Lock(env.ctx)
				if held.Context().Err() == nil || held.Valid() {
					t.Errorf("%s: a rival's Lock returned while the holder's lease was valid", name)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else {
					env.unlock(l)
				}
			})
		}
		env.cut("holder", names...)
		wg.Wait()
		env.mend("holder", names...)
	}
	compareLosses(t, lost.of(redlock.EventLost), taken.of(redlock.EventAcquired), rounds*keys)
}

// compareLosses checks for each name that the loss came before the acquisition.
// The two clients read the same clock.
func compareLosses(t *testing.T, lost, taken []redlock.Event, want int) {
	t.Helper()
	if len(lost) != want || len(taken) != want {
		t.Errorf("%d losses and %d acquisitions, want %d", len(lost), len(taken), want)
	}
	for _, got := range taken {
		i := slices.IndexFunc(lost, func(e redlock.Event) bool { return e.Name == got.Name })
		switch {
		case i < 0:
			t.Errorf("%s was acquired, and never lost", got.Name)
		case lost[i].At >= got.At:
			t.Errorf("%s was acquired %v before the loss was told", got.Name, lost[i].At-got.At)
		case lost[i].Token >= got.Token:
			t.Errorf("%s: token %v after %v", got.Name, got.Token, lost[i].Token)
		}
	}
}

// TestLiveFrozenServersCostOneNodeDeadline freezes one and then three of five.
func TestLiveFrozenServersCostOneNodeDeadline(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 5})
	cfg := env.config("", 5)
	cfg.MaxTTL = 20 * time.Second
	env.bootstrap(cfg)
	client := env.open(cfg)
	env.unlock(env.lock(mutex(t, client, "warm")))
	timed := func(what string, f func() error) error {
		start := time.Now()
		err := f()
		within(t, what, time.Since(start), 0, liveDeadline+slack)
		return err
	}
	env.must(env.node("n1").Freeze(env.ctx))
	var l *redlock.Lease
	for i := range 10 {
		m := mutex(t, client, fmt.Sprint(i))
		env.must(
			timed("Lock with one frozen", func() (err error) { l, err = m.Lock(env.ctx); return err }),
			timed("Extend with one frozen", func() error { return l.Extend(env.ctx, 10*time.Second) }),
			timed("Unlock with one frozen", func() error { return l.Unlock(env.ctx) }),
		)
	}
	leases := []*redlock.Lease{env.lock(mutex(t, client, "a")), env.lock(mutex(t, client, "b"))}
	env.must(env.node("n2").Freeze(env.ctx), env.node("n3").Freeze(env.ctx))
	for i := range 3 {
		m := mutex(t, client, fmt.Sprint("no quorum ", i))
		err := timed("TryLock with three frozen", func() error { _, err := m.TryLock(env.ctx); return err })
		onlyKind(t, err, redlock.ErrNoQuorum, "n1", "n2", "n3")
	}
	for _, l := range leases {
		err := timed("Extend with three frozen", func() error { return l.Extend(env.ctx, 10*time.Second) })
		onlyKind(t, err, redlock.ErrNoQuorum, "n1", "n2", "n3")
		err = timed("Unlock with three frozen", func() error { return l.Unlock(env.ctx) })
		onlyKind(t, err, redlock.ErrUnknown, "n1", "n2", "n3")
	}
	env.must(env.HealAll(env.ctx))
}
