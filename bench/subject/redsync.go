package subject

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/go-redsync/redsync/v4"
	rsredis "github.com/go-redsync/redsync/v4/redis"
	rsgoredis "github.com/go-redsync/redsync/v4/redis/goredis/v9"
	rsredigo "github.com/go-redsync/redsync/v4/redis/redigo"
	rsrueidis "github.com/go-redsync/redsync/v4/redis/rueidis"
	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidiscompat"
)

// idle is how many connections a pool keeps, enough for every case.
const idle = 128

// Redsync is redsync on pools of the driver "redigo" or "goredis", both with
// their own defaults but for the number of idle connections.
func Redsync(driver string) Subject {
	return Subject{
		Name: "redsync-" + driver, Note: "redsync 4 on pools of " + driver, Waits: true,
		Open: func(_ context.Context, n Nodes) (Client, error) { return OpenRedsync(driver, n) },
	}
}

// OpenRedsync makes a redsync client on pools of the driver.
func OpenRedsync(driver string, n Nodes) (*RedsyncClient, error) {
	c := &RedsyncClient{}
	for _, addr := range n.Addrs {
		pool, end, err := RedsyncPool(driver, addr)
		if err != nil {
			return nil, err
		}
		c.Pools = append(c.Pools, pool)
		c.ends = append(c.ends, end)
	}
	c.Redsync = redsync.New(c.Pools...)
	return c, nil
}

// RedsyncPool makes a pool of redsync's for one server, and what closes it: over
// redigo, goredis or rueidis. redigo has no time limits by default.
func RedsyncPool(driver, addr string) (rsredis.Pool, func() error, error) {
	switch driver {
	case "redigo":
		p := &redis.Pool{MaxIdle: idle, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }}
		return rsredigo.NewPool(p), p.Close, nil
	case "goredis":
		c := goredis.NewClient(&goredis.Options{Addr: addr, PoolSize: idle})
		return rsgoredis.NewPool(c), c.Close, nil
	case "rueidis":
		c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true})
		if err != nil {
			return nil, nil, err
		}
		return rsrueidis.NewPool(rueidiscompat.NewAdapter(c)), func() error { c.Close(); return nil }, nil
	}
	return nil, nil, fmt.Errorf("no driver %q", driver)
}

// RedsyncClient is one client's pools.
type RedsyncClient struct {
	*redsync.Redsync
	Pools []rsredis.Pool
	ends  []func() error
}

// Lock implements Client. It waits as redsync does, but without giving up after
// a number of tries.
func (c *RedsyncClient) Lock(name string) (Lock, error) {
	return redsyncLock{c.NewMutex(name, redsync.WithExpiry(TTL), redsync.WithTries(math.MaxInt32))}, nil
}

// Close implements Client.
func (c *RedsyncClient) Close() error {
	var errs []error
	for _, end := range c.ends {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

type redsyncLock struct{ mutex *redsync.Mutex }

func (l redsyncLock) Try(ctx context.Context) error  { return l.mutex.TryLockContext(ctx) }
func (l redsyncLock) Lock(ctx context.Context) error { return l.mutex.LockContext(ctx) }

func (l redsyncLock) Extend(ctx context.Context) error {
	_, err := l.mutex.ExtendContext(ctx)
	return err
}

func (l redsyncLock) Unlock(ctx context.Context) error {
	_, err := l.mutex.UnlockContext(ctx)
	return err
}
