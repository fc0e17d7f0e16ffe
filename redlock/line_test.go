package redlock_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// trip is how long a node's answer takes in the tests of the line.
const trip = 200 * time.Microsecond

// fought is what came of separate clients fighting for one lock.
type fought struct {
	span   time.Duration
	served []int
	waits  []time.Duration
	got    []time.Duration // when, since the start
}

func (f fought) rate() float64 { return float64(len(f.got)) / f.span.Seconds() }

// stall is the longest time between two acquisitions that ends after from.
func (f fought) stall(from time.Duration) time.Duration {
	longest, last := time.Duration(0), time.Duration(0)
	for _, at := range append(slices.Clone(f.got), f.span) {
		if at > from {
			longest = max(longest, at-last)
		}
		last = at
	}
	return longest
}

func (f fought) String() string {
	slices.Sort(f.waits)
	mean := time.Duration(0)
	for _, w := range f.waits {
		mean += w / time.Duration(len(f.waits))
	}
	return fmt.Sprintf("%.0f/s, served %v to %v, waits mean %v, p99 %v", f.rate(), slices.Max(f.served), slices.Min(f.served), mean, f.p99())
}

func (f fought) p99() time.Duration {
	slices.Sort(f.waits)
	return f.waits[len(f.waits)*99/100]
}

// fight lets n clients lock x, hold it for a millisecond and unlock it.
func (c *cluster) fight(n int, span time.Duration, change func(i int, cfg *redlock.Config)) fought {
	c.t.Helper()
	f := fought{span: span, served: make([]int, n)}
	ctx, cancel := context.WithTimeout(c.t.Context(), span)
	defer cancel()
	var mu sync.Mutex
	inside := 0
	var all sync.WaitGroup
	start := time.Now()
	for i := range n {
		m := mutex(c.t, c.client(func(cfg *redlock.Config) { change(i, cfg) }), "x")
		all.Go(func() {
			for {
				asked := time.Now()
				l, err := m.Lock(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				f.waits = append(f.waits, time.Since(asked))
				f.got = append(f.got, time.Since(start))
				f.served[i]++
				if inside++; inside != 1 {
					c.t.Errorf("%d have the lock at once", inside)
				}
				mu.Unlock()
				wait(time.Millisecond)
				mu.Lock()
				inside--
				mu.Unlock()
				if err := l.Unlock(context.WithoutCancel(ctx)); err != nil {
					c.t.Error(err)
				}
			}
		})
	}
	all.Wait()
	return f
}

func (c *cluster) delay(d time.Duration) {
	c.each(func(n *redlocktest.Driver) { n.Delay(d/2, d/2) }, c.numbers()...)
}

func (c *cluster) numbers() (all []int) {
	for i := range c.nodes {
		all = append(all, i+1)
	}
	return all
}

func unchanged(int, *redlock.Config) {}

// TestWaitersAreServedInTurn: a lock that many want changes hands as fast as one
// client alone would take it, and all of them get it as often.
func TestWaitersAreServedInTurn(t *testing.T) {
	for _, n := range []int{2, 16, 50} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := admitted(t, 5)
				c.delay(trip)
				lone := c.fight(1, time.Second, unchanged)
				f := c.fight(n, 3*time.Second, unchanged)
				t.Logf("alone %v\nwith %d %v", lone, n, f)
				if least, most := slices.Min(f.served), slices.Max(f.served); 2*most > 3*least {
					t.Errorf("served %d to %d times", least, most)
				}
				if f.rate() < 0.8*lone.rate() {
					t.Errorf("%.0f/s, one client alone %.0f/s", f.rate(), lone.rate())
				}
			})
		})
	}
}

// TestWaitersThatPollKeepTheirPlaces: without Subscriber a client learns of its
// turn when it asks, and is waited for until then.
func TestWaitersThatPollKeepTheirPlaces(t *testing.T) {
	poll := func(i int, cfg *redlock.Config) {
		if i%2 == 0 {
			return
		}
		cfg.Poll = 20 * time.Millisecond
		for i := range cfg.Nodes {
			cfg.Nodes[i].Driver = struct{ redlock.Driver }{cfg.Nodes[i].Driver}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 5)
		c.delay(trip)
		f := c.fight(8, 5*time.Second, poll)
		t.Logf("%v", f)
		if least, most := slices.Min(f.served), slices.Max(f.served); 2*most > 3*least {
			t.Errorf("served %d", f.served)
		}
	})
}

// keeper is the 1-based number of the node that keeps the line of x.
func (c *cluster) keeper() int {
	var names []string
	for _, i := range c.numbers() {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	return quorum.Attendance{}.Keeper("x", names) + 1
}

// TestKeeperFailsInTheMiddle: no fault of the line's keeper holds anybody up for
// more than two node deadlines, and the turns go on on the next node.
func TestKeeperFailsInTheMiddle(t *testing.T) {
	for name, fail := range map[string]func(c *cluster){
		"silent":      func(c *cluster) { c.hang(c.keeper()) },
		"down":        func(c *cluster) { c.down(c.keeper()) },
		"empty":       func(c *cluster) { c.wipe(c.keeper()) },
		"restarted":   func(c *cluster) { c.each(func(n *redlocktest.Driver) { n.Restart(true) }, c.keeper()) },
		"another one": func(c *cluster) { c.hang(c.keeper()%5 + 1) },
		"comes back": func(c *cluster) {
			c.hang(c.keeper())
			time.AfterFunc(500*time.Millisecond, func() { c.heal(); c.delay(trip) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := admitted(t, 5)
				c.delay(trip)
				time.AfterFunc(time.Second, func() { fail(c) })
				f := c.fight(16, 3*time.Second, unchanged)
				t.Logf("%v, longest stall %v", f, f.stall(time.Second))
				if s := f.stall(time.Second); s > 2*nodeDeadline {
					t.Errorf("nobody got the lock for %v", s)
				}
				if least, most := slices.Min(f.served), slices.Max(f.served); most > 2*least {
					t.Errorf("served %d", f.served)
				}
			})
		})
	}
}

