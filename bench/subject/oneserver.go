package subject

import (
	"context"
	"time"

	"github.com/bsm/redislock"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"
)

// Rueidislock is rueidislock: five keys of one server, of which three make the
// lock, and a push from the server when one of them changes.
func Rueidislock() Subject {
	return Subject{
		Name: "rueidislock", Note: "one server, 3 of 5 keys", OneServer: true, Waits: true,
		Open: func(_ context.Context, n Nodes) (Client, error) {
			l, err := rueidislock.NewLocker(rueidislock.LockerOption{
				ClientOption: rueidis.ClientOption{InitAddress: n.Addrs[:1]}, KeyMajority: 3, KeyValidity: TTL, NoLoopTracking: true,
			})
			if err != nil {
				return nil, err
			}
			return rueidisClient{l}, nil
		},
	}
}

type rueidisClient struct{ locker rueidislock.Locker }

func (c rueidisClient) Lock(name string) (Lock, error) {
	return &rueidisLock{locker: c.locker, name: name}, nil
}
func (c rueidisClient) Close() error { c.locker.Close(); return nil }

type rueidisLock struct {
	locker rueidislock.Locker
	name   string
	unlock context.CancelFunc
}

// The context of a lock outlives the one under which it was asked for.
func (l *rueidisLock) Try(ctx context.Context) (err error) {
	_, l.unlock, err = l.locker.TryWithContext(context.WithoutCancel(ctx), l.name)
	return err
}

func (l *rueidisLock) Lock(ctx context.Context) (err error) {
	_, l.unlock, err = l.locker.WithContext(ctx, l.name)
	return err
}

func (l *rueidisLock) Extend(context.Context) error { return ErrNoExtend }
func (l *rueidisLock) Unlock(context.Context) error { l.unlock(); return nil }

// retry is how often bsm/redislock asks again; it has no default.
const retry = 100 * time.Millisecond

// Redislock is bsm/redislock: one key of one server.
func Redislock() Subject {
	return Subject{
		Name: "bsm-redislock", Note: "one server, one key; asks every " + retry.String(), OneServer: true, Waits: true,
		Open: func(_ context.Context, n Nodes) (Client, error) {
			return redislockClient{goredis.NewClient(&goredis.Options{Addr: n.Addrs[0], PoolSize: idle})}, nil
		},
	}
}

type redislockClient struct{ redis *goredis.Client }

func (c redislockClient) Lock(name string) (Lock, error) {
	return &redislockLock{locker: redislock.New(c.redis), name: name}, nil
}
func (c redislockClient) Close() error { return c.redis.Close() }

type redislockLock struct {
	locker *redislock.Client
	name   string
	lock   *redislock.Lock
}

func (l *redislockLock) Try(ctx context.Context) (err error) {
	l.lock, err = l.locker.Obtain(ctx, l.name, TTL, nil)
	return err
}

func (l *redislockLock) Lock(ctx context.Context) (err error) {
	if _, ok := ctx.Deadline(); !ok { // it would stop after one ttl
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Hour)
		defer cancel()
	}
	l.lock, err = l.locker.Obtain(ctx, l.name, TTL, &redislock.Options{RetryStrategy: redislock.LinearBackoff(retry)})
	return err
}

func (l *redislockLock) Extend(ctx context.Context) error { return l.lock.Refresh(ctx, TTL, nil) }
func (l *redislockLock) Unlock(ctx context.Context) error { return l.lock.Release(ctx) }
