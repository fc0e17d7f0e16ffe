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
	handOffRounds = 100             // at most, per repetition
	handOffSpan   = 3 * time.Second // and no longer than this
)

// waiters are the subjects whose Lock waits.
func waiters() (list []subject.Subject) {
	for _, s := range subject.All() {
		if s.Waits {
			list = append(list, s)
		}
	}
	return list
}

func handOffs(ctx context.Context, b *bench) (err error) {
	cl, err := b.cluster(ctx, 5, subject.TTL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	err = inTurn(ctx, b.reps, waiters(), func(rep int, s subject.Subject) error {
		took, failed, err := handOff(ctx, s, cl.direct)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		b.add(rep, "HandOff", "nodes=5", s.Name, "p50-ns", ns(measure.Quantile(took, 0.5)))
		b.add(rep, "HandOff", "nodes=5", s.Name, "p99-ns", ns(measure.Quantile(took, 0.99)))
		b.add(rep, "HandOff", "nodes=5", s.Name, "failed", float64(failed))
		return nil
	})
	if err != nil {
		return err
	}
	b.target(measure.Key{Case: "HandOff", Config: "nodes=5", Lock: "quorumlock", Unit: "p50-ns"}, "rueidislock", 2, 1, false)
	return nil
}

// handOff measures from the moment when one client begins to unlock to that when
// another, which has been waiting, has the lock. An unlock may fail where the
// library has deadlines and the machine is busy; it is counted, and so is the
// time until the other had the lock all the same.
func handOff(ctx context.Context, s subject.Subject, nodes subject.Nodes) (took []time.Duration, failed int, err error) {
	list, closeAll, err := open(ctx, []subject.Subject{s, s}, nodes)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	var locks [2]subject.Lock
	for i := range locks {
		if locks[i], err = list[i].client.Lock("bench:hand-off:" + s.Name); err != nil {
			return nil, 0, err
		}
	}
	type got struct {
		at  time.Time
		err error
	}
	for start := time.Now(); len(took) < handOffRounds && time.Since(start) < handOffSpan; {
		if err := locks[0].Lock(ctx); err != nil {
			return nil, 0, err
		}
		result := make(chan got, 1)
		go func() {
			err := locks[1].Lock(ctx)
			result <- got{time.Now(), err}
		}()
		// Long enough to be waiting, and not in step with anybody's polling.
		if err := pause(ctx, 5*time.Millisecond+time.Duration(len(took)%7)*time.Millisecond); err != nil {
			return nil, 0, err
		}
		unlocked := time.Now()
		if locks[0].Unlock(ctx) != nil {
			failed++
		}
		second := <-result
		if second.err != nil {
			return nil, 0, second.err
		}
		took = append(took, second.at.Sub(unlocked))
		if locks[1].Unlock(ctx) != nil {
			failed++
		}
	}
	return took, failed, nil
}

// pause is part of a workload.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
