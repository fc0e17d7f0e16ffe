package redlock

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

const (
	fakeURL  = "redis://node.test"
	patience = 100 * time.Millisecond // the timeout of calls in these tests
)

// A fakeNode answers each command with what it returns; "" is no answer. It may
// sleep.
type fakeNode func(command []string) string

// serve speaks for the node until the connection ends.
func (f fakeNode) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		command, err := readCommand(r)
		if err != nil {
			return
		}
		answer := f(command)
		if answer == "" {
			continue // in a pipe even an empty write would be noticed
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// afterPing is a node that answers PING and leaves the rest to f.
func afterPing(f fakeNode) fakeNode {
	return func(command []string) string {
		if command[0] == "PING" {
			return "+PONG\r\n"
		}
		return f(command)
	}
}

// greetExactly answers PING and reads nothing beyond it.
func greetExactly(conn net.Conn) error {
	ping := io.LimitReader(conn, int64(len("*1\r\n$4\r\nPING\r\n")))
	if _, err := readCommand(bufio.NewReader(ping)); err != nil {
		return err
	}
	_, err := io.WriteString(conn, "+PONG\r\n")
	return err
}

func answers(reply string) fakeNode { return func([]string) string { return reply } }

// holdingNode answers PING at once, and everything else only once it is released.
type holdingNode struct {
	mu       sync.Mutex
	conn     net.Conn
	owed     int
	released bool
}

func (n *holdingNode) serve(conn net.Conn) {
	n.mu.Lock()
	n.conn = conn
	n.mu.Unlock()
	afterPing(func([]string) string {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.released {
			return ":1\r\n"
		}
		n.owed++
		return ""
	}).serve(conn)
}

func (n *holdingNode) release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.released = true
	io.WriteString(n.conn, strings.Repeat(":1\r\n", n.owed)) // a failure shows: the calls end without answers
}

func readCommand(r *bufio.Reader) ([]string, error) {
	n, err := readLength(r, '*')
	if err != nil {
		return nil, err
	}
	command := make([]string, n)
	for i := range command {
		size, err := readLength(r, '$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		command[i] = string(b[:size])
	}
	return command, nil
}

func readLength(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("%q where a %c was due", line, kind)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// pipeTo is a dial function whose connections lead to serve, through a pipe
// without any buffer: a write blocks until it is read.
func pipeTo(serve func(net.Conn)) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go serve(server)
		return client, nil
	}
}

func newDriver(t *testing.T, url string, o driverOptions) *redigoDriver {
	t.Helper()
	if o.nodeDeadline == 0 {
		o.nodeDeadline = patience
	}
	u, err := parseNodeURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return newRedigoDriver(u, o)
}

// withNode runs a test against a node in memory, under a fake clock. It ends
// only when every goroutine of the driver has ended.
func withNode(t *testing.T, serve func(net.Conn), test func(t *testing.T, d *redigoDriver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(t, fakeURL, driverOptions{dial: pipeTo(serve), jitter: func() float64 { return 0.5 }})
		defer d.Close()
		test(t, d)
	})
}

// result is how a call ended.
type result struct {
	reply script.Reply
	err   error
	after time.Duration // since its Start
}

// freeing is a call whose reply is a plain integer, the number of names freed.
func freeing(name string) script.Call {
	return script.Call{Op: script.Release, Names: []string{name}, ID: "id"}
}

// begin starts a call; the channel gives its result.
func begin(t *testing.T, d Driver, timeout time.Duration) <-chan result {
	c := make(chan result, 1)
	start := time.Now()
	var calls atomic.Int32
	d.Start(freeing("a"), timeout, func(reply script.Reply, err error) {
		if calls.Add(1) > 1 {
			t.Errorf("done was called again, with %v, %v", reply, err)
			return
		}
		c <- result{reply, err, time.Since(start)}
	})
	return c
}

