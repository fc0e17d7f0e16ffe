package subject

import (
	"context"
	"errors"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
)

// Drivers are the names that RedsyncPool knows.
func Drivers() []string { return []string{"redigo", "goredis", "rueidis"} }

// OnPools is this project's lock on the clients that its users bring.
func OnPools() []Subject {
	var all []Subject
	for _, driver := range Drivers() {
		all = append(all, Subject{
			Name: "quorumlock-" + driver, Note: "quorumlock on redsync's pools of " + driver, Waits: true, OnPool: true,
			Open: func(_ context.Context, n Nodes) (Client, error) { return OpenOnPools(driver, n, TTL, 0) },
		})
	}
	return all
}

// OpenOnPools is OpenOurs over pools of a driver. A node deadline of zero is the
// default.
func OpenOnPools(driver string, n Nodes, maxTTL, nodeDeadline time.Duration) (*PoolClient, error) {
	c := &PoolClient{}
	cfg := redlock.Config{MaxTTL: maxTTL, NodeDeadline: nodeDeadline}
	for i, addr := range n.Addrs {
		pool, end, err := RedsyncPool(driver, addr)
		if err != nil {
			return nil, errors.Join(err, c.end())
		}
		c.ends = append(c.ends, end)
		cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: n.Names[i], Driver: redlock.FromPool(pool)})
	}
	client, err := redlock.New(cfg)
	if err != nil {
		return nil, errors.Join(err, c.end())
	}
	c.OurClient = &OurClient{client}
	return c, nil
}

// PoolClient is a client of this project's with its pools.
type PoolClient struct {
	*OurClient
	ends []func() error
}

// Close ends the client, then its pools.
func (c *PoolClient) Close() error { return errors.Join(c.OurClient.Close(), c.end()) }

func (c *PoolClient) end() error {
	var errs []error
	for _, end := range c.ends {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}
