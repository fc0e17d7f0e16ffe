package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/bench/measure"
	"github.com/quorumlock/quorumlock/bench/subject"
	"github.com/quorumlock/quorumlock/testenv"
)

// paired is what lock and unlock, again and again, came to.
type paired struct {
	took    []time.Duration // each pair, also one that failed
	failed  int
	elapsed time.Duration
	mallocs uint64
	client  time.Duration // CPU of this process
	server  time.Duration // CPU of all servers
}

// pairsFor lets goroutines, each with a name of its own, lock and unlock for a
// while. A pair may fail where the library has deadlines and the machine is
// busy; that all do is an error.
func pairsFor(ctx context.Context, c contestant, cl *cluster, goroutines int, span time.Duration) (paired, error) {
	locks := make([]subject.Lock, goroutines)
	took := make([][]time.Duration, goroutines)
	for g := range locks {
		lock, err := c.client.Lock(fmt.Sprintf("bench:%s:%d", c.Name, g))
		if err != nil {
			return paired{}, err
		}
		if err := warmUp(ctx, lock); err != nil {
			return paired{}, fmt.Errorf("%s: %w", c.Name, err)
		}
		locks[g], took[g] = lock, make([]time.Duration, 0, 1<<14)
	}
	before, err := cl.cpu(ctx)
	if err != nil {
		return paired{}, err
	}
	errs := make([]error, goroutines)
	runtime.GC()
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	own, start := ownCPU(), time.Now()
	var failed atomic.Int64
	var all sync.WaitGroup
	for g, lock := range locks {
		all.Go(func() {
			for t := time.Now(); t.Sub(start) < span; {
				if err := pair(ctx, lock); err != nil {
					errs[g] = err
					failed.Add(1)
				}
				now := time.Now()
				took[g] = append(took[g], now.Sub(t))
				t = now
			}
		})
	}
	all.Wait()
	p := paired{elapsed: time.Since(start), client: ownCPU() - own}
	runtime.ReadMemStats(&m1)
	p.mallocs = m1.Mallocs - m0.Mallocs
	after, err := cl.cpu(ctx)
	p.server = after - before
	for _, d := range took {
		p.took = append(p.took, d...)
	}
	if p.failed = int(failed.Load()); err == nil && p.failed == len(p.took) {
		err = fmt.Errorf("%s: all %d pairs failed: %w", c.Name, p.failed, errs[0])
	}
	return p, err
}

