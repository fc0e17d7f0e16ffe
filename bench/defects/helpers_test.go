package defects

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	rsredis "github.com/go-redsync/redsync/v4/redis"
	rsgoredis "github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"

	"github.com/quorumlock/quorumlock/bench/subject"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// name is the lock that all tests fight for.
const name = "stock"

// patience bounds what must happen soon on a busy machine.
const patience = 10 * time.Second

// nodeDeadline is one that a busy machine keeps, and far below what a defect
// costs. shortTTL is the least ttl that goes with it.
const (
	nodeDeadline = 300 * time.Millisecond
	shortTTL     = 10 * nodeDeadline
)

// world is three servers and the two clients' proxies, a's and b's.
type world struct {
	*testenv.Env
	t *testing.T
}

func start(t *testing.T, cfg testenv.Config) *world {
	t.Helper()
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	cfg.Clients = []string{"a", "b"}
	cfg.Dir = filepath.Join(t.TempDir(), "nodes")
	cfg.RedisServer = testenv.Require(t)
	cfg.Persistence = testenv.PersistNothing
	env, err := testenv.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{env, t}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ours makes a client of this project's behind the proxies, for a cluster that
// is bootstrapped if it is not yet.
func (w *world) ours(client string, cfg redlock.Config) *redlock.Client {
	w.t.Helper()
	if cfg.MaxTTL == 0 {
		cfg.MaxTTL = 30 * time.Second
	}
	if cfg.NodeDeadline == 0 {
		cfg.NodeDeadline = nodeDeadline
	}
	for _, n := range w.Env.Nodes() {
		cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: n.Name(), URL: "redis://" + w.Addr(client, n.Name())})
	}
	c, err := redlock.New(cfg)
	must(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	if member, err := subject.Admission(w.t.Context(), w.Env.Nodes()[0].DirectAddr()); err != nil || member.Cfg == "" {
		w.soon("the cluster is bootstrapped", func() bool {
			return c.Bootstrap(w.t.Context(), redlock.BootstrapOptions{NewCluster: true}) == nil
		})
	}
	return c
}

func mutex(t *testing.T, c *redlock.Client, name string, opts ...redlock.Option) *redlock.Mutex {
	t.Helper()
	m, err := c.Mutex(name, opts...)
	must(t, err)
	return m
}

// redsyncOn makes a redsync client behind the proxies.
func (w *world) redsyncOn(client string, pool func(addr string) rsredis.Pool) *redsync.Redsync {
	var pools []rsredis.Pool
	for _, n := range w.Env.Nodes() {
		pools = append(pools, pool(w.Addr(client, n.Name())))
	}
	return redsync.New(pools...)
}

// redigoPool is a pool of redigo's as its documentation makes one.
func (w *world) redigoPool(addr string) rsredis.Pool {
	pool, end, err := subject.RedsyncPool("redigo", addr)
	must(w.t, err)
	w.t.Cleanup(func() { end() })
	return pool
}

// goredisPool is go-redis with the options, Addr aside.
func (w *world) goredisPool(o goredis.Options) func(addr string) rsredis.Pool {
	return func(addr string) rsredis.Pool {
		own := o
		own.Addr = addr
		c := goredis.NewClient(&own)
		w.t.Cleanup(func() { c.Close() })
		return rsgoredis.NewPool(c)
	}
}

// do asks a server directly.
func (w *world) do(node int, cmd string, args ...any) any {
	w.t.Helper()
	c, err := w.Env.Nodes()[node].Dial(w.t.Context())
	must(w.t, err)
	defer c.Close()
	reply, err := c.Do(cmd, args...)
	must(w.t, err)
	return reply
}

// has reports whether the key stands on the node.
func (w *world) has(node int, key string) bool {
	w.t.Helper()
	n, err := redis.Int(w.do(node, "EXISTS", key), nil)
	must(w.t, err)
	return n == 1
}

// soon fails unless the condition comes true in a while.
func (w *world) soon(what string, condition func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if !holds(ctx, condition) {
		w.t.Fatalf("not within %v: %s", patience, what)
	}
}

// within reports whether the condition comes true in the time.
func (w *world) within(d time.Duration, condition func() bool) bool {
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	return holds(ctx, condition)
}

// holds polls until the condition is true or ctx ends.
func holds(ctx context.Context, condition func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if condition() {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// taken gives the lock's name to a third party on the nodes.
func (w *world) taken(key string, nodes ...int) {
	w.t.Helper()
	for _, n := range nodes {
		w.do(n, "SET", key, "somebody else", "PX", 60_000)
	}
}

// bounded is a context for what must not wait for ever.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