func wantUnsent(t *testing.T, r result, after time.Duration) {
	t.Helper()
	var unsent *UnsentError
	if !errors.Is(r.err, script.ErrNotSent) || !errors.As(r.err, &unsent) || r.after != after {
		t.Errorf("after %v: %v; want an UnsentError after %v", r.after, r.err, after)
	}
}

func wantLost(t *testing.T, r result, after time.Duration) {
	t.Helper()
	var lost *ConnectionError
	if errors.Is(r.err, script.ErrNotSent) || !errors.As(r.err, &lost) || r.after != after {
		t.Errorf("after %v: %v; want a ConnectionError of unknown outcome after %v", r.after, r.err, after)
	}
}

func wantFreed(t *testing.T, r result, n int) {
	t.Helper()
	if want := (script.Reply{Code: script.OK, Deleted: n}); r.err != nil || r.reply != want {
		t.Errorf("got %+v, %v; want %+v", r.reply, r.err, want)
	}
}

// A node that stops answering costs twice the timeout once; what comes while
// there is no connection costs one timeout.
func TestSilentNode(t *testing.T) {
	withNode(t, func(conn net.Conn) {
		frozen := false
		fakeNode(func(command []string) string {
			if frozen = frozen || command[0] != "PING"; frozen {
				return ""
			}
			return "+PONG\r\n"
		}).serve(conn)
	}, func(t *testing.T, d *redigoDriver) {
		first := begin(t, d, patience)
		<-time.After(patience / 2)
		second := begin(t, d, patience)
		wantLost(t, <-first, 2*patience)
		r := <-second
		wantLost(t, r, 2*patience-patience/2) // it was on the connection that was given up
		if !errors.Is(r.err, context.DeadlineExceeded) {
			t.Errorf("the cause of %v is no timeout", r.err)
		}
	})
}

// A node that answers one call after the other, too slowly for all: those that
// are late are abandoned by themselves, and what comes behind them gets its own
// answer on the same connection.
func TestSlowNodePoisonsNobody(t *testing.T) {
	const each, calls = patience/4 + time.Millisecond, 20
	var fast atomic.Bool
	var replies atomic.Int32
	withNode(t, afterPing(func([]string) string {
		if !fast.Load() {
			<-time.After(each)
		}
		return fmt.Sprintf(":%d\r\n", replies.Add(1))
	}).serve, func(t *testing.T, d *redigoDriver) {
		var open []<-chan result
		for range calls {
			open = append(open, begin(t, d, patience))
			synctest.Wait() // one packet each, so that the node reads them in order
		}
		answered := 0
		for i, c := range open {
			switch r := <-c; {
			case r.err == nil:
				answered++
				wantFreed(t, r, i+1)
			case r.after == patience:
				wantUnsent(t, r, patience) // the node does not read ahead
			default:
				wantLost(t, r, 2*patience)
			}
		}
		if answered != 7 { // the eighth came when all was over
			t.Errorf("%d calls were answered in time, want 7", answered)
		}
		<-time.After(calls * each)
		fast.Store(true)
		sent := int(replies.Load())
		wantFreed(t, <-begin(t, d, patience), sent+1)
		if s := d.Stats(); s.Connects != 1 || s.Failures != 0 || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A node that accepts connections and says nothing never gets a call.
func TestNodeThatNeverGreets(t *testing.T) {
	withNode(t, fakeNode(func(command []string) string {
		if command[0] != "PING" {
			t.Errorf("the node was sent %q", command)
		}
		return ""
	}).serve, func(t *testing.T, d *redigoDriver) {
		for start := time.Now(); time.Since(start) < 8*patience; { // through the first handshakes
			wantUnsent(t, <-begin(t, d, patience), patience)
		}
		<-time.After(5 * patience)
		for start := time.Now(); time.Since(start) < 20*patience; <-time.After(patience) {
			wantDown(t, <-begin(t, d, patience))
		}
	})
}

// An answer between one and two timeouts is still handed over.
func TestLateAnswer(t *testing.T) {
	withNode(t, afterPing(func([]string) string {
		<-time.After(patience * 3 / 2)
		return ":1\r\n"
	}).serve, func(t *testing.T, d *redigoDriver) {
		r := <-begin(t, d, patience)
		wantFreed(t, r, 1)
		if r.after != patience*3/2 {
			t.Errorf("the answer came after %v", r.after)
		}
	})
}

// A node that does not read blocks the writer, and nobody else.
func TestNodeThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		d := newDriver(t, fakeURL, driverOptions{dial: pipeTo(func(conn net.Conn) {
			defer conn.Close()
			if err := greetExactly(conn); err == nil {
				<-stop
			}
		})})
		defer d.Close()
		synctest.Wait()
		written := begin(t, d, patience)
		synctest.Wait()
		queued := begin(t, d, patience/2)
		wantUnsent(t, <-queued, patience/2)
		wantLost(t, <-written, 2*patience)
	})
}

