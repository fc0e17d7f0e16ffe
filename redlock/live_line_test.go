package redlock_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/quorumlock/quorumlock/testenv"
)

// TestLiveWaitersAreTold hands a lock on among waiters whose poll is far away:
// only messages can do that. However many wait, a client has one subscription on
// the node that keeps the line.
func TestLiveWaitersAreTold(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 5})
	cfg := env.config("", 5)
	cfg.MaxTTL, cfg.Poll = 20*time.Second, 20*time.Second
	env.bootstrap(cfg)
	first := env.lock(mutex(t, env.open(cfg), "x"))
	client := env.open(cfg)
	const waiters = 8
	var mu sync.Mutex
	var order []int
	var all sync.WaitGroup
	for i := range waiters {
		m := mutex(t, client, "x")
		all.Go(func() {
			l, err := m.Lock(env.ctx)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			if err := l.Unlock(env.ctx); err != nil {
				t.Error(err)
			}
		})
		for env.inLine("x") != i+1 {
			if env.ctx.Err() != nil {
				t.Fatal("the waiters never stood in line")
			}
			<-time.After(time.Millisecond)
		}
	}
	listening := 0
	for listening == 0 && env.ctx.Err() == nil {
		for _, n := range env.Nodes() {
			listening += strings.Count(string(env.ask(n, "CLIENT", "LIST", "TYPE", "pubsub").([]byte)), "\n")
		}
		<-time.After(time.Millisecond)
	}
	if listening != 1 {
		t.Errorf("%d subscriptions for %d waiters of one client", listening, waiters)
	}
	start := time.Now()
	env.unlock(first)
	all.Wait()
	within(t, fmt.Sprint(waiters, " hand-offs"), time.Since(start), 0, cfg.Poll/2-time.Second)
	if !slices.IsSorted(order) || len(order) != waiters {
		t.Errorf("served in the order %v", order)
	}
	if n := env.inLine("x"); n != 0 {
		t.Errorf("%d places are left in the line", n)
	}
}

func (l *live) ask(n *testenv.Node, command string, args ...any) any {
	l.t.Helper()
	c, err := n.Dial(l.ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	reply, err := c.Do(command, args...)
	if err != nil {
		l.t.Fatal(err)
	}
	return reply
}

// inLine counts the places in a lock's lines.
func (l *live) inLine(name string) (places int) {
	l.t.Helper()
	for _, n := range l.Nodes() {
		c, err := redis.Int(l.ask(n, "ZCARD", "redlock:wait:"+name), nil)
		if err != nil {
			l.t.Fatal(err)
		}
		places += c
	}
	return places
}
