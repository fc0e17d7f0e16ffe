package subject

import (
	"context"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
)

// Ours is this project's lock with its built-in driver.
func Ours() Subject {
	return Subject{
		Name: "quorumlock", Note: "tokens, quarantine, renewal", Waits: true,
		Open: func(_ context.Context, n Nodes) (Client, error) { return OpenOurs(n, TTL) },
	}
}

// OpenOurs makes a client whose cluster has the given maxttl. The nodes must
// have been bootstrapped with it.
func OpenOurs(n Nodes, maxTTL time.Duration) (*OurClient, error) {
	cfg := redlock.Config{MaxTTL: maxTTL}
	for i, name := range n.Names {
		cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: name, URL: "redis://" + n.Addrs[i]})
	}
	c, err := redlock.New(cfg)
	if err != nil {
		return nil, err
	}
	return &OurClient{c}, nil
}

// Bootstrap makes a new cluster of the nodes, on which no lock was ever held.
func Bootstrap(ctx context.Context, n Nodes, maxTTL time.Duration) error {
	c, err := OpenOurs(n, maxTTL)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Client.Bootstrap(ctx, redlock.BootstrapOptions{NewCluster: true})
}

// OurClient is a client of this project's.
type OurClient struct{ *redlock.Client }

// Lock implements Client.
func (c *OurClient) Lock(name string) (Lock, error) {
	m, err := c.Mutex(name)
	if err != nil {
		return nil, err
	}
	return &ourLock{mutex: m}, nil
}

type ourLock struct {
	mutex *redlock.Mutex
	lease *redlock.Lease
}

func (l *ourLock) Try(ctx context.Context) (err error) {
	l.lease, err = l.mutex.TryLock(ctx)
	return err
}

func (l *ourLock) Lock(ctx context.Context) (err error) {
	l.lease, err = l.mutex.Lock(ctx)
	return err
}

func (l *ourLock) Extend(ctx context.Context) error { return l.lease.Extend(ctx, TTL) }
func (l *ourLock) Unlock(ctx context.Context) error { return l.lease.Unlock(ctx) }
