package redlock

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock/script"
)

var wireSeed = flag.Uint64("wireseed", 1, "seed of the random replies")

// hostile are answers that no Redis gives, each with what the error must quote.
var hostile = map[string]struct{ answer, quoted string }{
	"HTTP server":         {"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "HTTP/1.1 400 Bad Request"},
	"memcached":           {"ERROR\r\n", "ERROR"},
	"SSH server":          {"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"},
	"RESP3 map":           {"%1\r\n", "%1"},
	"line without end":    {"+" + strings.Repeat("x", 2*maxReplyLine), "+xxxx"},
	"bare newline":        {"+OK\n", "+OK"},
	"empty line":          {"\r\n", "\r\n"},
	"huge string":         {"$1000000000\r\n", "$1000000000"},
	"impossible string":   {"$9223372036854775807\r\n", "$9223372036854775807"},
	"overflowing string":  {"$99999999999999999999999\r\n", "$9999"},
	"negative string":     {"$-2\r\n", "$-2"},
	"string without size": {"$\r\n", "$\r\n"},
	"string runs on":      {"$3\r\nabcdef\r\n", "abcdef"},
	"huge array":          {"*1000000000\r\n", "*1000000000"},
	"impossible array":    {"*9223372036854775807\r\n", "*9223372036854775807"},
	"nested arrays":       {strings.Repeat("*1\r\n", 100_000), "*1\r\n*1"},
	"many small arrays":   {"*200\r\n" + strings.Repeat("*200\r\n", 200), "*200"},
	"many strings":        {"*200\r\n" + strings.Repeat("$1000\r\n"+strings.Repeat("y", 1000)+"\r\n", 200), "*200"},
	"no integer":          {":12x\r\n", ":12x"},
	"overflowing integer": {":9999999999999999999\r\n", ":9999"},
	"integer of nothing":  {":\r\n", ":\r\n"},
}

// Whatever listens at a node's address, the error tells what it said, no call
// waits for its timeout, and no memory is spent on what was only announced.
func TestHostileAnswers(t *testing.T) {
	for name, h := range hostile {
		for stage, node := range map[string]fakeNode{"to PING": answers(h.answer), "to a call": afterPing(answers(h.answer))} {
			t.Run(name+" "+stage, func(t *testing.T) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				withNode(t, node.serve, func(t *testing.T, d *redigoDriver) {
					r := <-begin(t, d, patience)
					var protocol *ProtocolError
					if !errors.As(r.err, &protocol) {
						t.Fatalf("got %+v, %v", r.reply, r.err)
					}
					if !strings.Contains(protocol.Answer, h.quoted) || len(protocol.Answer) > answerShown {
						t.Errorf("the error quotes %q", protocol.Answer)
					}
					if unsent := stage == "to PING"; errors.Is(r.err, script.ErrNotSent) != unsent || r.after > minBackoff {
						t.Errorf("after %v: %v; want not sent: %v", r.after, r.err, unsent)
					}
				})
				runtime.ReadMemStats(&after)
				if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
					t.Errorf("%d MB were allocated", n>>20)
				}
			})
		}
	}
}

// An answer to no question would shift all that follow: the connection ends.
func TestUnsolicitedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 10)
		d := newDriver(t, fakeURL, driverOptions{
			dial: pipeTo(afterPing(answers(":1\r\n:2\r\n")).serve),
			onState: func(up bool, err error) {
				if !up {
					ended <- err
				}
			},
		})
		defer d.Close()
		for range 2 { // the next connection is as good as the first
			wantFreed(t, <-begin(t, d, patience), 1)
			var protocol *ProtocolError
			if err := <-ended; !errors.As(err, &protocol) {
				t.Errorf("the connection ended with %v", err)
			}
		}
	})
}

