package redlock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// The types that follow have the shape of redsync's.
type fakePoolScript struct {
	KeyCount int
	Src      string
	Hash     string
}

type fakePoolConn interface {
	Get(name string) (string, error)
	Eval(script *fakePoolScript, keysAndArgs ...any) (any, error)
	Close() error
}

type fakePool interface {
	Get(ctx context.Context) (fakePoolConn, error)
}

// poolFunc is a pool and its connections.
type poolFunc func(ctx context.Context, s *fakePoolScript, keysAndArgs []any) (any, error)

func (f poolFunc) Get(ctx context.Context) (fakePoolConn, error) { return &fakeConn{ctx, f}, nil }

type fakeConn struct {
	ctx context.Context
	f   poolFunc
}

func (c *fakeConn) Get(string) (string, error) { return "", errors.New("not needed") }
func (c *fakeConn) Eval(s *fakePoolScript, keysAndArgs ...any) (any, error) {
	return c.f(c.ctx, s, keysAndArgs)
}
func (c *fakeConn) Close() error { return io.ErrClosedPipe } // to be ignored

// withPool runs a test on a pool under a fake clock. It ends only when every
// goroutine of the driver has ended.
func withPool(t *testing.T, f poolFunc, test func(t *testing.T, d *poolDriver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := FromPool(fakePool(f)).(*poolDriver)
		d.setName("n1")
		d.jitter = func() float64 { return 0.5 }
		test(t, d)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

func one(context.Context, *fakePoolScript, []any) (any, error) { return int64(1), nil }

// until blocks like a driver without time limits.
func until(free <-chan struct{}) poolFunc {
	return func(context.Context, *fakePoolScript, []any) (any, error) { <-free; return int64(1), nil }
}

func TestPoolCall(t *testing.T) {
	withPool(t, func(ctx context.Context, s *fakePoolScript, keysAndArgs []any) (any, error) {
		if s.KeyCount != 1 || s.Src != script.Release.Source() || s.Hash != script.Release.SHA1() {
			t.Errorf("the script has %d keys and digest %s", s.KeyCount, s.Hash)
		}
		want := "[a id 0]"
		if got := fmt.Sprint(keysAndArgs); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if by, ok := ctx.Deadline(); !ok || time.Until(by) != 2*patience {
			t.Errorf("the context ends in %v", time.Until(by))
		}
		return int64(1), nil
	}, func(t *testing.T, d *poolDriver) {
		wantFreed(t, <-begin(t, d, patience), 1)
		if s := d.Stats(); s.State != NodeUp || s.InFlight != 0 || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestPoolRefusesWhatCannotBeSent(t *testing.T) {
	withPool(t, one, func(t *testing.T, d *poolDriver) {
		for _, timeout := range []time.Duration{0, -1} {
			wantUnsent(t, <-begin(t, d, timeout), 0)
		}
		var got error
		d.Start(script.Call{}, patience, func(_ script.Reply, err error) { got = err })
		if !errors.Is(got, script.ErrNotSent) {
			t.Errorf("a call of no script got %v", got)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if r := <-begin(t, d, patience); !errors.Is(r.err, ErrClosed) || !errors.Is(r.err, script.ErrNotSent) {
			t.Errorf("after Close: %v", r.err)
		}
	})
}

// What a pool returns is typed; whether the request was sent is claimed only
// where there was no connection.
func TestPoolErrors(t *testing.T) {
	var pool struct {
		sync.Mutex
		get, eval error
		raw       any
	}
	d := newPoolDriver(func(context.Context, script.Op, int, []any) (any, bool, error) {
		pool.Lock()
		defer pool.Unlock()
		if pool.get != nil {
			return nil, false, pool.get
		}
		return pool.raw, true, pool.eval
	})
	defer d.Close()
	var (
		unsent    *UnsentError
		lost      *ConnectionError
		server    *ServerError
		unknown   *UnsupportedError
		malformed *script.ReplyError
	)
	for _, c := range []struct {
		get, eval error
		raw       any
		as        any
		unsent    bool
		says      string
	}{
		{get: io.EOF, as: &unsent, unsent: true, says: "EOF"},
		{eval: io.EOF, as: &lost, says: "EOF"},
		{eval: context.DeadlineExceeded, as: &lost, says: "deadline"},
		{eval: redis.Error("LOADING wait"), as: &server, says: "LOADING"},
		{eval: fmt.Errorf("wrapped: %w", redis.Error("NOAUTH no")), as: &server, says: "NOAUTH"},
		{eval: goredisError("BUSY no"), as: &server, says: "BUSY"},
		{eval: rueidisError("OOM no"), as: &server, says: "OOM"},
		{eval: redis.Error("ERR unknown command 'EVALSHA'"), as: &unknown, unsent: true, says: "6.2"},
		{raw: nil, as: &malformed, says: "release"},
		{raw: "1", as: &malformed, says: "release"},
	} {
		pool.Lock()
		pool.get, pool.eval, pool.raw = c.get, c.eval, c.raw
		pool.Unlock()
		d.mu.Lock()
		d.circuit.answered() // so that the call is made
		d.mu.Unlock()
		_, err := call(d, freeing("a"), long)
		if !errors.As(err, c.as) || errors.Is(err, script.ErrNotSent) != c.unsent || !strings.Contains(err.Error(), c.says) {
			t.Errorf("get %v, eval %v, raw %v: %T: %v", c.get, c.eval, c.raw, err, err)
		}
	}
}

type goredisError string

func (e goredisError) Error() string { return string(e) }
func (goredisError) RedisError()     {}

type rueidisError string

func (e rueidisError) Error() string  { return string(e) }
func (rueidisError) IsNoScript() bool { return false }

// A pool that hangs is given up at twice the timeout, and holds only so many
// goroutines; when it returns it is used again at once.
func TestPoolHangs(t *testing.T) {
	var free chan struct{}
	var inside atomic.Int32
	withPool(t, func(ctx context.Context, s *fakePoolScript, a []any) (any, error) {
		inside.Add(1)
		defer inside.Add(-1)
		return until(free)(ctx, s, a)
	}, func(t *testing.T, d *poolDriver) {
		free = make(chan struct{})
		var calls []<-chan result
		for i := range maxPoolCalls + maxQueued {
			calls = append(calls, beginAs(t, d, fmt.Sprint(i), patience))
			if i < maxPoolCalls {
				synctest.Wait() // the pool has it
			}
		}
		synctest.Wait()
		if s := d.Stats(); s.InFlight != maxPoolCalls || s.Queued != maxQueued || inside.Load() != maxPoolCalls {
			t.Fatalf("%+v, %d calls inside the pool", s, inside.Load())
		}
		r := <-beginAs(t, d, "one more", patience)
		var overload *OverloadError
		if !errors.As(r.err, &overload) || !errors.Is(r.err, script.ErrNotSent) || overload.Node != "n1" || r.after != 0 {
			t.Errorf("after %v: %v", r.after, r.err)
		}
		for i, c := range calls {
			if i < maxPoolCalls {
				wantLost(t, <-c, 2*patience)
			} else {
				wantUnsent(t, <-c, patience)
			}
		}
		wantDown(t, <-begin(t, d, patience))
		if s := d.Stats(); s.State != NodeDown || s.InFlight != maxPoolCalls {
			t.Errorf("%+v", s)
		}
		for range 100 { // tries add no goroutines
			<-time.After(patience)
			<-begin(t, d, patience)
		}
		if n := inside.Load(); n != maxPoolCalls {
			t.Errorf("%d calls inside the pool", n)
		}
		close(free)
		synctest.Wait()
		if s := d.Stats(); s.State != NodeUp || s.InFlight != 0 || s.LastErr != nil {
			t.Errorf("%+v", s)
		}
		wantFreed(t, <-begin(t, d, patience), 1)
	})
}

// While the pool fails, one call in 250 to 500 ms tries the node.
func TestPoolFails(t *testing.T) {
	var tried atomic.Int32
	var healthy atomic.Bool
	withPool(t, func(context.Context, *fakePoolScript, []any) (any, error) {
		tried.Add(1)
		if healthy.Load() {
			return int64(1), nil
		}
		return nil, io.EOF
	}, func(t *testing.T, d *poolDriver) {
		const seconds = 60
		for start := time.Now(); time.Since(start) < seconds*time.Second; <-time.After(time.Millisecond) {
			<-begin(t, d, patience)
		}
		if n := tried.Load(); n < 2*seconds || n > 4*seconds+tripAfter {
			t.Errorf("the node was tried %d times in %d s", n, seconds)
		}
		if down := wantDown(t, <-begin(t, d, patience)); down.Node != "n1" || down.Cause == nil {
			t.Errorf("%+v", down)
		}
		healthy.Store(true)
		start := time.Now()
		for r := (result{err: io.EOF}); r.err != nil; <-time.After(time.Millisecond) {
			r = <-begin(t, d, patience)
		}
		if took := time.Since(start); took > maxBackoff {
			t.Errorf("back after %v", took)
		}
	})
}

// An answer between one and two timeouts is still handed over.
func TestPoolLateAnswer(t *testing.T) {
	withPool(t, func(context.Context, *fakePoolScript, []any) (any, error) {
		<-time.After(patience * 3 / 2)
		return int64(1), nil
	}, func(t *testing.T, d *poolDriver) {
		r := <-begin(t, d, patience)
		wantFreed(t, r, 1)
		if r.after != patience*3/2 {
			t.Errorf("the answer came after %v", r.after)
		}
	})
}

// Calls of one id run one after the other, in order; others pass them. A call
// that was given up holds nobody up.
func TestPoolKeepsTheOrderOfAnAttempt(t *testing.T) {
	var mu sync.Mutex
	var order []string
	var free chan struct{}
	withPool(t, func(_ context.Context, _ *fakePoolScript, keysAndArgs []any) (any, error) {
		mu.Lock()
		order = append(order, keysAndArgs[0].(string))
		first := len(order) == 1
		mu.Unlock()
		if first {
			<-free
		}
		return int64(1), nil
	}, func(t *testing.T, d *poolDriver) {
		free = make(chan struct{})
		start := func(name, id string, timeout time.Duration) <-chan result {
			c := make(chan result, 1)
			begun := time.Now()
			d.Start(script.Call{Op: script.Release, Names: []string{name}, ID: id}, timeout, func(r script.Reply, err error) {
				c <- result{r, err, time.Since(begun)}
			})
			synctest.Wait()
			return c
		}
		hung := start("1", "x", patience)
		second := start("2", "x", 10*patience)
		third := start("3", "x", 10*patience)
		wantFreed(t, <-start("4", "y", patience), 1)
		wantLost(t, <-hung, 2*patience)
		for _, c := range []<-chan result{second, third} {
			r := <-c
			wantFreed(t, r, 1)
			if r.after != 2*patience {
				t.Errorf("a call behind the hung one took %v", r.after)
			}
		}
		close(free)
		if got := fmt.Sprint(order); got != "[1 4 2 3]" {
			t.Errorf("order %s", got)
		}
	})
}

// Close ends the calls at once, and tells of what the pool does not give back.
func TestPoolClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		d := FromPool(fakePool(until(free)))
		var calls []<-chan result
		for i := range maxPoolCalls + 7 {
			calls = append(calls, beginAs(t, d, fmt.Sprint(i), time.Hour))
		}
		synctest.Wait()
		start := time.Now()
		err := d.Close()
		var hung *HungError
		if !errors.As(err, &hung) || hung.Calls != maxPoolCalls || time.Since(start) != closePatience {
			t.Errorf("Close returned %v after %v", err, time.Since(start))
		}
		unsent := 0
		for _, c := range calls {
			r := <-c
			if !errors.Is(r.err, ErrClosed) || r.after != 0 {
				t.Errorf("after %v: %v", r.after, r.err)
			}
			if errors.Is(r.err, script.ErrNotSent) {
				unsent++
			}
		}
		if unsent != 7 {
			t.Errorf("%d calls were not sent, want 7", unsent)
		}
		close(free)
		if err := d.Close(); err != nil {
			t.Errorf("after the pool returned: %v", err)
		}
	})
}

// A driver that honours contexts ends its calls with Close.
func TestPoolCloseEndsContexts(t *testing.T) {
	withPool(t, func(ctx context.Context, _ *fakePoolScript, _ []any) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, func(t *testing.T, d *poolDriver) {
		begin(t, d, time.Hour)
		synctest.Wait()
	})
}

func TestNilPoolIsNoDriver(t *testing.T) {
	_, err := New(Config{Nodes: []Node{{Name: "n1", Driver: FromPool(fakePool(nil))}}})
	var wrong *ConfigError
	if !errors.As(err, &wrong) || wrong.Field != "Nodes[0].URL" {
		t.Errorf("%v", err)
	}
}

// beginAs is begin for a call of another id.
func beginAs(t *testing.T, d Driver, id string, timeout time.Duration) <-chan result {
	c := make(chan result, 1)
	start := time.Now()
	d.Start(script.Call{Op: script.Release, Names: []string{"a"}, ID: id}, timeout, func(reply script.Reply, err error) {
		c <- result{reply, err, time.Since(start)}
	})
	return c
}
