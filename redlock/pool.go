package redlock

import (
	"context"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// PoolScript, PoolConn and Pool describe the interfaces of redsync's package
// redis, so that its pools are accepted without this module requiring redsync,
// and with it a version of every Redis client that redsync knows. Nobody needs
// to name them: FromPool infers all three.

// PoolScript is redsync's redis.Script.
type PoolScript interface {
	~struct {
		KeyCount int
		Src      string
		Hash     string
	}
}

// PoolConn is the part of redsync's redis.Conn that is needed. Eval must send
// EVALSHA, and EVAL where the node does not know the script, as the adapters of
// redsync do.
type PoolConn[S PoolScript] interface {
	Eval(script *S, keysAndArgs ...any) (any, error)
	Close() error
}

// Pool is redsync's redis.Pool.
type Pool[C PoolConn[S], S PoolScript] interface {
	Get(ctx context.Context) (C, error)
}

// FromPool makes a node's Driver of a pool of redsync v4, so that a program can
// lock over the Redis client that it has: go-redis, rueidis, valkey-go or
// redigo. For instance, with redsync's package redis/goredis/v9:
//
//	redlock.Node{Name: "a:6379", Driver: redlock.FromPool(goredis.NewPool(client))}
//
// Each node needs a pool of its own, which must lead to that one server. The
// pool stays the caller's: closing the Client does not close it.
//
// A call ends by twice the node deadline, whatever the pool does. A driver that
// hangs keeps the goroutine it was called on, and no more than 64 of them per
// node; calls beyond these are queued, then refused, and once three in a row
// have come to nothing they are refused at once, but for one every half second
// that tries the node.
//
// Drivers may send a request again on their own and after its deadline. The
// protocol can bear it, but a lock costs less on the built-in driver.
func FromPool[P Pool[C, S], C PoolConn[S], S PoolScript](pool P) Driver {
	if any(pool) == nil {
		return nil // New says that the node has no driver
	}
	return newPoolDriver(func(ctx context.Context, op script.Op, keys int, keysAndArgs []any) (raw any, asked bool, err error) {
		conn, err := pool.Get(ctx)
		if err != nil {
			return nil, false, err
		}
		defer conn.Close() // its error says nothing of the reply
		s := S(struct {
			KeyCount int
			Src      string
			Hash     string
		}{keys, op.Source(), op.SHA1()})
		raw, err = conn.Eval(&s, keysAndArgs...)
		return raw, true, err
	})
}
