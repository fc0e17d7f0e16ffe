package redlock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

const (
	maxTTL       = 2 * time.Second
	nodeDeadline = 50 * time.Millisecond
	validity     = maxTTL*84/100 - 2*time.Millisecond   // ttl·(1−ρ) − δ, at ρ = 16 %
	lossMargin   = 10 * time.Millisecond                // a lease is given up so long before its deadline
	outlive      = maxTTL * 116 / 100                   // maxttl·(1+ρ)
	pollEvery    = 100 * time.Millisecond               // the default poll
	soon         = 3*nodeDeadline + 10*time.Millisecond // a few exchanges
)

// cluster is a set of nodes in memory, in a bubble of synctest.
type cluster struct {
	t     *testing.T
	nodes []*redlocktest.Driver
}

func newCluster(t *testing.T, n int) *cluster {
	c := &cluster{t: t}
	for range n {
		c.nodes = append(c.nodes, redlocktest.NewDriver(nil))
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.Close()
		}
	})
	return c
}

// client returns a client of the cluster; change, if not nil, edits its config.
func (c *cluster) client(change func(*redlock.Config)) *redlock.Client {
	c.t.Helper()
	cfg := redlock.Config{MaxTTL: maxTTL, NodeDeadline: nodeDeadline, Clock: redlocktest.Clock{}}
	for i, n := range c.nodes {
		cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: fmt.Sprintf("n%d", i+1), Driver: n.Handle()})
	}
	if change != nil {
		change(&cfg)
	}
	client, err := redlock.New(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { client.Close() })
	return client
}

func (c *cluster) bootstrap() {
	c.t.Helper()
	op := c.client(nil)
	defer op.Close()
	if err := op.Bootstrap(c.t.Context(), redlock.BootstrapOptions{NewCluster: true}); err != nil {
		c.t.Fatal(err)
	}
}

// admitted returns a bootstrapped cluster of n nodes.
func admitted(t *testing.T, n int) *cluster {
	t.Helper()
	c := newCluster(t, n)
	c.bootstrap()
	return c
}

// each calls f with every node of the 1-based numbers; none means all.
func (c *cluster) each(f func(*redlocktest.Driver), numbers ...int) {
	for i, n := range c.nodes {
		if len(numbers) == 0 || slices.Contains(numbers, i+1) {
			f(n)
		}
	}
}

func (c *cluster) hang(numbers ...int) {
	c.each(func(n *redlocktest.Driver) { n.Hang(true) }, numbers...)
}

func (c *cluster) down(numbers ...int) {
	c.each(func(n *redlocktest.Driver) { n.Down(true) }, numbers...)
}

func (c *cluster) heal() {
	c.each(func(n *redlocktest.Driver) {
		n.Hang(false)
		n.Down(false)
		n.Delay(0, 0)
	})
}

// wipe restarts nodes without their memory.
func (c *cluster) wipe(numbers ...int) {
	c.each(func(n *redlocktest.Driver) { n.Restart(false) }, numbers...)
}

// keyed are the numbers of the nodes on which something stands at the name.
func (c *cluster) keyed(name string) []int {
	var numbers []int
	for i, n := range c.nodes {
		n.Update(func(s *redlocktest.State, now int64) {
			if _, ok := s.Get(name, now); ok {
				numbers = append(numbers, i+1)
			}
		})
	}
	return numbers
}

// supersede lifts the name's fence on nodes above token, as the release of a
// later lease does.
func (c *cluster) supersede(name string, token uint64, numbers ...int) {
	c.each(func(n *redlocktest.Driver) {
		n.Update(func(s *redlocktest.State, now int64) {
			s.Apply(&script.Call{Op: script.Release, Names: []string{name}, ID: "later", Token: token}, now)
		})
	}, numbers...)
}

func mutex(t *testing.T, c *redlock.Client, name string, opts ...redlock.Option) *redlock.Mutex {
	t.Helper()
	m, err := c.Mutex(name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func lock(t *testing.T, m *redlock.Mutex) *redlock.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l, err := m.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wait lets the bubble's time pass.
func wait(d time.Duration) { <-time.After(d) }

// is checks that err is an *Error that is all of the targets.
func is(t *testing.T, what string, err error, targets ...error) *redlock.Error {
	t.Helper()
	var e *redlock.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: got %T %v, want an *Error", what, err, err)
	}
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%s: got %v; want it to be %q", what, err, target)
		}
	}
	return e
}

// within checks a duration against its bounds.
func within(t *testing.T, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s took %v, want %v to %v", what, got, least, most)
	}
}

// events records what an observer is told.
type events struct {
	mu  sync.Mutex
	all []redlock.Event
}

// Observe takes an event.
func (r *events) Observe(e redlock.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
}

// of returns the events of the kind.
func (r *events) of(kind redlock.EventKind) []redlock.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []redlock.Event
	for _, e := range r.all {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// took returns the events of the path.
func (r *events) took(p redlock.Path) []redlock.Event {
	return slices.DeleteFunc(r.of(redlock.EventPath), func(e redlock.Event) bool { return e.Path != p })
}

// story is the events of leases as words.
func (r *events) story() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := map[redlock.EventKind]string{
		redlock.EventAttempt: "attempt", redlock.EventAttemptFailed: "attempt-failed", redlock.EventAcquired: "acquired",
		redlock.EventExtend: "extend", redlock.EventExtended: "extended", redlock.EventExtendFailed: "extend-failed",
		redlock.EventLost: "lost", redlock.EventRelease: "release", redlock.EventReleased: "released",
		redlock.EventReleaseFailed: "release-failed", redlock.EventCleaned: "cleaned",
	}
	var words []string
	for _, e := range r.all {
		w, ok := names[e.Kind]
		switch {
		case e.Kind == redlock.EventPath:
			w = e.Path.String()
		case !ok:
			continue
		case e.Auto:
			w = "auto-" + w
		}
		words = append(words, w)
	}
	return words
}

// filter is a driver that does not pass some calls on.
type filter struct {
	redlock.Driver
	drop func(script.Call) error // nil lets the call pass
}

// Start passes the call on unless drop returns an error, which is its answer.
func (f filter) Start(call script.Call, timeout time.Duration, done func(script.Reply, error)) {
	if err := f.drop(call); err != nil {
		done(script.Reply{}, err)
		return
	}
	f.Driver.Start(call, timeout, done)
}

// filtered puts a filter before the nodes of the 1-based numbers.
func filtered(drop func(script.Call) error, numbers ...int) func(*redlock.Config) {
	return func(cfg *redlock.Config) {
		for _, i := range numbers {
			cfg.Nodes[i-1].Driver = filter{cfg.Nodes[i-1].Driver, drop}
		}
	}
}

// dropOp loses the calls of one script.
func dropOp(op script.Op) func(script.Call) error {
	return func(c script.Call) error {
		if c.Op == op {
			return redlocktest.ErrNoAnswer
		}
		return nil
	}
}

// cancelAfter is a context of the test's that is cancelled later.
func cancelAfter(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(d, cancel)
	t.Cleanup(func() { timer.Stop(); cancel() })
	return ctx
}