// A node may answer calls that are still being written: they are written as they
// were, and as EVAL after that, but for the first, which was EVAL already.
func TestAnswersBeforeQuestions(t *testing.T) {
	const calls = 200
	seen := make(map[string]int)
	serve := func(conn net.Conn) {
		defer conn.Close()
		if err := greetExactly(conn); err != nil {
			return
		}
		first := make([]byte, 1)
		if _, err := conn.Read(first); err != nil {
			return
		}
		if _, err := io.WriteString(conn, strings.Repeat("-NOSCRIPT x\r\n", calls)); err != nil {
			return
		}
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(first), conn))
		for {
			command, err := readCommand(r)
			if err != nil {
				return // the driver has given up
			}
			seen[command[0]]++
		}
	}
	synctest.Test(t, func(t *testing.T) {
		connect := make(chan struct{})
		d := newDriver(t, fakeURL, driverOptions{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			<-connect // so that all calls are written in one go
			return pipeTo(serve)(ctx, network, address)
		}})
		defer d.Close()
		var results []<-chan result
		for range calls {
			results = append(results, begin(t, d, patience))
		}
		close(connect)
		var server *ServerError
		if r := <-results[0]; !errors.As(r.err, &server) || server.Code != "NOSCRIPT" {
			t.Errorf("the call that carried the script's text got %v", r.err)
		}
		for _, c := range results[1:] {
			wantLost(t, <-c, 2*patience)
		}
	})
	if seen["EVALSHA"] != calls-1 || seen["EVAL"] != calls {
		t.Errorf("the node was sent %v, want %d EVALSHA and %d EVAL", seen, calls-1, calls)
	}
}

// Which refusals say for certain that the script did not run.
func TestServerErrors(t *testing.T) {
	for answer, unsent := range map[string]bool{
		"LOADING Redis is loading the dataset in memory":                      true,
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL.": true,
		"NOAUTH Authentication required.":                                     true,
		"NOPERM this user has no permissions to run the 'evalsha' command":    true,
		"NOPERM User lock has no permissions to run the 'evalsha' command":    true,
		"CROSSSLOT Keys in request don't hash to the same slot":               true,
		"ERR unknown command `EVALSHA`, with args beginning with: ":           true,
		"ERR unknown command 'EVALSHA', with args beginning with: 'x'":        true,
		"ERR unknown command": true,
		"NOPERM this user has no permissions to run the 'del' command":                         false,
		"NOPERM No permissions to access a key":                                                false,
		"OOM command not allowed when used memory > 'maxmemory'.":                              false,
		"OOM command not allowed when used memory > 'maxmemory'. script: x, on @user_script:1": false,
		"READONLY You can't write against a read only replica.":                                false,
		"MISCONF Errors writing to the AOF file: No space left on device":                      false,
		"BUSY something script: 0a1b, on @user_script:1.":                                      false,
		"ERR Error running script (call to f_0a): @user_script:1: x":                           false,
		"ERR Unknown Redis command called from script script: 0a, on @user_script:1.":          false,
		"ERR whatever": false,
	} {
		withNode(t, afterPing(answers("-"+answer+"\r\n")).serve, func(t *testing.T, d *redigoDriver) {
			r := <-begin(t, d, patience)
			if errors.Is(r.err, script.ErrNotSent) != unsent || !strings.Contains(r.err.Error(), answer) || r.after > 0 {
				t.Errorf("%q became %v (not sent: %v); want not sent: %v", answer, r.err, !unsent, unsent)
			}
			var unsupported *UnsupportedError
			var server *ServerError
			if errors.As(r.err, &unsupported) != strings.HasPrefix(answer, "ERR unknown command") || errors.As(r.err, &unsupported) == errors.As(r.err, &server) {
				t.Errorf("%q became a %T", answer, r.err)
			}
		})
	}
}

// Text of a node is bounded and printable before it reaches a log.
func TestServerErrorsAreSafeToPrint(t *testing.T) {
	err := serverError("ERR \x1b[2Jx" + strings.Repeat("y", 5000))
	if s := err.Error(); strings.ContainsRune(s, 0x1b) || len(s) > maxAnswer+len("…") {
		t.Errorf("%d bytes: %.40q", len(s), s)
	}
}

