package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorumlock/quorumlock/bench/measure"
	"github.com/quorumlock/quorumlock/bench/subject"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

const (
	faultClients = 16
	faultTTL     = 2 * time.Second // maxttl: a killed node comes back the sooner
	faultAfter   = time.Second
	faultFor     = time.Second
)

// faults freezes and kills each node in turn, in the middle of a fight. The
// node that waiters ask first, if any, is one of them, so the worst of the five
// bounds it. A lock of one server would only show that its server is gone.
func faults(ctx context.Context, b *bench) (err error) {
	cl, err := b.cluster(ctx, 5, faultTTL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	own := subject.Ours()
	own.Open = func(_ context.Context, n subject.Nodes) (subject.Client, error) { return subject.OpenOurs(n, faultTTL) }
	for _, kind := range []string{"frozen", "killed"} {
		config := "nodes=5/clients=16/one=" + kind
		for _, node := range cl.Nodes() {
			var from, to time.Duration
			start := time.Now()
			f, err := fight(ctx, own, cl.direct, faultClients, 2*faultAfter+faultFor, func() error {
				if err := pause(ctx, faultAfter); err != nil {
					return err
				}
				from = time.Since(start)
				err := breakNode(ctx, node, kind)
				to = time.Since(start)
				return err
			})
			if err != nil {
				return fmt.Errorf("%s %s: %w", node.Name(), kind, err)
			}
			b.add(0, "Fault", config, own.Name, "stall-ns", ns(f.stall(from, to)))
			b.add(0, "Fault", config, own.Name, "stall-before-ns", ns(f.stall(0, from)))
			b.add(0, "Fault", config, own.Name, "acq/s", f.rate())
			if kind == "killed" {
				if err := comeBack(ctx, node, cl.direct); err != nil {
					return err
				}
			}
		}
		k := measure.Key{Case: "Fault", Config: config, Lock: own.Name, Unit: "stall-ns"}
		worst := measure.Over(b.table.Get(k)).High
		b.targets = append(b.targets, measure.Target{
			What:  fmt.Sprintf("Fault %s, quorumlock longest stall of the five nodes / two node deadlines", config),
			Got:   measure.Over([]float64{worst / ns(2*redlock.DefaultNodeDeadline)}),
			Bound: 1,
		})
	}
	return nil
}

// breakNode breaks a node for a second. A killed one stays dead.
func breakNode(ctx context.Context, node *testenv.Node, kind string) error {
	if kind == "killed" {
		return errors.Join(node.Kill(ctx), pause(ctx, faultFor))
	}
	if err := node.Freeze(ctx); err != nil {
		return err
	}
	return errors.Join(pause(ctx, faultFor), node.Thaw(context.WithoutCancel(ctx)))
}

// comeBack starts a killed node, empty, and waits until it votes again.
func comeBack(ctx context.Context, node *testenv.Node, nodes subject.Nodes) error {
	if err := node.Restart(ctx, testenv.LoseMemory); err != nil {
		return err
	}
	c, err := subject.OpenOurs(nodes, faultTTL)
	if err != nil {
		return err
	}
	defer c.Close()
	lock, err := c.Lock("bench:come-back")
	if err != nil {
		return err
	}
	for {
		// The library admits a node of whose loss an attempt has told it.
		if err := warmUp(ctx, lock); err != nil {
			return err
		}
		member, err := subject.Admission(ctx, node.DirectAddr())
		if err == nil && member.Cfg != "" {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