// TestDeadWaitersCostOneTurnEach: the line is full of places whose clients died.
func TestDeadWaitersCostOneTurnEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		l := lock(t, mutex(t, c.client(nil), "x"))
		const dead, turn = 5, 20 * time.Millisecond
		c.each(func(n *redlocktest.Driver) {
			n.Update(func(s *redlocktest.State, now int64) {
				rec := s.Record("")
				for i := range dead {
					r := s.Apply(&script.Call{
						Op: script.Acquire, Names: []string{"x"}, ID: "dead", Cfg: rec.Cfg, Self: rec.Self, TTL: time.Second,
						Place: script.Place{Client: "dead", Number: uint64(i + 1), Turn: turn},
					}, now)
					if r.Code != script.Refused {
						t.Errorf("%+v", r)
					}
				}
			})
		}, c.numbers()...)
		wait(time.Millisecond)
		done := make(chan time.Time)
		m := mutex(t, c.client(nil), "x")
		go func() {
			lock(t, m)
			done <- time.Now()
		}()
		wait(time.Second)
		start := time.Now()
		if err := l.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		within(t, "waiting behind dead ones", (<-done).Sub(start), dead*turn, dead*(turn+7*time.Millisecond)+pollEvery)
	})
}

// TestWhoGivesUpLeavesTheLine: a caller whose context ends, between two attempts
// or in the midst of one, and a client that closes leave nothing behind.
func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		c.delay(trip)
		lock(t, mutex(t, c.client(nil), "x"))
		line := func() (n int) {
			c.each(func(d *redlocktest.Driver) {
				d.Update(func(s *redlocktest.State, now int64) {
					for _, e := range s.Dump(now) {
						if e.Type == "zset" {
							n += len(e.Value) / 2
						}
					}
				})
			}, c.numbers()...)
			return n
		}
		closing := c.client(nil)
		for _, end := range []time.Duration{trip / 4, trip/2 + time.Microsecond, trip * 3 / 2, 500 * time.Millisecond} {
			_, err := mutex(t, c.client(nil), "x").Lock(cancelAfter(t, end))
			is(t, "gave up", err, context.Canceled)
		}
		m := mutex(t, closing, "x")
		done := make(chan error)
		go func() {
			_, err := m.Lock(t.Context())
			done <- err
		}()
		wait(time.Second)
		if n := line(); n != 1 {
			t.Fatalf("%d stand in line, want the one that waits", n)
		}
		closing.Close()
		is(t, "closed", <-done, redlock.ErrClosed)
		wait(10 * trip)
		if n := line(); n != 0 {
			t.Errorf("%d places are left", n)
		}
	})
}

// TestTurnsAmongForeignClients: clients of another library take the lock as they
// like, whosever turn it is. Ours exclude them, and get the lock as often as
// polling would give it to them.
func TestTurnsAmongForeignClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 5)
		c.delay(trip)
		stop := make(chan struct{})
		var all sync.WaitGroup
		foreign := 0
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(3+n%5) * time.Millisecond):
				}
				set, id := 0, fmt.Sprint("foreign", n)
				c.each(func(d *redlocktest.Driver) {
					d.Update(func(s *redlocktest.State, now int64) {
						if s.SetNX("x", id, 1000, now) {
							set++
						}
					})
				}, c.numbers()...)
				if set >= 3 {
					foreign++
					wait(time.Millisecond)
				}
				c.each(func(d *redlocktest.Driver) {
					d.Update(func(s *redlocktest.State, now int64) { s.DelIf("x", id, now) })
				}, c.numbers()...)
			}
		})
		f := c.fight(4, 5*time.Second, unchanged)
		close(stop)
		all.Wait()
		t.Logf("%v, a foreign client %d times", f, foreign)
		if foreign == 0 || slices.Min(f.served) < int(5*time.Second/pollEvery)/4 {
			t.Errorf("served %d, a foreign client %d times", f.served, foreign)
		}
	})
}

// TestOrphanOnTheKeeper: a key that a dead attempt left on the keeper alone does
// not hold waiters up for as long as it stands there.
func TestOrphanOnTheKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 5)
		c.delay(trip)
		c.each(func(d *redlocktest.Driver) {
			d.Update(func(s *redlocktest.State, now int64) { s.Set("x", "orphan", maxTTL.Milliseconds(), now) })
		}, c.keeper())
		f := c.fight(4, maxTTL-10*time.Millisecond, unchanged)
		t.Logf("%v, longest stall %v", f, f.stall(0))
		if s := f.stall(0); s > 4*pollEvery {
			t.Errorf("nobody got the lock for %v", s)
		}
	})
}
