package redlock_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// pairs are clients of real servers that measure lock and unlock.
type pairs struct {
	t      testing.TB
	ctx    context.Context
	client *redlock.Client
}

// newPairs bootstraps n servers, and returns a client that has met them.
func newPairs(t testing.TB, n int) *pairs {
	t.Helper()
	env, err := testenv.Start(t.Context(), testenv.Config{
		Nodes: n, RedisServer: testenv.Require(t), Dir: t.TempDir(), Persistence: testenv.PersistNothing,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { env.Close() })
	cfg := redlock.Config{MaxTTL: 10 * time.Second, NodeDeadline: time.Second}
	for _, node := range env.Nodes() {
		cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: node.Name(), URL: "redis://" + node.DirectAddr()})
	}
	client, err := redlock.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	p := &pairs{t, t.Context(), client}
	if err := client.Bootstrap(p.ctx, redlock.BootstrapOptions{NewCluster: true}); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		p.pair(p.mutex("warm"))
	}
	return p
}

func (p *pairs) mutex(name string) *redlock.Mutex {
	m, err := p.client.Mutex(name)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

func (p *pairs) pair(m *redlock.Mutex) {
	lease, err := m.TryLock(p.ctx)
	if err != nil {
		p.t.Error(err)
		return
	}
	if err := lease.Unlock(p.ctx); err != nil {
		p.t.Error(err)
	}
}

// maxAllocs is how many allocations lock and unlock may cost, of the whole
// process: what the drivers' goroutines do is in it.
const maxAllocs = 6

// TestPairAllocations: it is the same on any number of nodes, since nothing is
// allocated for a node's call or its answer.
func TestPairAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and has pools forget what they hold")
	}
	for _, n := range []int{1, 5} {
		t.Run(fmt.Sprintf("N=%d", n), func(t *testing.T) {
			p := newPairs(t, n)
			m := p.mutex("alone")
			if got := testing.AllocsPerRun(500, func() { p.pair(m) }); got > maxAllocs {
				t.Errorf("%v allocations per pair, want at most %d", got, maxAllocs)
			} else {
				t.Logf("%v allocations per pair", got)
			}
		})
	}
}

func BenchmarkPair(b *testing.B) {
	for _, n := range []int{1, 3, 5} {
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			p := newPairs(b, n)
			m := p.mutex("alone")
			b.ReportAllocs()
			used := ownCPU()
			for b.Loop() {
				p.pair(m)
			}
			b.ReportMetric(float64(ownCPU()-used)/float64(b.N), "cpu-ns/op")
		})
	}
}

func BenchmarkGoroutines(b *testing.B) {
	p := newPairs(b, 5)
	b.ReportAllocs()
	var names atomic.Uint64
	used := ownCPU()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		m := p.mutex(fmt.Sprint("mine:", names.Add(1)))
		for pb.Next() {
			p.pair(m)
		}
	})
	b.ReportMetric(float64(ownCPU()-used)/float64(b.N), "cpu-ns/op")
}

// ownCPU is the CPU that this process has used, user and system.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it has no reason to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
