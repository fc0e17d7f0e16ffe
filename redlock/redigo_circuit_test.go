package redlock

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
	"github.com/quorumlock/quorumlock/testenv"
)

// healed is how long a node may take until it is used again.
const healed = time.Second

func wantDown(t *testing.T, r result) *DownError {
	t.Helper()
	var down *DownError
	if !errors.As(r.err, &down) || !errors.Is(r.err, script.ErrNotSent) || r.after != 0 {
		t.Fatalf("after %v: %v; want a DownError at once", r.after, r.err)
	}
	return down
}

func TestCircuit(t *testing.T) {
	var c circuit
	now := time.Now()
	cause := errors.New("the cause")
	for i := 1; i <= tripAfter; i++ {
		if err := c.refuse("n", now, false, 0); err != nil {
			t.Errorf("after %d failures: %v", i-1, err)
		}
		if tripped := c.failed(now.Add(time.Duration(i)*time.Second), cause); tripped != (i == tripAfter) {
			t.Errorf("after %d failures tripped is %v", i, tripped)
		}
	}
	later := now.Add(10 * time.Second)
	var down *DownError
	if err := c.refuse("n", later, false, 0); !errors.As(err, &down) || *down != (DownError{"n", tripAfter, 9 * time.Second, cause}) {
		t.Errorf("without a connection: %v", err)
	}
	if err := c.refuse("n", later, true, 0); err != nil {
		t.Errorf("the call that tries the node: %v", err)
	}
	if err := c.refuse("n", later, true, 1); err == nil {
		t.Error("a second call may try the node at the same time")
	}
	c.answered()
	if err := c.refuse("n", later, true, 1); err != nil || c.backoff() != minBackoff {
		t.Errorf("after an answer: %v, backoff %v", err, c.backoff())
	}
	for range 1000 {
		c.failed(later, cause)
	}
	if c.backoff() != maxBackoff {
		t.Errorf("backoff %v", c.backoff())
	}
}

// While nothing can be reached calls wait at first, then they are refused at
// once, those in the queue as well; a connection that works ends it.
func TestUnreachableNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reachable atomic.Bool
		pipe := pipeTo(afterPing(answers(":1\r\n")).serve)
		d := newDriver(t, fakeURL, driverOptions{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if !reachable.Load() {
				return nil, io.ErrUnexpectedEOF
			}
			return pipe(ctx, network, address)
		}})
		defer d.Close()
		synctest.Wait()
		if s := d.Stats(); s.State != NodeConnecting || s.Failures != 1 || !errors.Is(s.LastErr, io.ErrUnexpectedEOF) {
			t.Errorf("%+v", s)
		}
		r := <-begin(t, d, time.Hour)
		if r.after > minBackoff+2*minBackoff || !errors.Is(r.err, io.ErrUnexpectedEOF) || !errors.Is(r.err, script.ErrNotSent) {
			t.Errorf("the call in the queue ended after %v: %v", r.after, r.err)
		}
		<-time.After(time.Minute)
		down := wantDown(t, <-begin(t, d, patience))
		if down.Node != d.name || down.For < time.Minute || down.Failures < 60 || down.Failures > 250 {
			t.Errorf("%+v; want one to four attempts a second", down)
		}
		if s := d.Stats(); s.State != NodeDown || s.Failures != uint64(down.Failures) {
			t.Errorf("%+v", s)
		}
		reachable.Store(true)
		for start := time.Now(); d.Stats().State == NodeDown; <-time.After(time.Millisecond) {
			if time.Since(start) > maxBackoff {
				t.Fatalf("still down after %v", time.Since(start))
			}
		}
		if s := d.Stats(); s.State != NodeTrying || s.Connects != 1 || s.LastErr != nil {
			t.Errorf("%+v", s)
		}
		trial := begin(t, d, patience)
		wantDown(t, <-begin(t, d, patience)) // one at a time
		wantFreed(t, <-trial, 1)
		var both []<-chan result
		for range 2 {
			both = append(both, begin(t, d, patience))
		}
		for _, c := range both {
			wantFreed(t, <-c, 1)
		}
		if s := d.Stats(); s.State != NodeUp {
			t.Errorf("%+v", s)
		}
	})
}