// A call that has to wait for the connection is written only within its timeout.
func TestCallsWaitForTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen atomic.Int32
		pipe := pipeTo(afterPing(func([]string) string {
			seen.Add(1)
			return ":1\r\n"
		}).serve)
		d := newDriver(t, fakeURL, driverOptions{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			<-time.After(patience * 3 / 2)
			return pipe(ctx, network, address)
		}})
		defer d.Close()
		early := begin(t, d, patience)
		<-time.After(patience)
		timely := begin(t, d, patience)
		wantUnsent(t, <-early, patience)
		r := <-timely
		wantFreed(t, r, 1)
		if r.after != patience/2 || seen.Load() != 1 {
			t.Errorf("the call was answered after %v; the node saw %d calls, want 1", r.after, seen.Load())
		}
	})
}

// A short timeout that is queued behind a long one is kept.
func TestTimeoutsAreKeptOutOfOrder(t *testing.T) {
	withNode(t, fakeNode(answers("")).serve, func(t *testing.T, d *redigoDriver) {
		long := begin(t, d, 10*patience)
		<-time.After(patience / 10)
		short := begin(t, d, patience)
		wantUnsent(t, <-short, patience)
		wantUnsent(t, <-long, 10*patience)
	})
}

// Behind a node that hangs only so many calls wait; the rest is refused at once,
// and what could not be written goes out when there is room again.
func TestBoundOnOpenCalls(t *testing.T) {
	node := &holdingNode{}
	withNode(t, node.serve, func(t *testing.T, d *redigoDriver) {
		var open []<-chan result
		for range maxInFlight {
			open = append(open, begin(t, d, patience))
		}
		synctest.Wait()
		for range maxQueued {
			open = append(open, begin(t, d, patience))
		}
		synctest.Wait()
		if s := d.Stats(); s.InFlight != maxInFlight || s.Queued != maxQueued || s.State != NodeUp {
			t.Fatalf("%+v", s)
		}
		r := <-begin(t, d, patience)
		var overload *OverloadError
		if !errors.As(r.err, &overload) || !errors.Is(r.err, script.ErrNotSent) || r.after != 0 {
			t.Fatalf("after %v: %v", r.after, r.err)
		}
		if want := (OverloadError{Node: "node.test:6379", Queued: maxQueued, InFlight: maxInFlight, Limit: maxQueued}); *overload != want {
			t.Errorf("%+v, want %+v", *overload, want)
		}
		node.release()
		for _, c := range open {
			wantFreed(t, <-c, 1)
		}
		if s := d.Stats(); s.InFlight != 0 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// The same node never answers: all calls end by twice their timeout.
func TestHungNodeEndsItsCalls(t *testing.T) {
	withNode(t, afterPing(answers("")).serve, func(t *testing.T, d *redigoDriver) {
		var open []<-chan result
		for range maxInFlight + maxQueued {
			open = append(open, begin(t, d, patience))
		}
		for _, c := range open {
			if r := <-c; r.err == nil || r.after > 2*patience {
				t.Fatalf("after %v: %v", r.after, r.err)
			}
		}
	})
}

func TestStartRefusesWhatCannotBeSent(t *testing.T) {
	withNode(t, afterPing(answers(":1\r\n")).serve, func(t *testing.T, d *redigoDriver) {
		for _, timeout := range []time.Duration{0, -1} {
			wantUnsent(t, <-begin(t, d, timeout), 0)
		}
		var got error
		d.Start(script.Call{}, patience, func(_ script.Reply, err error) { got = err })
		if !errors.Is(got, script.ErrNotSent) {
			t.Errorf("a call of no script got %v", got)
		}
	})
}

// A connection's first call carries the script's text. A node that has lost it
// is sent it again, once, and not after the timeout.
func TestFallbackToEval(t *testing.T) {
	var commands []string
	delay := time.Duration(0)
	withNode(t, afterPing(func(command []string) string {
		commands = append(commands, command[0])
		if command[0] == "EVALSHA" {
			<-time.After(delay)
			return "-NOSCRIPT No matching script.\r\n"
		}
		if command[1] != script.Release.Source() || !slices.Equal(command[2:], []string{"1", "a", "id", "0"}) {
			t.Errorf("EVAL with %q", command[2:])
		}
		return ":1\r\n"
	}).serve, func(t *testing.T, d *redigoDriver) {
		wantFreed(t, <-begin(t, d, patience), 1)
		wantFreed(t, <-begin(t, d, patience), 1)
		delay = patience * 3 / 2
		wantUnsent(t, <-begin(t, d, patience), delay)
		if want := []string{"EVAL", "EVALSHA", "EVAL", "EVALSHA"}; !slices.Equal(commands, want) {
			t.Errorf("the node was sent %q, want %q", commands, want)
		}
	})
}

// What was not sent when a connection ended goes out on the next one.
func TestQueueOutlivesTheConnection(t *testing.T) {
	var connections atomic.Int32
	withNode(t, func(conn net.Conn) {
		if connections.Add(1) == 1 {
			conn.Close()
			return
		}
		afterPing(answers(":1\r\n")).serve(conn)
	}, func(t *testing.T, d *redigoDriver) {
		wantFreed(t, <-begin(t, d, patience), 1)
		if n := connections.Load(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

// A writer whose connection has just ended may swallow the signal that there is
// something to write; the next writer must look by itself.
func TestQueueIsWrittenWithoutSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connect := make(chan struct{})
		pipe := pipeTo(afterPing(answers(":1\r\n")).serve)
		d := newDriver(t, fakeURL, driverOptions{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			<-connect
			return pipe(ctx, network, address)
		}})
		defer d.Close()
		c := begin(t, d, patience)
		<-d.wake
		close(connect)
		wantFreed(t, <-c, 1)
	})
}

// Reconnecting becomes rarer up to a bound, and soon again after an answer.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const failures = 12
		var gaps []time.Duration
		var states []bool
		connected := make(chan struct{}, 2)
		last, dials := time.Now(), 0
		pipe := pipeTo(afterPing(func([]string) string { return ":1\r\n" }).serve)
		d := newDriver(t, fakeURL, driverOptions{
			jitter: func() float64 { return 0.5 },
			onState: func(up bool, err error) {
				states = append(states, up)
				if up {
					connected <- struct{}{}
				}
			},
			dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				gaps = append(gaps, time.Since(last))
				last = time.Now()
				if dials++; dials <= failures {
					return nil, errors.New("connection refused")
				}
				return pipe(ctx, network, address)
			},
		})
		defer d.Close()
		<-connected
		wantFreed(t, <-begin(t, d, patience), 1)
		want := []time.Duration{0}
		for b := minBackoff; len(want) <= failures; b = min(2*b, maxBackoff) {
			want = append(want, b*3/4)
		}
		if !slices.Equal(gaps, want) {
			t.Errorf("pauses between the attempts: %v, want %v", gaps, want)
		}
		d.mu.Lock()
		link := d.link
		d.mu.Unlock()
		link.fail(io.EOF)
		if r := <-begin(t, d, time.Minute); r.err != nil || r.after != minBackoff*3/4 {
			t.Errorf("after a good connection: %v after %v", r.err, r.after)
		}
		if len(states) != failures+3 || slices.Index(states, true) != failures || states[failures+1] || !states[failures+2] {
			t.Errorf("states: %v", states)
		}
	})
}

