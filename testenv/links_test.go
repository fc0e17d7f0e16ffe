package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// send writes a request through a proxy and leaves the answer alone.
func send(t *testing.T, c net.Conn, args ...string) {
	t.Helper()
	if _, err := io.WriteString(c, command(args...)); err != nil {
		t.Fatal(err)
	}
}

func rawDial(t *testing.T, e *Env, client, node string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", e.Addr(client, node))
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// hears reports whether the connection brings a byte within the time.
func hears(t *testing.T, c net.Conn, wait time.Duration) bool {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(wait)))
	n, _ := c.Read(make([]byte, 64))
	return n > 0
}

// quiet is how long a test waits for what must not come.
const quiet = 60 * time.Millisecond

func testCut(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 2, Clients: []string{"c1", "c2"}})
	n := node(t, e, "n1")
	for _, d := range []Direction{Both, Requests, Replies} {
		t.Run(d.String(), func(t *testing.T) {
			ctx := testContext(t)
			do(t, n, "DEL", "present", "new")
			present := rawDial(t, e, "c1", "n1")
			send(t, present, "PING")
			if !hears(t, present, 10*time.Second) {
				t.Fatal("no answer before the cut")
			}
			must(t, e.Cut(ctx, "c1", "n1", d))
			must(t, e.Cut(ctx, "c1", "n1", d)) // again: no change
			fresh := rawDial(t, e, "c1", "n1")
			send(t, present, "SET", "present", "1")
			send(t, fresh, "SET", "new", "1")
			if hears(t, present, quiet) || hears(t, fresh, quiet) {
				t.Error("an answer came through")
			}
			done := func() (bool, error) { return get(t, n, "present")+get(t, n, "new") == "11", nil }
			if d == Replies {
				must(t, poll(ctx, done))
			} else if ok, _ := done(); ok {
				t.Error("a request came through")
			}
			for _, other := range [][2]string{{"c2", "n1"}, {"c1", "n2"}} {
				if _, err := dialProxy(t, e, other[0], other[1], 10*time.Second).Do("PING"); err != nil {
					t.Errorf("%v is cut as well: %v", other, err)
				}
			}
			must(t, e.Heal(ctx, "c1", "n1"))
			if _, err := dialProxy(t, e, "c1", "n1", 10*time.Second).Do("PING"); err != nil {
				t.Errorf("after Heal: %v", err)
			}
			// Its answers would belong to other requests.
			io.WriteString(present, command("PING"))
			if hears(t, present, quiet) {
				t.Error("a connection that lost bytes lives on")
			}
			if d != Replies && get(t, n, "present") != "" {
				t.Error("a swallowed request was delivered by Heal")
			}
		})
	}
}

func testHold(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	n := node(t, e, "n1")
	for _, d := range []Direction{Both, Requests, Replies} {
		t.Run(d.String(), func(t *testing.T) {
			ctx := testContext(t)
			do(t, n, "DEL", "list")
			must(t, e.Hold(ctx, "c1", "n1", d))
			gone := rawDial(t, e, "c1", "n1")
			send(t, gone, "RPUSH", "list", "gone")
			must(t, gone.Close())
			c := rawDial(t, e, "c1", "n1")
			send(t, c, "RPUSH", "list", "1")
			send(t, c, "RPUSH", "list", "2")
			if hears(t, c, quiet) {
				t.Error("an answer came through")
			}
			held := func() int64 { return do(t, n, "LLEN", "list").(int64) }
			if d == Replies {
				must(t, poll(ctx, func() (bool, error) { return held() == 3, nil }))
			} else if got := held(); got != 0 {
				t.Errorf("%d requests came through", got)
			}
			// Another fault of the link lets nothing slip.
			must(t, e.Delay(ctx, "c1", "n1", d, time.Millisecond, 0))
			if hears(t, c, quiet) {
				t.Error("an answer came through when a delay was added")
			}
			must(t, e.Heal(ctx, "c1", "n1"))
			must(t, poll(ctx, func() (bool, error) { return held() == 3, nil }))
			if !hears(t, c, 10*time.Second) {
				t.Error("no answer after Heal on the connection that was held")
			}
		})
	}
}

func testDelay(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}, Seed: 7})
	ctx := testContext(t)
	took := func() time.Duration {
		c := dialProxy(t, e, "c1", "n1", 10*time.Second)
		start := time.Now()
		if _, err := c.Do("PING"); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	for _, c := range []struct {
		d     Direction
		least time.Duration
	}{{Requests, 40 * time.Millisecond}, {Replies, 40 * time.Millisecond}, {Both, 80 * time.Millisecond}} {
		must(t, e.Delay(ctx, "c1", "n1", c.d, 50*time.Millisecond, 10*time.Millisecond))
		if got := took(); got < c.least {
			t.Errorf("%v: answered after %v, want at least %v", c.d, got, c.least)
		}
		must(t, e.Delay(ctx, "c1", "n1", c.d, time.Millisecond, 0)) // new values
		must(t, e.Heal(ctx, "c1", "n1"))
	}
	// In order, although later bytes may draw a shorter delay.
	must(t, e.Delay(ctx, "c1", "n1", Requests, 10*time.Millisecond, 10*time.Millisecond))
	c := dialProxy(t, e, "c1", "n1", 10*time.Second)
	for i := range 20 {
		must(t, c.Send("RPUSH", "list", i))
		must(t, c.Flush())
	}
	for i := range 20 {
		if r, err := c.Receive(); err != nil || r != int64(i+1) {
			t.Fatalf("answer %d: %v, %v", i, r, err)
		}
	}
	for i := range 20 {
		if r := do(t, node(t, e, "n1"), "LINDEX", "list", i); string(r.([]byte)) != strconv.Itoa(i) {
			t.Errorf("element %d is %s", i, r)
		}
	}
	for _, bad := range [][2]time.Duration{{0, 0}, {-1, 0}, {time.Second, -1}, {time.Second, 2 * time.Second}} {
		if err := e.Delay(ctx, "c1", "n1", Both, bad[0], bad[1]); err == nil {
			t.Errorf("took latency %v, jitter %v", bad[0], bad[1])
		}
	}
}

