package redlocktest_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

const timeout = 100 * time.Millisecond

// result is what a call ended with, and how long it took.
type result struct {
	reply script.Reply
	err   error
	took  time.Duration
}

// startCall starts a call in a bubble and returns where its result will be.
func startCall(d *redlocktest.Driver, c script.Call) <-chan result {
	out := make(chan result, 2) // a second answer would be seen
	began := time.Now()
	d.Start(c, timeout, func(r script.Reply, err error) { out <- result{r, err, time.Since(began)} })
	return out
}

func admitted(t *testing.T, d *redlocktest.Driver) {
	t.Helper()
	probed := <-startCall(d, script.Call{Op: script.Probe, Nonce: "n"})
	r := <-startCall(d, script.Call{Op: script.Admit, Inc: probed.reply.Inc, Nonce: probed.reply.Nonce, Cfg: "c|0-", Self: 1, MaxTTL: time.Minute})
	if r.err != nil || r.reply.Code != script.OK {
		t.Fatalf("%+v", r)
	}
}

func acquire(id string) script.Call {
	return script.Call{Op: script.Acquire, Names: []string{"x"}, ID: id, Cfg: "c|0-", Self: 1, TTL: 10 * time.Second}
}

func owner(d *redlocktest.Driver) (id string) {
	d.Update(func(s *redlocktest.State, now int64) { id, _ = s.Get("x", now) })
	return id
}

func TestDriverExpiresByTheBubblesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := redlocktest.NewDriver(nil)
		defer d.Close()
		admitted(t, d)
		if r := <-startCall(d, acquire("A")); r.reply.Code != script.OK || r.took != 0 {
			t.Fatalf("%+v", r)
		}
		<-time.After(4 * time.Second)
		if r := <-startCall(d, acquire("B")); r.reply.Code != script.Refused || r.reply.Wait != 6*time.Second {
			t.Fatalf("%+v", r)
		}
		<-time.After(6*time.Second + time.Millisecond)
		if r := <-startCall(d, acquire("B")); r.reply.Code != script.OK || r.reply.Token != 2 {
			t.Fatalf("%+v", r)
		}
	})
}

func TestDriverDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := redlocktest.NewDriver(nil)
		defer d.Close()
		admitted(t, d)
		d.Delay(30*time.Millisecond, 50*time.Millisecond)
		out := startCall(d, acquire("A"))
		<-time.After(29 * time.Millisecond)
		if id := owner(d); id != "" {
			t.Fatalf("executed early for %q", id)
		}
		<-time.After(2 * time.Millisecond)
		if id := owner(d); id != "A" {
			t.Fatalf("not executed in time, x is %q", id)
		}
		if r := <-out; r.err != nil || r.took != 80*time.Millisecond {
			t.Fatalf("%+v", r)
		}
	})
}

func TestDriverExecutesWhatItGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := redlocktest.NewDriver(nil)
		defer d.Close()
		admitted(t, d)
		d.Delay(time.Second, 0)
		out := startCall(d, acquire("A"))
		r := <-out
		if !errors.Is(r.err, redlocktest.ErrNoAnswer) || errors.Is(r.err, script.ErrNotSent) || r.took != 2*timeout {
			t.Fatalf("%+v", r)
		}
		<-time.After(time.Second)
		if id := owner(d); id != "A" {
			t.Fatalf("the late call was not executed, x is %q", id)
		}
		if len(out) != 0 {
			t.Fatalf("answered twice: %+v", <-out)
		}
	})
}

func TestDriverHangsAndGoesDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := redlocktest.NewDriver(nil)
		defer d.Close()
		admitted(t, d)
		d.Hang(true)
		if r := <-startCall(d, acquire("A")); !errors.Is(r.err, redlocktest.ErrNoAnswer) || r.took != 2*timeout {
			t.Fatalf("%+v", r)
		}
		d.Hang(false)
		d.Down(true)
		if r := <-startCall(d, acquire("A")); !errors.Is(r.err, script.ErrNotSent) || r.took != 0 {
			t.Fatalf("%+v", r)
		}
		d.Down(false)
		if id := owner(d); id != "" {
			t.Fatalf("x is %q", id)
		}
		if r := <-startCall(d, acquire("A")); r.reply.Code != script.OK {
			t.Fatalf("%+v", r)
		}
	})
}

func TestDriverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := redlocktest.NewDriver(nil)
		defer d.Close()
		admitted(t, d)
		<-startCall(d, acquire("A"))
		d.Delay(50*time.Millisecond, 0)
		lost := startCall(d, script.Call{Op: script.Release, Names: []string{"x"}, ID: "A"})
		d.Restart(true)
		d.Delay(0, 0)
		if r := <-startCall(d, acquire("B")); r.reply.Code != script.NotAdmitted || owner(d) != "A" {
			t.Fatalf("%+v, x is %q", r, owner(d))
		}
		if r := <-lost; !errors.Is(r.err, redlocktest.ErrNoAnswer) || owner(d) != "A" {
			t.Fatalf("a call outlived the server: %+v, x is %q", r, owner(d))
		}
		before := (<-startCall(d, script.Call{Op: script.Probe, Nonce: "n"})).reply
		d.Restart(false)
		after := (<-startCall(d, script.Call{Op: script.Probe, Nonce: "n"})).reply
		if owner(d) != "" || after.HW != 0 || before.HW == 0 || before.Inc == after.Inc {
			t.Fatalf("before %+v\nafter  %+v", before, after)
		}
		admitted(t, d)
		d.FlushAll()
		if r := <-startCall(d, acquire("B")); r.reply.Code != script.NotAdmitted {
			t.Fatalf("%+v", r)
		}
	})
}

func TestDriverCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := redlocktest.NewDriver(nil)
		admitted(t, d)
		other := d.Handle()
		d.Delay(time.Hour, time.Hour)
		delayed := startCall(d, acquire("A"))
		<-time.After(2 * timeout)
		synctest.Wait()
		fresh := startCall(d, acquire("B"))
		// A callback may start calls, also while the driver closes.
		again := make(chan error, 1)
		d.Start(acquire("C"), timeout, func(script.Reply, error) {
			d.Start(acquire("D"), timeout, func(_ script.Reply, err error) { again <- err })
		})
		var closers sync.WaitGroup
		for range 3 {
			closers.Go(func() { d.Close() })
		}
		closers.Wait()
		for _, out := range []<-chan result{delayed, fresh} {
			if r := <-out; !errors.Is(r.err, redlocktest.ErrNoAnswer) || len(out) != 0 {
				t.Fatalf("%+v, and %d more", r, len(out))
			}
		}
		if err := <-again; !errors.Is(err, script.ErrNotSent) {
			t.Fatal(err)
		}
		if r := <-startCall(d, acquire("E")); !errors.Is(r.err, script.ErrNotSent) {
			t.Fatalf("%+v", r)
		}
		other.Delay(0, 0)
		if r := <-startCall(other, acquire("E")); r.reply.Code != script.OK {
			t.Fatalf("the other handle answered %+v", r)
		}
		other.Close()
	})
}

func TestDriverFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := redlocktest.NewDriver(nil)
		defer d.Close()
		admitted(t, d)
		d.Delay(time.Millisecond, time.Millisecond)
		var granted sync.Map
		var callers sync.WaitGroup
		for i := range 32 {
			callers.Go(func() {
				id := string(rune('a' + i))
				if r := <-startCall(d, acquire(id)); r.reply.Code == script.OK {
					granted.Store(id, true)
				}
			})
		}
		callers.Wait()
		n := 0
		granted.Range(func(_, _ any) bool { n++; return true })
		if n != 1 {
			t.Fatalf("%d callers hold one lock", n)
		}
	})
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c redlocktest.Clock
		began := c.Now()
		fired := make(chan time.Duration, 1)
		c.AfterFunc(time.Second, func() { fired <- c.Now() - began })
		stop := c.AfterFunc(time.Minute, func() { t.Error("a stopped timer fired") })
		if at := <-fired; at != time.Second {
			t.Fatalf("fired after %v", at)
		}
		if !stop() || stop() {
			t.Fatal("stop does not tell whether it was in time")
		}
		<-time.After(time.Hour)
	})
}
