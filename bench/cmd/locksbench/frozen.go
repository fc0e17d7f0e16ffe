package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorumlock/quorumlock/bench/measure"
	"github.com/quorumlock/quorumlock/bench/subject"
)

const (
	frozenCycles = 1000                 // per state and repetition, at most
	frozenSpan   = time.Second          // and no longer than this
	frozenSlack  = 5 * time.Millisecond // of the target: 2 × healthy p99 + this
	frozenConfig = "nodes=5/frozen=1"
)

// cycle is one kind of operation's durations each.
type cycle struct{ lock, extend, unlock []time.Duration }

// cycles locks, extends and unlocks until both limits say stop. What failed is
// counted with the time that it took.
func cycles(ctx context.Context, l subject.Lock, until time.Time) (c cycle, failed int) {
	timed := func(took *[]time.Duration, f func(context.Context) error) bool {
		start := time.Now()
		err := f(ctx)
		*took = append(*took, time.Since(start))
		if err != nil {
			failed++
		}
		return err == nil
	}
	for range frozenCycles {
		if !time.Now().Before(until) || ctx.Err() != nil {
			break
		}
		if timed(&c.lock, l.Try) {
			timed(&c.extend, l.Extend)
			timed(&c.unlock, l.Unlock)
		}
	}
	return c, failed
}

// frozen measures all nodes healthy, then one of them frozen, in one turn.
func frozen(ctx context.Context, b *bench) (err error) {
	cl, err := b.cluster(ctx, 5, subject.TTL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	var subjects []subject.Subject
	for _, s := range append(quorums(), subject.OnPools()...) {
		if s.Waits { // floors cannot extend
			subjects = append(subjects, s)
		}
	}
	list, closeAll, err := open(ctx, subjects, cl.direct)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	err = inTurn(ctx, b.reps, list, func(rep int, c contestant) error {
		lock, err := c.client.Lock("bench:frozen:" + c.Name)
		if err != nil {
			return err
		}
		if err := warmUp(ctx, lock); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		healthy, failed := cycles(ctx, lock, time.Now().Add(frozenSpan))
		b.add(rep, "Frozen", frozenConfig, c.Name, "failed-healthy", float64(failed))
		node := cl.Nodes()[2]
		if err := node.Freeze(ctx); err != nil {
			return err
		}
		// A lock that waits for the node returns once it is thawed.
		thawed := make(chan error, 1)
		time.AfterFunc(frozenSpan, func() { thawed <- node.Thaw(context.WithoutCancel(ctx)) })
		ill, failed := cycles(ctx, lock, time.Now().Add(frozenSpan-100*time.Millisecond))
		err = <-thawed
		b.addFrozen(rep, c.Name, healthy, ill, failed)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range subjects {
		if s.Name != "quorumlock" && !s.OnPool {
			continue
		}
		for _, op := range []string{"lock", "extend", "unlock"} {
			b.target(measure.Key{Case: "Frozen", Config: frozenConfig, Lock: s.Name, Unit: op + "-of-bound"}, "", 1, 0, false)
		}
	}
	return nil
}

// addFrozen records a repetition; of-bound is the frozen p99 divided by twice
// the healthy one plus 5 ms.
func (b *bench) addFrozen(rep int, lock string, healthy, ill cycle, failed int) {
	for _, op := range []struct {
		name         string
		healthy, ill []time.Duration
	}{{"lock", healthy.lock, ill.lock}, {"extend", healthy.extend, ill.extend}, {"unlock", healthy.unlock, ill.unlock}} {
		h, f := measure.Quantile(op.healthy, 0.99), measure.Quantile(op.ill, 0.99)
		b.add(rep, "Frozen", frozenConfig, lock, op.name+"-healthy-p99-ns", ns(h))
		b.add(rep, "Frozen", frozenConfig, lock, op.name+"-frozen-p99-ns", ns(f))
		b.add(rep, "Frozen", frozenConfig, lock, op.name+"-of-bound", float64(f)/float64(2*h+frozenSlack))
	}
	b.add(rep, "Frozen", frozenConfig, lock, "failed-frozen", float64(failed))
}