func testReset(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	ctx := testContext(t)
	present := rawDial(t, e, "c1", "n1")
	send(t, present, "PING")
	if !hears(t, present, 10*time.Second) {
		t.Fatal("no answer before the reset")
	}
	must(t, e.Reset(ctx, "c1", "n1"))
	for what, c := range map[string]net.Conn{"present": present, "new": rawDial(t, e, "c1", "n1")} {
		must(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
		if n, err := c.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s connection: %d bytes, %v; want its end", what, n, err)
		}
	}
	must(t, e.Heal(ctx, "c1", "n1"))
}

// Faults of links to servers that do not answer.
func testLinksOfBrokenNodes(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 2, Clients: []string{"c1"}})
	ctx := testContext(t)
	dead, frozen := node(t, e, "n1"), node(t, e, "n2")
	must(t, dead.Kill(ctx))
	must(t, frozen.Freeze(ctx))
	for _, n := range []*Node{dead, frozen} {
		for _, d := range []Direction{Requests, Replies, Both} {
			must(t, e.Cut(ctx, "c1", n.Name(), d))
			must(t, e.Hold(ctx, "c1", n.Name(), d))
			must(t, e.Heal(ctx, "c1", n.Name()))
		}
		err := e.Delay(ctx, "c1", n.Name(), Both, time.Second, 0)
		if !errors.Is(err, ErrUnconfirmed) {
			t.Errorf("Delay before a node that does not answer: %v, want ErrUnconfirmed", err)
		}
	}
	must(t, e.HealAll(ctx))
}

// With a server that does not read and sockets that are full, faults must still
// come and go, and held bytes must not get lost.
func testLinkFullOfBytes(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	ctx := testContext(t)
	n := node(t, e, "n1")
	must(t, e.Hold(ctx, "c1", "n1", Requests))
	must(t, n.Freeze(ctx))
	c := rawDial(t, e, "c1", "n1")
	const size, count = 1 << 20, 16 // more than the sockets on the way take in
	wrote := make(chan error, 1)
	go func() {
		for range count {
			if _, err := io.WriteString(c, command("APPEND", "k", strings.Repeat("x", size))); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	must(t, e.Heal(ctx, "c1", "n1"))
	must(t, e.Hold(ctx, "c1", "n1", Both))
	must(t, e.Heal(ctx, "c1", "n1"))
	must(t, e.HealAll(ctx))
	must(t, <-wrote)
	must(t, poll(ctx, func() (bool, error) {
		if got := do(t, n, "STRLEN", "k"); got != int64(size*count) {
			return false, fmt.Errorf("%d bytes of %d arrived", got, size*count)
		}
		return true, nil
	}))
}

// Connections that close while several faults come and go.
func testFaultsOfClosingConnections(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	ctx := testContext(t)
	for range 10 {
		must(t, e.Hold(ctx, "c1", "n1", Requests))
		must(t, e.Delay(ctx, "c1", "n1", Both, time.Millisecond, 0))
		for range 5 {
			c := rawDial(t, e, "c1", "n1")
			send(t, c, "PING")
			must(t, c.Close())
		}
		must(t, e.Cut(ctx, "c1", "n1", Replies))
		must(t, e.Heal(ctx, "c1", "n1"))
	}
}

// What confirms a fault must notice that there is none, or another one.
func testConfirmations(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	ctx := testContext(t)
	l := e.links[pair{"c1", "n1"}]
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	unconfirmed := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrUnconfirmed) {
			t.Errorf("%s: %v, want ErrUnconfirmed", what, err)
		}
	}
	for _, d := range []Direction{Both, Requests, Replies} {
		unconfirmed("a healthy link is silent, "+d.String(), l.confirmSilent(ctx, d))
	}
	unconfirmed("a healthy link is slow", l.confirmSlow(ctx, time.Minute))
	unconfirmed("a healthy link is reset", l.confirmReset(ctx))
	must(t, l.set(Replies, func(m *mode) { m.cut = true }))
	unconfirmed("requests are lost, but they are not", l.confirmSilent(ctx, Requests))
	unconfirmed("a link without replies is healed", l.confirmHealed(short))
	must(t, l.set(Replies, func(m *mode) { *m = mode{} }))
	// As if requests were lost without anybody having asked for it.
	must(t, node(t, e, "n1").Freeze(ctx))
	node(t, e, "n1").setFrozen(false)
	again, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	unconfirmed("only replies are lost, but requests are as well", l.confirmSilent(again, Replies))
	must(t, node(t, e, "n1").Thaw(ctx))
}
