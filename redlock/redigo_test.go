package redlock

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock/script"
	"github.com/quorumlock/quorumlock/testenv"
)

// long is a timeout that only a hanging test reaches.
const long = 20 * time.Second

func realNode(t *testing.T, password string) *testenv.Node {
	t.Helper()
	env, err := testenv.Start(t.Context(), testenv.Config{
		Nodes: 1, Dir: filepath.Join(t.TempDir(), "env"), RedisServer: testenv.Require(t), Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	return env.Nodes()[0]
}

func realDriver(t *testing.T, n *testenv.Node, o driverOptions) *redigoDriver {
	t.Helper()
	if o.nodeDeadline == 0 {
		o.nodeDeadline = time.Second
	}
	d := newDriver(t, "redis://"+n.DirectAddr(), o)
	t.Cleanup(func() { d.Close() })
	return d
}

// admin sends one command past the driver.
func admin(t *testing.T, n *testenv.Node, command string, args ...any) any {
	t.Helper()
	c, err := n.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	reply, err := c.Do(command, args...)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func mustDo(t *testing.T, f func(context.Context) error) {
	t.Helper()
	if err := f(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// call runs one call to its end.
func call(d Driver, c script.Call, timeout time.Duration) (script.Reply, error) {
	type answer struct {
		script.Reply
		error
	}
	ch := make(chan answer, 1)
	d.Start(c, timeout, func(r script.Reply, err error) { ch <- answer{r, err} })
	a := <-ch
	return a.Reply, a.error
}

// eventually repeats calls until one succeeds.
func eventually(t *testing.T, d Driver) {
	t.Helper()
	for deadline := time.Now().Add(long); ; {
		_, err := call(d, freeing("a"), patience)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(time.Millisecond) // calls that are refused at once shall not spin
	}
}

// Calls of many goroutines share one connection, and each gets its own answer.
func TestRedisManyCalls(t *testing.T) {
	noLeaks(t)
	n := realNode(t, "")
	d := realDriver(t, n, driverOptions{})
	const callers, each = 64, 157
	var set []any
	for i := range callers * each {
		if i%2 == 0 {
			set = append(set, fmt.Sprint("lock", i), "id")
		}
	}
	admin(t, n, "MSET", set...)

	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for k := range each {
				i := c*each + k
				r, err := call(d, freeing(fmt.Sprint("lock", i)), long)
				if want := (i + 1) % 2; err != nil || r.Deleted != want {
					t.Errorf("call %d: %+v, %v; want %d deleted", i, r, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	clients := string(admin(t, n, "CLIENT", "LIST", "TYPE", "normal").([]byte))
	if c := strings.Count(clients, "cmd=evalsha"); c != 1 {
		t.Errorf("%d connections sent calls:\n%s", c, clients)
	}
}

// A frozen node holds nobody up for longer than twice the timeout, nor piles up
// goroutines; thawed, it is used again.
func TestRedisFrozen(t *testing.T) {
	noLeaks(t)
	n := realNode(t, "")
	d := realDriver(t, n, driverOptions{nodeDeadline: patience})
	eventually(t, d)
	mustDo(t, n.Freeze)

	goroutines := runtime.NumGoroutine()
	var open sync.WaitGroup
	const calls = 10 * (maxInFlight + maxQueued)
	for range calls {
		open.Add(1)
		start := time.Now()
		d.Start(freeing("a"), patience, func(_ script.Reply, err error) {
			defer open.Done()
			if took := time.Since(start); err == nil || took > 2*patience+5*time.Second {
				t.Errorf("after %v a frozen node answered %v", took, err)
			}
		})
	}
	if more := runtime.NumGoroutine() - goroutines; more > 50 {
		t.Errorf("%d more goroutines for %d calls", more, calls)
	}
	open.Wait()
	mustDo(t, n.Thaw)
	eventually(t, d)
}

func TestRedisCloseWhileFrozen(t *testing.T) {
	noLeaks(t)
	n := realNode(t, "")
	d := realDriver(t, n, driverOptions{})
	eventually(t, d)
	mustDo(t, n.Freeze)
	var answered sync.WaitGroup
	for range 100 {
		answered.Add(1)
		d.Start(freeing("a"), time.Hour, func(_ script.Reply, err error) {
			defer answered.Done()
			if err == nil {
				t.Error("a frozen node answered")
			}
		})
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	answered.Wait()
}

func TestRedisKilledAndRestarted(t *testing.T) {
	noLeaks(t)
	n := realNode(t, "")
	down := make(chan error, 1000)
	d := realDriver(t, n, driverOptions{onState: func(up bool, err error) {
		if !up {
			down <- err
		}
	}})
	eventually(t, d)
	mustDo(t, n.Kill)
	if err := <-down; err == nil {
		t.Error("the connection ended without a reason")
	}
	if _, err := call(d, freeing("a"), patience); !errors.Is(err, script.ErrNotSent) {
		t.Errorf("a call while the node is down: %v", err)
	} else if !strings.Contains(err.Error(), "refused") && !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") {
		t.Errorf("%q does not say why there is no connection", err)
	}
	if err := n.Restart(t.Context(), testenv.LoseMemory); err != nil {
		t.Fatal(err)
	}
	eventually(t, d)
}

// The scripts may vanish at any time, under calls of any number.
func TestRedisScriptFlush(t *testing.T) {
	noLeaks(t)
	n := realNode(t, "")
	d := realDriver(t, n, driverOptions{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				if _, err := call(d, freeing("a"), long); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		admin(t, n, "SCRIPT", "FLUSH", "SYNC")
	}
	wg.Wait()
	stats := fmt.Sprintf("%s", admin(t, n, "INFO", "commandstats"))
	if !strings.Contains(stats, "cmdstat_eval:") || !strings.Contains(stats, "cmdstat_evalsha:") {
		t.Errorf("the fallback was not taken:\n%s", stats)
	}
}

func TestRedisPasswordAndDatabase(t *testing.T) {
	noLeaks(t)
	const password = "p@ss/w:rd"
	n := realNode(t, password)
	for user, wantCode := range map[string]string{
		":p%40ss%2Fw%3Ard@":        "",
		"default:p%40ss%2Fw%3Ard@": "",
		":wrong@":                  "WRONGPASS",
		"nobody:wrong@":            "WRONGPASS",
		"":                         "NOAUTH",
	} {
		d := newDriver(t, "redis://"+user+n.DirectAddr()+"/5", driverOptions{nodeDeadline: time.Second})
		_, err := call(d, freeing("a"), long)
		var server *ServerError
		switch {
		case wantCode == "" && err != nil:
			t.Errorf("%q: %v", user, err)
		case wantCode != "" && (!errors.As(err, &server) || server.Code != wantCode || !errors.Is(err, script.ErrNotSent)):
			t.Errorf("%q: %v, want %s", user, err, wantCode)
		}
		d.Close()
	}

	d := newDriver(t, "redis://:p%40ss%2Fw%3Ard@"+n.DirectAddr()+"/5", driverOptions{nodeDeadline: time.Second})
	defer d.Close()
	c, err := n.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, db := range []int{0, 5} {
		if _, err := c.Do("SELECT", db); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do("SET", "a", "id"); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := call(d, freeing("a"), long); err != nil || r.Deleted != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	if left, err := redis.Int(c.Do("EXISTS", "a")); err != nil || left != 0 {
		t.Errorf("database 5 still has the key: %d, %v", left, err)
	}
}

// What a real Redis answers is classified as TestServerErrors assumes.
func TestRedisRefusals(t *testing.T) {
	noLeaks(t)
	n := realNode(t, "")
	admin(t, n, "ACL", "SETUSER", "noscripts", "on", ">pw", "~*", "&*", "+@all", "-evalsha", "-eval")
	admin(t, n, "ACL", "SETUSER", "noinfo", "on", ">pw", "~*", "&*", "+@all", "-info")
	admin(t, n, "ACL", "SETUSER", "nokeys", "on", ">pw", "~x", "&*", "+@all")
	admin(t, n, "ACL", "SETUSER", "noping", "on", ">pw", "~*", "&*", "+@all", "-ping")
	probe := script.Call{Op: script.Probe, Nonce: "nonce"}
	for user, want := range map[string]struct {
		refused bool
		unsent  bool
	}{
		"noscripts": {true, true},
		"noinfo":    {true, false}, // it fails within the script
		"nokeys":    {true, false},
		"noping":    {false, false},
	} {
		d := newDriver(t, "redis://"+user+":pw@"+n.DirectAddr(), driverOptions{nodeDeadline: time.Second})
		_, err := call(d, probe, long)
		if (err != nil) != want.refused || errors.Is(err, script.ErrNotSent) != want.unsent {
			t.Errorf("%s: %v; want refused: %v, not sent: %v", user, err, want.refused, want.unsent)
		}
		d.Close()
	}
}

// A node without room for one more client says so.
func TestRedisMaxClients(t *testing.T) {
	noLeaks(t)
	n := realNode(t, "")
	c, err := n.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do("CONFIG", "SET", "maxclients", 1); err != nil {
		t.Fatal(err)
	}
	d := realDriver(t, n, driverOptions{})
	_, err = call(d, freeing("a"), long)
	var server *ServerError
	if !errors.As(err, &server) || !strings.Contains(server.Message, "max number of clients") || !errors.Is(err, script.ErrNotSent) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Do("CONFIG", "SET", "maxclients", 100); err != nil {
		t.Fatal(err)
	}
	eventually(t, d)
}

// A node that is busy with another script refuses ours at once, unexecuted.
func TestRedisBusy(t *testing.T) {
	noLeaks(t)
	n := realNode(t, "")
	d := realDriver(t, n, driverOptions{})
	eventually(t, d)
	busy, err := n.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if _, err := busy.Do("CONFIG", "SET", "lua-time-limit", 10); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := busy.Do("EVAL", "while true do end", 0); err == nil {
			t.Error("an endless script ended")
		}
	}()
	var server *ServerError
	for deadline := time.Now().Add(long); ; {
		_, err := call(d, freeing("a"), long)
		if errors.As(err, &server) && server.Code == "BUSY" {
			if !errors.Is(err, script.ErrNotSent) {
				t.Errorf("%v may have been executed", err)
			}
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("got %v", err)
		}
	}
	admin(t, n, "SCRIPT", "KILL")
	<-ended
	eventually(t, d)
}