// Answers, refusals and losses may all start calls, and several may Close.
func TestCloseWithCallsOpen(t *testing.T) {
	for name, node := range map[string]fakeNode{
		"answers": afterPing(answers(":1\r\n")),
		"silent":  afterPing(answers("")),
		"mute":    answers(""),
	} {
		t.Run(name, func(t *testing.T) {
			withNode(t, node.serve, func(t *testing.T, d *redigoDriver) {
				var started, ended atomic.Int32
				var restart func(depth int)
				restart = func(depth int) {
					started.Add(1)
					d.Start(freeing("a"), patience, func(script.Reply, error) {
						ended.Add(1)
						if depth > 0 {
							restart(depth - 1)
						}
					})
				}
				for range 100 {
					restart(100)
				}
				<-time.After(patience / 2)
				var closers sync.WaitGroup
				for range 4 {
					closers.Go(func() {
						if err := d.Close(); err != nil {
							t.Error(err)
						}
						if s, e := started.Load(), ended.Load(); s != 100*101 || e != s {
							t.Errorf("Close returned with %d calls started and %d ended, want %d", s, e, 100*101)
						}
					})
				}
				closers.Wait()
				r := <-begin(t, d, patience)
				wantUnsent(t, r, 0)
				if !errors.Is(r.err, ErrClosed) {
					t.Errorf("%v is not ErrClosed", r.err)
				}
			})
		})
	}
}