// The guard gives the same verdict wherever the stream is cut into pieces, lets
// every good byte through, and redigo reads what was meant.
func TestGuardOnRandomReplies(t *testing.T) {
	t.Logf("replay with -wireseed %d", *wireSeed)
	rnd := rand.New(rand.NewPCG(*wireSeed, 0))
	for range 2000 {
		var stream bytes.Buffer
		n := 1 + rnd.IntN(4)
		for range n {
			randomReply(rnd, &stream, 3)
		}
		good := rnd.IntN(2) == 0
		if !good {
			stream.WriteByte("HE%\r\n_"[rnd.IntN(6)])
		}
		for _, cut := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			g := &replyGuard{Conn: readerConn{cut(bytes.NewReader(stream.Bytes()))}, raw: readerConn{}}
			got, err := io.ReadAll(g)
			var protocol *ProtocolError
			if good && (err != nil || !bytes.Equal(got, stream.Bytes()) || g.open != 0) {
				t.Fatalf("seed %d: %q: %v after %q, %d elements open", *wireSeed, stream.Bytes(), err, got, g.open)
			}
			if !good && !errors.As(err, &protocol) {
				t.Fatalf("seed %d: %q passed: %v", *wireSeed, stream.Bytes(), err)
			}
		}
		if good {
			c := redis.NewConn(&replyGuard{Conn: readerConn{&stream}, raw: readerConn{}}, 0, 0)
			for range n {
				if _, err := c.Receive(); err != nil && !errors.As(err, new(redis.Error)) {
					t.Fatalf("seed %d: redigo: %v", *wireSeed, err)
				}
			}
		}
	}
}

func randomReply(rnd *rand.Rand, w *bytes.Buffer, depth int) {
	kind := rnd.IntN(6)
	if depth == 0 {
		kind = rnd.IntN(5)
	}
	switch kind {
	case 0:
		w.WriteString("+OK\r\n")
	case 1:
		w.WriteString("-ERR no\r\n")
	case 2:
		w.WriteString(":" + strconv.Itoa(rnd.IntN(1000)-500) + "\r\n")
	case 3:
		w.WriteString([]string{"$-1\r\n", "*-1\r\n", "*0\r\n", "$0\r\n\r\n"}[rnd.IntN(4)])
	case 4:
		s := strings.Repeat("\r\n$", rnd.IntN(5)) // looks like ends and headers
		w.WriteString("$" + strconv.Itoa(len(s)) + "\r\n" + s + "\r\n")
	case 5:
		n := rnd.IntN(4)
		w.WriteString("*" + strconv.Itoa(n) + "\r\n")
		for range n {
			randomReply(rnd, w, depth-1)
		}
	}
}

// readerConn is a connection of which only the reading end matters.
type readerConn struct {
	io.Reader
}

func (readerConn) Write(p []byte) (int, error) { return len(p), nil }
func (readerConn) Close() error                { return nil }

func (readerConn) LocalAddr() net.Addr { return nil }

func (readerConn) RemoteAddr() net.Addr { return nil }

func (readerConn) SetDeadline(time.Time) error { return nil }

func (readerConn) SetReadDeadline(time.Time) error { return nil }

func (readerConn) SetWriteDeadline(time.Time) error { return nil }

// What comes along with the greeting's answers is not lost between redigo's
// buffer and the reader's: it would be taken for nobody's, and what follows for
// the answer to the first call.
func TestAnswerAlongWithTheGreeting(t *testing.T) {
	for _, more := range []string{":7\r\n", ":", "*1\r\n", "$3\r\na"} {
		node := fakeNode(func(command []string) string {
			if command[0] == "PING" {
				return "+PONG\r\n" + more
			}
			return ":1\r\n"
		})
		withNode(t, node.serve, func(t *testing.T, d *redigoDriver) {
			r := <-begin(t, d, patience)
			var protocol *ProtocolError
			if !errors.Is(r.err, script.ErrNotSent) || !errors.As(r.err, &protocol) {
				t.Errorf("%q: got %+v, %v; want a ProtocolError before anything was sent", more, r.reply, r.err)
			}
		})
	}
}
