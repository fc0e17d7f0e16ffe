package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/bench/measure"
	"github.com/quorumlock/quorumlock/redlock"
)

const (
	leaseCount  = 10_000
	leaseTTL    = 10 * time.Second
	leaseSpan   = time.Minute
	leaseTakers = 64 // goroutines that lock at the beginning
	leaseCase   = "Leases"
	leaseConfig = "nodes=5/leases=10000/ttl=10s"
)

// leases holds ten thousand leases of one client for a minute, then freezes all
// nodes, so that they are lost. It is done once, whatever the repetitions: the
// minute is the repetition.
func leases(ctx context.Context, b *bench) (err error) {
	cl, err := b.cluster(ctx, 5, leaseTTL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	seen := &leaseEvents{deadlines: make(map[string]time.Duration), lost: make(map[string]time.Duration)}
	cfg := redlock.Config{MaxTTL: leaseTTL, Observer: seen}
	for i, name := range cl.direct.Names {
		cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: name, URL: "redis://" + cl.direct.Addrs[i]})
	}
	client, err := redlock.New(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	idle := runtime.NumGoroutine()
	took, held, err := takeLeases(ctx, client)
	if err != nil {
		return err
	}
	if err := b.holdLeases(ctx, cl, seen, idle, took); err != nil {
		return err
	}
	return b.loseLeases(ctx, cl, seen, held)
}

// takeLeases locks all names.
func takeLeases(ctx context.Context, client *redlock.Client) (took time.Duration, held []*redlock.Lease, err error) {
	held = make([]*redlock.Lease, leaseCount)
	errs := make([]error, leaseTakers)
	var all sync.WaitGroup
	start := time.Now()
	for t := range leaseTakers {
		all.Go(func() {
			for i := t; i < leaseCount && errs[t] == nil; i += leaseTakers {
				m, err := client.Mutex(fmt.Sprintf("bench:leases:%05d", i))
				if err == nil {
					held[i], err = m.Lock(ctx)
				}
				errs[t] = err
			}
		})
	}
	all.Wait()
	return time.Since(start), held, errors.Join(errs...)
}

// holdLeases lets a minute pass and tells what it cost.
func (b *bench) holdLeases(ctx context.Context, cl *cluster, seen *leaseEvents, idle int, took time.Duration) error {
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	seen.reset()
	serverBefore, err := cl.allCPU(ctx)
	if err != nil {
		return err
	}
	clientBefore, start, most := ownCPU(), time.Now(), 0
	for time.Since(start) < leaseSpan {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		most = max(most, runtime.NumGoroutine())
	}
	span := time.Since(start).Seconds()
	client := ownCPU() - clientBefore
	serverAfter, err := cl.allCPU(ctx)
	if err != nil {
		return err
	}
	n := seen.counts()
	for _, f := range []struct {
		unit string
		v    float64
	}{
		{"lost", float64(n.lost)}, {"renewals/s", float64(n.extended) / span}, {"renewals-failed", float64(n.failed)},
		{"client-cpu-%", 100 * client.Seconds() / span}, {"server-cpu-%-of-one-node", 100 * (serverAfter - serverBefore).Seconds() / span / 5},
		{"goroutines-more", float64(most - idle)}, {"heap-B/lease", float64(memory.HeapAlloc) / leaseCount}, {"locking-ns", ns(took)},
	} {
		b.add(0, leaseCase, leaseConfig, "quorumlock", f.unit, f.v)
	}
	b.target(measure.Key{Case: leaseCase, Config: leaseConfig, Lock: "quorumlock", Unit: "lost"}, "", 0, 0, false)
	return nil
}

// loseLeases freezes all nodes and measures how long before its deadline each
// lease was told lost: by the observer, and in a goroutine that waits for the
// lease's context.
func (b *bench) loseLeases(ctx context.Context, cl *cluster, seen *leaseEvents, held []*redlock.Lease) error {
	seen.reset()
	clock := redlock.SystemClock()
	woken := make([]time.Duration, len(held))
	var watchers sync.WaitGroup
	for i, l := range held {
		watchers.Go(func() {
			select {
			case <-l.Context().Done():
			case <-ctx.Done():
			}
			woken[i] = clock.Now()
		})
	}
	for _, node := range cl.Nodes() {
		if err := node.Freeze(ctx); err != nil {
			return err
		}
	}
	before, start := ownCPU(), time.Now()
	watchers.Wait()
	cpu, span := ownCPU()-before, time.Since(start)
	for _, node := range cl.Nodes() {
		if err := node.Thaw(ctx); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	told, waiters := seen.margins(held, woken)
	if len(told) == 0 {
		b.notes = append(b.notes, "Leases: all were lost before the nodes were frozen: the machine is too busy")
		return nil
	}
	b.add(0, leaseCase, leaseConfig, "quorumlock", "lost-when-frozen", float64(len(told)))
	for unit, margins := range map[string][]time.Duration{"told": told, "context": waiters} {
		b.add(0, leaseCase, leaseConfig, "quorumlock", unit+"-before-deadline-least-ns", ns(slices.Min(margins)))
		b.add(0, leaseCase, leaseConfig, "quorumlock", unit+"-before-deadline-p50-ns", ns(measure.Quantile(margins, 0.5)))
	}
	b.add(0, leaseCase, leaseConfig, "quorumlock", "losing-client-cpu-%", 100*cpu.Seconds()/span.Seconds())
	return nil
}

// allCPU is the CPU that all servers have used.
func (c *cluster) allCPU(ctx context.Context) (sum time.Duration, err error) {
	for _, n := range c.Nodes() {
		one, err := c.cpuOf(ctx, n)
		if err != nil {
			return 0, err
		}
		sum += one
	}
	return sum, nil
}

// leaseEvents counts what happens to leases.
type leaseEvents struct {
	mu        sync.Mutex
	n         leaseCounts
	deadlines map[string]time.Duration // id → the last deadline
	lost      map[string]time.Duration // id → when its loss was told
}

type leaseCounts struct{ extended, failed, lost int }

// Observe implements redlock.Observer.
func (s *leaseEvents) Observe(e redlock.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case redlock.EventAcquired:
		s.deadlines[e.ID] = e.Deadline
	case redlock.EventExtended:
		s.deadlines[e.ID] = e.Deadline
		s.n.extended++
	case redlock.EventExtendFailed:
		s.n.failed++
	case redlock.EventLost:
		s.n.lost++
		s.lost[e.ID] = e.At
	}
}

func (s *leaseEvents) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.lost = leaseCounts{}, make(map[string]time.Duration)
}

func (s *leaseEvents) counts() leaseCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// margins is how long before its deadline each lost lease was told lost, and
// when somebody who waited for its context was woken.
func (s *leaseEvents) margins(held []*redlock.Lease, woken []time.Duration) (told, waiters []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range held {
		if at, ok := s.lost[l.ID()]; ok {
			told = append(told, s.deadlines[l.ID()]-at)
			waiters = append(waiters, s.deadlines[l.ID()]-woken[i])
		}
	}
	return told, waiters
}