// The login comes before everything else, on one connection.
func TestGreeting(t *testing.T) {
	for url, want := range map[string]string{
		"redis://node.test":                  "[PING]",
		"redis://node.test/3":                "[SELECT 3] [PING]",
		"redis://:p%40ss@node.test":          "[AUTH p@ss] [PING]",
		"redis://lock:secret@node.test:7/12": "[AUTH lock secret] [SELECT 12] [PING]",
	} {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			var dialed string
			pipe := pipeTo(fakeNode(func(command []string) string {
				if command[0] == "EVAL" {
					return ":1\r\n"
				}
				got = append(got, fmt.Sprint(command))
				return "+OK\r\n"
			}).serve)
			d := newDriver(t, url, driverOptions{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				dialed = address
				return pipe(ctx, network, address)
			}})
			defer d.Close()
			wantFreed(t, <-begin(t, d, patience), 1)
			if s := strings.Join(got, " "); s != want || dialed != d.url.address || d.String() != d.url.address {
				t.Errorf("%s: %s was sent %s, want %s", url, dialed, s, want)
			}
		})
	}
}

// Whoever is refused at the door hears why, at the next attempt to connect.
func TestRefusedGreeting(t *testing.T) {
	for _, reply := range []string{
		"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
		"-DENIED Redis is running in protected mode.\r\n",
		"-ERR max number of clients reached\r\n",
		"-ERR DB index is out of range\r\n",
	} {
		withNode(t, answers(reply).serve, func(t *testing.T, d *redigoDriver) {
			r := <-begin(t, d, patience)
			var server *ServerError
			if !errors.As(r.err, &server) || !errors.Is(r.err, script.ErrNotSent) || r.after > minBackoff {
				t.Errorf("after %v: %v", r.after, r.err)
				return
			}
			if want := strings.TrimSpace(reply[1:]); server.Message != want || server.Code != strings.Fields(want)[0] {
				t.Errorf("got %#v of %q", server, want)
			}
		})
	}
}

