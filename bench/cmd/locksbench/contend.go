package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/bench/measure"
	"github.com/quorumlock/quorumlock/bench/subject"
)

// hold is how long every client keeps the lock.
const hold = time.Millisecond

// fought is what clients that fight for one lock came to.
type fought struct {
	served []int           // by client
	waits  []time.Duration // also of those who still waited at the end
	got    []time.Duration // when each acquisition was made, since the start, in order
	failed int             // unlocks
	span   time.Duration
}

func (f fought) total() (n int) {
	for _, s := range f.served {
		n += s
	}
	return n
}

// rate is how many acquisitions were made in a second.
func (f fought) rate() float64 { return float64(f.total()) / f.span.Seconds() }

// unfairness is how much more often the most served client had the lock than
// the least served one; endless if that one never had it.
func (f fought) unfairness() float64 {
	least := slices.Min(f.served)
	if least == 0 {
		return math.Inf(1)
	}
	return float64(slices.Max(f.served)) / float64(least)
}

// stall is the longest time between two acquisitions of which the later was
// made after from and the earlier before to.
func (f fought) stall(from, to time.Duration) time.Duration {
	longest, last := time.Duration(0), time.Duration(0)
	for _, at := range append(slices.Clone(f.got), f.span) {
		if at > from && last < to {
			longest = max(longest, at-last)
		}
		last = at
	}
	return longest
}

// fight lets n separate clients lock, hold and unlock for a while. meanwhile, if
// any, is called beside them and returned from before the end. A lock that two
// have at once is an error; an unlock that fails is counted, since a library
// with deadlines may say so on a busy machine, and what a fault took away is told
// by Unlock.
func fight(ctx context.Context, s subject.Subject, nodes subject.Nodes, n int, span time.Duration, meanwhile func() error) (f fought, err error) {
	list, closeAll, err := open(ctx, slices.Repeat([]subject.Subject{s}, n), nodes)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	f.served = make([]int, n)
	var mu sync.Mutex // guards f and errs
	var errs []error
	var inside atomic.Int32
	fighting, stop := context.WithCancel(ctx)
	defer stop()
	name := fmt.Sprintf("bench:fight:%s:%d", s.Name, time.Now().UnixNano())
	var all sync.WaitGroup
	start := time.Now()
	for i, c := range list {
		lock, err := c.client.Lock(name)
		if err != nil {
			return f, err
		}
		all.Go(func() {
			for fighting.Err() == nil {
				asked := time.Now()
				err := lock.Lock(fighting)
				got := time.Now()
				mu.Lock()
				f.waits = append(f.waits, got.Sub(asked))
				if err == nil {
					f.served[i]++
					f.got = append(f.got, got.Sub(start))
				}
				mu.Unlock()
				if err != nil { // the end, or a node that was taken away
					_ = pause(fighting, hold)
					continue
				}
				err = held(&inside)
				unlockErr := lock.Unlock(context.WithoutCancel(fighting))
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				}
				if unlockErr != nil {
					f.failed++
				}
				mu.Unlock()
			}
		})
	}
	var fault error
	if meanwhile != nil {
		fault = meanwhile()
	}
	err = pause(ctx, time.Until(start.Add(span)))
	stop()
	mu.Lock()
	f.span = time.Since(start)
	mu.Unlock()
	all.Wait()
	slices.Sort(f.got)
	return f, errors.Join(append(errs, fault, err)...)
}

// held keeps the lock for a moment and sees whether somebody else has it too.
func held(inside *atomic.Int32) error {
	others := inside.Add(1) - 1
	time.Sleep(hold)
	inside.Add(-1)
	if others != 0 {
		return fmt.Errorf("%d others have the lock too", others)
	}
	return nil
}

func contends(ctx context.Context, b *bench) (err error) {
	cl, err := b.cluster(ctx, 5, subject.TTL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	for _, clients := range []int{16, 50} {
		config := fmt.Sprintf("nodes=5/clients=%d", clients)
		err := inTurn(ctx, b.reps, waiters(), func(rep int, s subject.Subject) error {
			lone, err := fight(ctx, s, cl.direct, 1, time.Second, nil)
			if err != nil {
				return fmt.Errorf("%s, alone: %w", s.Name, err)
			}
			f, err := fight(ctx, s, cl.direct, clients, 3*time.Second, nil)
			if err != nil {
				return fmt.Errorf("%s, %d clients: %w", s.Name, clients, err)
			}
			b.addFight(rep, config, s.Name, f, lone)
			return nil
		})
		if err != nil {
			return err
		}
		k := measure.Key{Case: "Contend", Config: config, Lock: "quorumlock"}
		for _, t := range []struct {
			unit       string
			at16, at50 float64 // 0 for no target
			atLeast    bool
		}{
			{unit: "of-lone", at16: 0.8, atLeast: true},
			{unit: "most:least", at16: 1.5, at50: 2},
			{unit: "wait-p99-ns", at16: 150},
			{unit: "wait-p99/mean", at50: 4},
		} {
			k.Unit = t.unit
			if bound := map[int]float64{16: t.at16, 50: t.at50}[clients]; bound != 0 {
				b.target(k, "", bound, 0, t.atLeast)
			}
		}
	}
	return nil
}

func (b *bench) addFight(rep int, config, lock string, f, lone fought) {
	var mean time.Duration
	for _, w := range f.waits {
		mean += w / time.Duration(len(f.waits))
	}
	p99 := measure.Quantile(f.waits, 0.99)
	for _, v := range []struct {
		unit  string
		value float64
	}{
		{"acq/s", f.rate()}, {"of-lone", f.rate() / lone.rate()},
		{"most:least", f.unfairness()}, {"most", float64(slices.Max(f.served))}, {"least", float64(slices.Min(f.served))},
		{"wait-p99-ns", ns(p99)}, {"wait-p99/mean", float64(p99) / float64(max(mean, 1))}, {"failed", float64(f.failed)},
	} {
		b.add(rep, "Contend", config, lock, v.unit, v.value)
	}
}
