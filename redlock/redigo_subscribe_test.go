package redlock

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/testenv"
)

// subscribed is a subscription of a test's.
type subscribed struct {
	heard chan string
	state chan bool
}

func subscribe(d *redigoDriver, channel string) subscribed {
	s := subscribed{make(chan string, 100), make(chan bool, 100)}
	d.Subscribe(channel, func(payload string) { s.heard <- payload }, func(up bool) { s.state <- up })
	return s
}

// becomes waits for the subscription to be in a state.
func (s subscribed) becomes(t *testing.T, up bool) {
	t.Helper()
	for {
		select {
		case got := <-s.state:
			if got == up {
				return
			}
		case <-time.After(long):
			t.Fatalf("listening never became %v", up)
		}
	}
}

func (s subscribed) hears(t *testing.T, payload string) {
	t.Helper()
	select {
	case got := <-s.heard:
		if got != payload {
			t.Fatalf("heard %q, want %q", got, payload)
		}
	case <-time.After(long):
		t.Fatalf("never heard %q", payload)
	}
}

// A subscription hears what is said on its channel, and comes back by itself.
func TestRedisSubscribe(t *testing.T) {
	noLeaks(t)
	n := realNode(t, "")
	d := realDriver(t, n, driverOptions{})
	s := subscribe(d, "redlock:wake:me")
	s.becomes(t, true)
	admin(t, n, "PUBLISH", "redlock:wake:other", "not for me")
	admin(t, n, "PUBLISH", "redlock:wake:me", "one")
	s.hears(t, "one")
	if killed := admin(t, n, "CLIENT", "KILL", "TYPE", "pubsub"); killed != int64(1) {
		t.Fatalf("%v subscriptions, want one", killed)
	}
	s.becomes(t, false)
	s.becomes(t, true)
	admin(t, n, "PUBLISH", "redlock:wake:me", "two")
	s.hears(t, "two")
	mustDo(t, n.Kill)
	s.becomes(t, false)
	mustDo(t, func(ctx context.Context) error { return n.Restart(ctx, testenv.LoseMemory) })
	s.becomes(t, true)
	eventually(t, d)
}

// A node that falls silent is left after three signs of life that did not come.
func TestSubscriptionThatFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings atomic.Int32
		silent := fakeNode(func(command []string) string {
			switch {
			case command[0] == "SUBSCRIBE":
				return "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
			case command[0] == "PING" && pings.Add(1) > 3: // the driver's greeting, this connection's, and one more
				return ""
			}
			return "+PONG\r\n"
		})
		dials := 0
		d := newDriver(t, fakeURL, driverOptions{
			jitter: func() float64 { return 0.5 },
			dial:   pipeTo(func(c net.Conn) { dials++; silent.serve(c) }),
		})
		defer d.Close()
		synctest.Wait()
		s := subscribe(d, "c")
		s.becomes(t, true)
		start := time.Now()
		s.becomes(t, false)
		if took := time.Since(start); took != 4*minPing {
			t.Errorf("given up after %v, want %v after the last sign of life", took, 3*minPing)
		}
	})
}

// A node that refuses subscriptions is not asked again soon.
func TestSubscriptionRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		node := afterPing(func([]string) string {
			asked.Add(1)
			return "-NOPERM this user has no permissions to access one of the channels\r\n"
		})
		d := newDriver(t, fakeURL, driverOptions{dial: pipeTo(node.serve), jitter: func() float64 { return 0 }})
		defer d.Close()
		s := subscribe(d, "c")
		s.becomes(t, false)
		<-time.After(refusedPause/2 - time.Second)
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		s.becomes(t, false)
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

// Close ends subscriptions in every state.
func TestCloseWithSubscriptions(t *testing.T) {
	for name, node := range map[string]fakeNode{
		"never connected":   func([]string) string { return "" },
		"never subscribed":  afterPing(func([]string) string { return "" }),
		"subscribed":        afterPing(func([]string) string { return "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n" }),
		"something strange": afterPing(func([]string) string { return ":7\r\n" }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDriver(t, fakeURL, driverOptions{dial: pipeTo(node.serve)})
				s := subscribe(d, "c")
				<-time.After(time.Millisecond)
				d.Close()
				for {
					select {
					case <-s.state:
						continue
					default:
					}
					break
				}
				d.Subscribe("c", func(string) {}, func(bool) { t.Error("told of a subscription after Close") })
			})
		})
	}
}
