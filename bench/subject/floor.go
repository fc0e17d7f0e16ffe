package subject

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/bench/pipe"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// Floor is SET NX PX on all nodes and a compare-and-delete on all nodes, each
// waiting for a majority, over bare pipelined connections. What it lacks: any
// clean-up, deadline or token. No lock on N servers can cost less.
func Floor() Subject {
	return Subject{
		Name: "floor", Note: "SET NX PX and compare-and-delete over bare pipelined connections",
		Open: func(ctx context.Context, n Nodes) (Client, error) {
			p, err := pipe.Dial(n.Addrs)
			if err != nil {
				return nil, err
			}
			if err := load(ctx, n, compareAndDelete); err != nil {
				return nil, err
			}
			return floorClient{p}, nil
		},
	}
}

// CompareAndDelete frees KEYS[1] where ARGV[1] stands.
const CompareAndDelete = `if redis.call('GET',KEYS[1]) == ARGV[1] then return redis.call('DEL',KEYS[1]) end return 0`

var (
	compareAndDelete = redis.NewScript(1, CompareAndDelete)
	ttlMillis        = strconv.FormatInt(TTL.Milliseconds(), 10)
)

// load puts a script on all nodes, since a pipe does not answer NOSCRIPT.
func load(ctx context.Context, n Nodes, s *redis.Script) error {
	for _, addr := range n.Addrs {
		c, err := redis.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		err = s.Load(c)
		c.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// newID draws what stands at a lock's name, as long as this project's.
func newID() string {
	var b [15]byte
	rand.Read(b[:]) // never fails, says its documentation
	return base64.RawURLEncoding.EncodeToString(b[:])
}

type floorClient struct{ pipe *pipe.Pipe }

func (c floorClient) Lock(name string) (Lock, error) {
	return &floorLock{pipe: c.pipe, name: name}, nil
}
func (c floorClient) Close() error { return c.pipe.Close() }

type floorLock struct {
	pipe *pipe.Pipe
	name string
	id   string
}

func isOK(answer any) bool  { return answer == "OK" }
func isOne(answer any) bool { return answer == int64(1) }

func (l *floorLock) Try(context.Context) error {
	l.id = newID()
	set := pipe.Command("SET", l.name, l.id, "NX", "PX", ttlMillis)
	return l.pipe.Majority(func(int) pipe.Request { return set }, isOK)
}

func (l *floorLock) Unlock(context.Context) error {
	del := pipe.Command("EVALSHA", compareAndDelete.Hash(), "1", l.name, l.id)
	return l.pipe.Majority(func(int) pipe.Request { return del }, isOne)
}

func (l *floorLock) Lock(ctx context.Context) error { return l.Try(ctx) }
func (l *floorLock) Extend(context.Context) error   { return ErrNoExtend }

// FloorScripts is the same fan-out of this project's ACQUIRE and RELEASE. The
// distance to Floor is what the scripts cost, and the distance of quorumlock to
// it is what its client costs. It adds no second round where the nodes assigned
// different tokens, and does not learn the nodes' clocks.
func FloorScripts() Subject {
	return Subject{
		Name: "floor-scripts", Note: "quorumlock's scripts over bare pipelined connections",
		Open: func(ctx context.Context, n Nodes) (Client, error) {
			c := &scriptClient{}
			for i, addr := range n.Addrs {
				node, err := Admission(ctx, addr)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", n.Names[i], err)
				}
				c.nodes = append(c.nodes, node)
			}
			for _, op := range []script.Op{script.Acquire, script.Release} {
				if err := load(ctx, n, redis.NewScript(0, op.Source())); err != nil {
					return nil, err
				}
			}
			var err error
			c.pipe, err = pipe.Dial(n.Addrs)
			return c, err
		},
	}
}

// Member is what a node was admitted under.
type Member struct {
	Cfg  string
	Self int
}

// Admission asks a node for it.
func Admission(ctx context.Context, addr string) (Member, error) {
	c, err := redis.DialContext(ctx, "tcp", addr)
	if err != nil {
		return Member{}, err
	}
	defer c.Close()
	probe := script.Call{Op: script.Probe, Nonce: newID()}
	args := []any{probe.Op.Source(), len(probe.Keys())}
	for _, s := range append(probe.Keys(), probe.Args()...) {
		args = append(args, s)
	}
	raw, err := c.Do("EVAL", args...)
	if err != nil {
		return Member{}, err
	}
	reply, err := script.Decode(script.Probe, 0, raw)
	if err == nil && !reply.Admitted {
		err = fmt.Errorf("not admitted: %+v", reply)
	}
	return Member{reply.Cfg, reply.Self}, err
}

type scriptClient struct {
	pipe  *pipe.Pipe
	nodes []Member
}

func (c *scriptClient) Close() error { return c.pipe.Close() }

func (c *scriptClient) Lock(name string) (Lock, error) {
	return &scriptLock{client: c, names: []string{name}}, nil
}

type scriptLock struct {
	client *scriptClient
	names  []string
	id     string
}

// request is a call as a node gets it. The configuration and the name's index
// differ from node to node, so each has arguments of its own, as in the library.
func request(call script.Call) pipe.Request {
	keys := call.Keys()
	words := append([]string{"EVALSHA", call.Op.SHA1(), strconv.Itoa(len(keys))}, keys...)
	return pipe.Command(append(words, call.Args()...)...)
}

// Granted reports whether an answer to ACQUIRE, of the library's script or of the
// reference, grants.
func Granted(answer any) bool {
	if elems, ok := answer.([]any); ok {
		return len(elems) > 0 && elems[0] == int64(1)
	}
	now, ok := answer.(int64)
	return ok && now > 0
}

func (l *scriptLock) Try(context.Context) error {
	l.id = newID()
	now := time.Now().UnixMicro()
	return l.client.pipe.Majority(func(i int) pipe.Request {
		n := l.client.nodes[i]
		return request(script.Call{
			Op: script.Acquire, Names: l.names, ID: l.id, Cfg: n.Cfg, Self: n.Self,
			TTL: TTL, Hint: uint64(now), NotAfter: now + 60_000_000,
		})
	}, Granted)
}

func (l *scriptLock) Unlock(context.Context) error {
	release := request(script.Call{Op: script.Release, Names: l.names, ID: l.id, Pass: script.PassOn})
	return l.client.pipe.Majority(func(int) pipe.Request { return release }, isOne)
}

func (l *scriptLock) Lock(ctx context.Context) error { return l.Try(ctx) }
func (l *scriptLock) Extend(context.Context) error   { return ErrNoExtend }