// A node that lives but cannot serve says so itself, in answer to each call.
func TestGreetingOfLiveNode(t *testing.T) {
	for _, reply := range []string{
		"-NOPERM this user has no permissions to run the 'ping' command\r\n",
		"-LOADING Redis is loading the dataset in memory\r\n",
		"-BUSY Redis is busy running a script.\r\n",
		"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.\r\n",
		"-NOAUTH Authentication required.\r\n",
	} {
		withNode(t, func(conn net.Conn) {
			fakeNode(func(command []string) string {
				if command[0] == "PING" {
					return reply
				}
				return ":1\r\n"
			}).serve(conn)
		}, func(t *testing.T, d *redigoDriver) { wantFreed(t, <-begin(t, d, patience), 1) })
	}
}

// The writer does not rely on watch having been in time, and leaves the queue
// alone when its connection has ended.
func TestTakeForWriting(t *testing.T) {
	d := &redigoDriver{wake: make(chan struct{}, 1), rearm: make(chan struct{}, 1)}
	link := &redigoLink{raw: readerConn{}, dead: make(chan struct{})}
	var refused []error
	done := doneFunc(func(_ script.Reply, err error) { refused = append(refused, err) })
	a, b := freeing("a"), freeing("b")
	late, timely := newWireCall(&a, time.Now(), patience, done), newWireCall(&b, time.Now(), time.Hour, done)
	late.start = late.start.Add(-patience)
	d.push(timely)
	d.push(late)
	timely.eval = true // as the first one of its script
	want := string(timely.appendTo(nil))
	timely.eval = false
	if out := d.take(link, nil); string(out) != want || d.inFlight.len() != 1 {
		t.Errorf("%q was taken, %d are in flight; want the timely call, %q", out, d.inFlight.len(), want)
	}
	if len(refused) != 1 || !errors.Is(refused[0], script.ErrNotSent) {
		t.Errorf("refused: %v; want the late call", refused)
	}

	link.fail(io.EOF)
	d.push(timely)
	if out := d.take(link, nil); len(out) != 0 || d.queue.len() != 1 {
		t.Errorf("%q was taken for a dead connection", out)
	}
}

// Calls keep their order on a node that has some of the scripts: a RELEASE that
// overtook the ACQUIRE that it undoes would leave a lock that nobody holds.
func TestOrderWithoutScripts(t *testing.T) {
	loaded := map[string]bool{script.Release.SHA1(): true}
	var executed []string
	withNode(t, afterPing(func(command []string) string {
		digest := command[1]
		if command[0] == "EVAL" {
			sum := sha1.Sum([]byte(command[1]))
			digest = hex.EncodeToString(sum[:])
			loaded[digest] = true
		}
		if !loaded[digest] {
			return "-NOSCRIPT No matching script.\r\n"
		}
		if digest == script.Release.SHA1() {
			executed = append(executed, "release")
			return ":0\r\n"
		}
		executed = append(executed, "acquire")
		return "*3\r\n:1\r\n:7\r\n:9\r\n"
	}).serve, func(t *testing.T, d *redigoDriver) {
		var all sync.WaitGroup
		for range 2 {
			for _, op := range []script.Op{script.Acquire, script.Release} {
				all.Add(1)
				d.Start(script.Call{Op: op, Names: []string{"a"}, ID: "id"}, patience, func(_ script.Reply, err error) {
					if err != nil {
						t.Error(err)
					}
					all.Done()
				})
			}
		}
		all.Wait()
		if want := []string{"acquire", "release", "acquire", "release"}; !slices.Equal(executed, want) {
			t.Errorf("the node executed %q, want %q", executed, want)
		}
	})
}
