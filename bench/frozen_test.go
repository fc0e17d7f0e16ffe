package bench

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	rsredis "github.com/go-redsync/redsync/v4/redis"
	rsredigo "github.com/go-redsync/redsync/v4/redis/redigo"
	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

const (
	ttl   = 2 * time.Second
	pairs = 500 // operations of each kind in one state of the nodes, per iteration
)

// contender is a lock under measurement: one cycle of lock, extend, unlock.
type contender interface {
	lock(ctx context.Context) error
	extend(ctx context.Context) error
	unlock(ctx context.Context) error
}

type ours struct {
	mutex *redlock.Mutex
	lease *redlock.Lease
}

func (o *ours) lock(ctx context.Context) (err error) {
	o.lease, err = o.mutex.Lock(ctx)
	return err
}
func (o *ours) extend(ctx context.Context) error { return o.lease.Extend(ctx, ttl) }
func (o *ours) unlock(ctx context.Context) error { return o.lease.Unlock(ctx) }

type peer struct{ mutex *redsync.Mutex }

func (p *peer) lock(ctx context.Context) error { return p.mutex.LockContext(ctx) }
func (p *peer) extend(ctx context.Context) error {
	_, err := p.mutex.ExtendContext(ctx)
	return err
}
func (p *peer) unlock(ctx context.Context) error {
	_, err := p.mutex.UnlockContext(ctx)
	return err
}

// samples are the durations of each operation.
type samples map[string][]time.Duration

var operations = []string{"lock", "extend", "unlock"}

// cycle locks, extends and unlocks once. An operation that failed counts with
// the time that it took; how many did is returned.
func (s samples) cycle(ctx context.Context, c contender) (failed int) {
	for i, op := range []func(context.Context) error{c.lock, c.extend, c.unlock} {
		start := time.Now()
		err := op(ctx)
		s[operations[i]] = append(s[operations[i]], time.Since(start))
		if err != nil {
			return failed + 1 // nothing to extend or to unlock
		}
	}
	return failed
}

// quantile is the q-quantile of an operation's durations.
func (s samples) quantile(op string, q float64) time.Duration {
	d := slices.Sorted(slices.Values(s[op]))
	if len(d) == 0 {
		return 0
	}
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

// cluster starts five nodes and returns them and the two contenders. The
// clients reach the servers directly.
func cluster(b *testing.B) (*testenv.Env, *ours, *peer) {
	env, err := testenv.Start(b.Context(), testenv.Config{
		Nodes: 5, Clients: []string{"c"}, Dir: filepath.Join(b.TempDir(), "nodes"), RedisServer: testenv.Require(b),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { env.Close() })
	cfg := redlock.Config{MaxTTL: ttl, NodeDeadline: 50 * time.Millisecond}
	var pools []rsredis.Pool
	for _, n := range env.Nodes() {
		addr := n.DirectAddr()
		cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: n.Name(), URL: "redis://" + addr})
		pool := &redis.Pool{MaxIdle: 64, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }}
		b.Cleanup(func() { pool.Close() })
		pools = append(pools, rsredigo.NewPool(pool))
	}
	client, err := redlock.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	if err := client.Bootstrap(b.Context(), redlock.BootstrapOptions{NewCluster: true}); err != nil {
		b.Fatal(err)
	}
	mutex, err := client.Mutex("bench")
	if err != nil {
		b.Fatal(err)
	}
	return env, &ours{mutex: mutex}, &peer{redsync.New(pools...).NewMutex("bench-peer", redsync.WithExpiry(ttl))}
}

// BenchmarkOneOfFiveFrozen measures the same operations with all nodes well and
// with one of five stopped, alternately. The metric OP-of-bound must stay below
// 1: it is the frozen p99 divided by (2 × healthy p99 + 5 ms). For redsync on
// redigo the node is stopped for one second at a time, because it waits the
// whole time.
func BenchmarkOneOfFiveFrozen(b *testing.B) {
	b.Run("quorumlock", func(b *testing.B) {
		env, c, _ := cluster(b)
		report(b, c, func(ctx context.Context, s samples) int {
			failed := 0
			thaw := freeze(b, env)
			for range pairs {
				failed += s.cycle(ctx, c)
			}
			thaw()
			return failed
		})
	})
	b.Run("redsync-redigo", func(b *testing.B) {
		env, _, c := cluster(b)
		report(b, c, func(ctx context.Context, s samples) int {
			thaw := freeze(b, env)
			ended := make(chan struct{})
			time.AfterFunc(time.Second, func() { thaw(); close(ended) })
			failed := 0
			for {
				select {
				case <-ended:
					return failed
				default:
					failed += s.cycle(ctx, c)
				}
			}
		})
	})
}

// freeze stops one node and returns what thaws it.
func freeze(b *testing.B, env *testenv.Env) (thaw func()) {
	node := env.Nodes()[2]
	if err := node.Freeze(b.Context()); err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := node.Thaw(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	}
}

// report runs both states alternately and reports p50 and p99 of each.
func report(b *testing.B, c contender, frozen func(context.Context, samples) int) {
	healthy, ill := samples{}, samples{}
	failedHealthy, failedFrozen := 0, 0
	ctx := b.Context()
	if failed := (samples{}).cycle(ctx, c); failed > 0 { // connections are made
		b.Fatal("the lock does not work on healthy nodes")
	}
	for b.Loop() {
		for range pairs {
			failedHealthy += healthy.cycle(ctx, c)
		}
		failedFrozen += frozen(ctx, ill)
	}
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	for _, op := range operations {
		h, f := healthy.quantile(op, 0.99), ill.quantile(op, 0.99)
		b.ReportMetric(us(healthy.quantile(op, 0.5)), op+"-p50-µs")
		b.ReportMetric(us(h), op+"-p99-µs")
		b.ReportMetric(us(ill.quantile(op, 0.5)), op+"-frozen-p50-µs")
		b.ReportMetric(us(f), op+"-frozen-p99-µs")
		b.ReportMetric(float64(f)/float64(2*h+5*time.Millisecond), op+"-of-bound")
	}
	b.ReportMetric(float64(failedHealthy), "failed")
	b.ReportMetric(float64(failedFrozen), "failed-frozen")
	b.ReportMetric(0, "ns/op") // an iteration is a whole experiment
}