// warmUp makes connections and loads scripts: it locks and unlocks once. On a
// busy machine the first tries may fail, and an attempt's own remains may stand
// in the way of the next one for a moment.
func warmUp(ctx context.Context, l subject.Lock) (err error) {
	for range 50 {
		if err = pair(ctx, l); err == nil {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return err
}

func pair(ctx context.Context, l subject.Lock) error {
	if err := l.Try(ctx); err != nil {
		return err
	}
	return l.Unlock(ctx)
}

// cpu is the CPU that all servers have used.
func (c *cluster) cpu(ctx context.Context) (sum time.Duration, err error) {
	for _, n := range c.Nodes() {
		used, err := c.cpuOf(ctx, n)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// cpuOf is the CPU that one server's process has used, as it says itself.
func (c *cluster) cpuOf(ctx context.Context, n *testenv.Node) (sum time.Duration, err error) {
	for _, field := range []string{"used_cpu_user", "used_cpu_sys"} {
		text, err := c.info(ctx, n, "cpu", field)
		if err != nil {
			return 0, err
		}
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum, nil
}

// addPairs records a repetition of pairsFor.
func (b *bench) addPairs(rep int, caseName, config, lock string, p paired) {
	n := float64(len(p.took))
	for _, f := range []struct {
		unit string
		v    float64
	}{
		{"p50-ns", ns(measure.Quantile(p.took, 0.5))}, {"p99-ns", ns(measure.Quantile(p.took, 0.99))},
		{"pairs/s", n / p.elapsed.Seconds()}, {"allocs/op", float64(p.mallocs) / n},
		{"client-cpu-ns", ns(p.client) / n}, {"server-cpu-ns", ns(p.server) / n}, {"failed", float64(p.failed)},
	} {
		b.add(rep, caseName, config, lock, f.unit, f.v)
	}
}

// pairCase measures all subjects on the nodes.
func (b *bench) pairCase(ctx context.Context, caseName, config string, cl *cluster, nodes subject.Nodes, subjects []subject.Subject, goroutines int, span time.Duration) (err error) {
	list, closeAll, err := open(ctx, subjects, nodes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	return inTurn(ctx, b.reps, list, func(rep int, c contestant) error {
		p, err := pairsFor(ctx, c, cl, goroutines, span)
		if err == nil {
			b.addPairs(rep, caseName, config, c.Name, p)
		}
		return err
	})
}

func pairs(ctx context.Context, b *bench) error {
	for _, n := range []int{1, 3, 5} {
		cl, err := b.cluster(ctx, n, subject.TTL)
		if err != nil {
			return err
		}
		config := fmt.Sprintf("nodes=%d", n)
		err = b.pairCase(ctx, "Pair", config, cl, cl.direct, subject.All(), 1, 400*time.Millisecond)
		if err = errors.Join(err, cl.Close()); err != nil {
			return err
		}
		k := measure.Key{Case: "Pair", Config: config, Lock: "quorumlock", Unit: "p50-ns"}
		switch n {
		case 1:
			b.target(k, "redsync-redigo", 1.2, 0, false)
		case 3:
			b.target(k, "redsync-redigo", 1, 0, false)
		case 5:
			b.target(k, "redsync-redigo", 1, 0.7, false)
			b.target(k, "floor", 1.5, 1.2, false)
			k.Unit = "allocs/op"
			b.target(k, "", 12, 0, false)
		}
	}
	return nil
}

// quorums are the subjects that lock on several nodes.
func quorums() (list []subject.Subject) {
	for _, s := range subject.All() {
		if !s.OneServer {
			list = append(list, s)
		}
	}
	return list
}

func delayed(ctx context.Context, b *bench) (err error) {
	const proxies = "c"
	cl, err := b.cluster(ctx, 5, subject.TTL, proxies)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	for _, name := range cl.direct.Names {
		if err := cl.Delay(ctx, proxies, name, onWay, time.Millisecond, 0); err != nil {
			return err
		}
	}
	if err := b.pairCase(ctx, "Delayed", "nodes=5/delay=1ms", cl, cl.through(proxies), quorums(), 1, 600*time.Millisecond); err != nil {
		return err
	}
	b.target(measure.Key{Case: "Delayed", Config: "nodes=5/delay=1ms", Lock: "quorumlock", Unit: "p50-ns"}, "floor", 1.1, 0, false)
	return nil
}

func goroutines(ctx context.Context, b *bench) (err error) {
	cl, err := b.cluster(ctx, 5, subject.TTL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	if err := b.pairCase(ctx, "Goroutines", "nodes=5/goroutines=64", cl, cl.direct, subject.All(), 64, 800*time.Millisecond); err != nil {
		return err
	}
	b.target(measure.Key{Case: "Goroutines", Config: "nodes=5/goroutines=64", Lock: "quorumlock", Unit: "pairs/s"}, "redsync-redigo", 2.5, 4, true)
	return nil
}

// far measures on links without delay and on links of which one is far, in one
// turn.
func far(ctx context.Context, b *bench) (err error) {
	cl, err := b.cluster(ctx, 5, subject.TTL, "near", "far")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	if err := cl.Delay(ctx, "far", cl.direct.Names[4], onWay, 50*time.Millisecond, 0); err != nil {
		return err
	}
	var list []contestant
	for _, link := range []string{"near", "far"} {
		opened, closeAll, err := open(ctx, quorums(), cl.through(link))
		if err != nil {
			return err
		}
		defer closeAll()
		for i := range opened {
			opened[i].Note = link
			// A name that is free on the near links may still be taken at the
			// end of the far one.
			opened[i].Subject.Name = strings.Join([]string{opened[i].Name, link}, "@")
		}
		list = append(list, opened...)
	}
	err = inTurn(ctx, b.reps, list, func(rep int, c contestant) error {
		p, err := pairsFor(ctx, c, cl, 1, 500*time.Millisecond)
		if err == nil {
			b.addPairs(rep, "Far", "nodes=5/one=50ms", c.Name, p)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.target(measure.Key{Case: "Far", Config: "nodes=5/one=50ms", Lock: "quorumlock@far", Unit: "p50-ns"}, "quorumlock@near", 1.2, 0, false)
	return nil
}