// A node that greets and then never answers is asked by one call at a time.
func TestNodeThatOnlyGreets(t *testing.T) {
	var asked atomic.Int32
	withNode(t, afterPing(func([]string) string { asked.Add(1); return "" }).serve, func(t *testing.T, d *redigoDriver) {
		const seconds = 60
		refused := 0
		for start := time.Now(); time.Since(start) < seconds*time.Second; <-time.After(patience / 10) {
			begin(t, d, patience)
			var down *DownError
			if r := <-begin(t, d, patience); errors.As(r.err, &down) {
				refused++
			}
		}
		// A try takes two timeouts and a pause of 250 to 500 ms.
		if n := asked.Load(); n < seconds || n > 4*seconds {
			t.Errorf("the node was asked %d times in %d s", n, seconds)
		}
		if refused < 50*seconds {
			t.Errorf("%d calls were refused at once", refused)
		}
	})
}

// Connections that end after they were of use, and fewer than tripAfter attempts
// that fail after them, are hiccups: calls wait.
func TestHiccupRefusesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		pipe := pipeTo(afterPing(answers(":1\r\n")).serve)
		d := newDriver(t, fakeURL, driverOptions{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials++; dials%tripAfter != 1 {
				return nil, io.ErrUnexpectedEOF
			}
			return pipe(ctx, network, address)
		}})
		defer d.Close()
		for range 20 {
			wantFreed(t, <-begin(t, d, patience), 1)
			d.mu.Lock()
			link := d.link
			d.mu.Unlock()
			link.fail(io.EOF)
			r := <-begin(t, d, patience)
			wantFreed(t, r, 1)
			if r.after == 0 {
				t.Error("the call did not have to wait")
			}
		}
	})
}

// A node that was frozen, killed or cut off for seconds costs nothing meanwhile,
// and is used again within a second.
func TestRedisBackWithinASecond(t *testing.T) {
	noLeaks(t)
	env, err := testenv.Start(t.Context(), testenv.Config{
		Nodes: 1, Clients: []string{"c"}, Dir: t.TempDir(), RedisServer: testenv.Require(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	n := env.Nodes()[0]
	for name, fault := range map[string]struct{ begin, end func(context.Context) error }{
		"frozen": {n.Freeze, n.Thaw},
		"killed": {n.Kill, func(ctx context.Context) error { return n.Restart(ctx, testenv.LoseMemory) }},
		"cut off": {
			func(ctx context.Context) error { return env.Cut(ctx, "c", n.Name(), testenv.Both) },
			func(ctx context.Context) error { return env.Heal(ctx, "c", n.Name()) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, "redis://"+env.Addr("c", n.Name()), driverOptions{nodeDeadline: patience})
			defer d.Close()
			eventually(t, d)
			mustDo(t, fault.begin)
			refused := 0
			for start := time.Now(); time.Since(start) < 3*time.Second; <-time.After(10 * time.Millisecond) {
				begun := time.Now()
				_, err := call(d, freeing("a"), patience)
				var down *DownError
				if errors.As(err, &down) && time.Since(begun) < patience/2 {
					refused++
				}
			}
			if refused < 20 {
				t.Errorf("only %d calls were refused at once", refused)
			}
			mustDo(t, fault.end)
			start := time.Now()
			eventually(t, d)
			if took := time.Since(start); took > healed {
				t.Errorf("back after %v", took)
			} else {
				t.Logf("%d calls were refused at once; back after %v", refused, took)
			}
			if s := d.Stats(); s.State != NodeUp || s.Connects < 2 {
				t.Errorf("%+v", s)
			}
		})
	}
}
