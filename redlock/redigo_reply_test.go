package redlock

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"reflect"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// streamConn is a connection from which a stream is read, in pieces of half the
// size that is asked for.
type streamConn struct {
	net.Conn
	in *bytes.Reader
}

func (c streamConn) Read(p []byte) (int, error)    { return iotest.HalfReader(c.in).Read(p) }
func (streamConn) SetReadDeadline(time.Time) error { return nil }
func (streamConn) Close() error                    { return nil }
func (c streamConn) Write(p []byte) (int, error)   { return len(p), nil }

func guardOf(stream []byte) *replyGuard {
	conn := streamConn{in: bytes.NewReader(stream)}
	return &replyGuard{Conn: conn, raw: conn}
}

// asRedigo returns a reply as redigo does, as far as a script's answer can be
// told by it: null and arrays within arrays are nil.
func (r *replyReader) asRedigo() any {
	if r.refused {
		return redis.Error(r.text)
	}
	return script.Raw(r.values, r.array)
}

// flat does the same to what redigo returned.
func flat(raw any) any {
	switch v := raw.(type) {
	case int64, string, redis.Error:
		return v
	case []byte:
		return string(v)
	case []any:
		elems := make([]any, len(v))
		for i, e := range v {
			switch e := flat(e).(type) {
			case int64, string:
				elems[i] = e
			}
		}
		return elems
	}
	return nil
}

// FuzzReplyReader: what the guard lets through is read as redigo reads it.
func FuzzReplyReader(f *testing.F) {
	for _, stream := range []string{
		":1\r\n:-9\r\n:999999999999999999\r\n",
		"*3\r\n:1\r\n:7\r\n:1750000000000000\r\n*2\r\n:-3\r\n$3\r\ncfg\r\n",
		"+OK\r\n-ERR no\r\n$-1\r\n*-1\r\n$0\r\n\r\n*0\r\n+\r\n-\r\n",
		"*3\r\n*2\r\n$1\r\nx\r\n*1\r\n:1\r\n$4\r\n\r\n\r\n\r\n-ERR\r\n:5\r\n",
		"*2\r\n*-1\r\n$-1\r\n*2\r\n$2\r\nab\r\n+c\r\n*1\r\n*0\r\n:1\r\n",
	} {
		f.Add([]byte(stream))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		theirs := redis.NewConn(guardOf(stream), 0, 0)
		ours := newReplyReader(guardOf(stream))
		for i := 0; ; i++ {
			raw, wantErr := theirs.Receive()
			var refusal redis.Error
			if errors.As(wantErr, &refusal) {
				raw, wantErr = refusal, nil
			}
			err := ours.next()
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("reply %d: error %v, want %v", i, err, wantErr)
			}
			if err != nil {
				return
			}
			if got, want := ours.asRedigo(), flat(raw); !reflect.DeepEqual(got, want) {
				t.Fatalf("reply %d: %s, want %s", i, fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want))
			}
		}
	})
}

// TestRepliesCostNoAllocation: a pair of lock and unlock reads ten of them.
func TestRepliesCostNoAllocation(t *testing.T) {
	const reply = "*3\r\n:1\r\n:1750000000000000\r\n:1750000000000000\r\n:1\r\n*2\r\n:-3\r\n$3\r\ncfg\r\n"
	r := newReplyReader(guardOf(bytes.Repeat([]byte(reply), 1000)))
	if n := testing.AllocsPerRun(500, func() {
		for range 3 {
			if err := r.next(); err != nil {
				t.Error(err)
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations for three replies", n)
	}
}
