package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/quorumlock/quorumlock/bench/subject"
)

// wirePairs is how many pairs a figure is made of.
const wirePairs = 500

// wire counts what all servers received and sent, as they say themselves. What
// it costs to ask is measured and subtracted.
func wire(ctx context.Context, b *bench) (err error) {
	cl, err := b.cluster(ctx, 5, subject.TTL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	list, closeAll, err := open(ctx, subject.All(), cl.direct)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	return inTurn(ctx, b.reps, list, func(rep int, c contestant) error {
		lock, err := c.client.Lock("bench:wire:" + c.Name)
		if err != nil {
			return err
		}
		if err := warmUp(ctx, lock); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		failed := 0
		var in, out [3]int64 // before and after nothing, and after the pairs
		for i := range in {
			if i == 2 {
				for n := 0; n < wirePairs; {
					if pair(ctx, lock) == nil {
						n++ // one that failed adds its bytes to the others'
					} else if failed++; failed > wirePairs/10 {
						return fmt.Errorf("%s: %d pairs failed", c.Name, failed)
					}
				}
			}
			if in[i], err = cl.sum(ctx, "total_net_input_bytes"); err != nil {
				return err
			}
			if out[i], err = cl.sum(ctx, "total_net_output_bytes"); err != nil {
				return err
			}
		}
		perPair := func(v [3]int64) float64 { return float64((v[2]-v[1])-(v[1]-v[0])) / wirePairs }
		b.add(rep, "Wire", "nodes=5", c.Name, "to-servers-B/op", perPair(in))
		b.add(rep, "Wire", "nodes=5", c.Name, "from-servers-B/op", perPair(out))
		return nil
	})
}

// sum adds up a number of INFO stats over all nodes.
func (c *cluster) sum(ctx context.Context, field string) (sum int64, err error) {
	for _, n := range c.Nodes() {
		text, err := c.info(ctx, n, "stats", field)
		if err != nil {
			return 0, err
		}
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += v
	}
	return sum, nil
}
