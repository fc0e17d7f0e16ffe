package redlocktest

import (
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// What follows concerns the Lua alone: a State has no memory limit, no access
// control and no channels.

func newTeller(t *testing.T) (*teller, *server) {
	srv := newServer(t)
	return &teller{T: t, b: srv, now: start}, srv
}

// dial opens a second connection to the server, as user, unless that is empty.
func (s *server) dial(t *testing.T, user string) *server {
	t.Helper()
	conn, err := redis.Dial("unix", s.sock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if user != "" {
		if _, err := conn.Do("AUTH", user, "pw"); err != nil {
			t.Fatal(err)
		}
	}
	return &server{conn: conn, sock: s.sock, now: s.now}
}

func TestScriptsReadTimeOnce(t *testing.T) {
	s, srv := newTeller(t)
	before := time.Now().UnixMicro()
	// The unchanged texts, by their digests, with the server's own time.
	play := func(c script.Call) script.Reply {
		t.Helper()
		sha := srv.do(t, "SCRIPT", "LOAD", c.Op.Source())
		if string(sha.([]byte)) != c.Op.SHA1() {
			t.Fatalf("%v: digest %s, want %s", c.Op, sha, c.Op.SHA1())
		}
		args := evalArgs(&c)
		args[0] = c.Op.SHA1()
		r, err := script.Decode(c.Op, c.Hint, srv.do(t, "EVALSHA", args...))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	probed := play(script.Call{Op: script.Probe, Nonce: "n"})
	s.nonce = probed.Nonce
	admit := s.pair(script.Admit)
	admit.Floor = 5
	if r := play(admit); r.Code != script.OK {
		t.Fatalf("%+v", r)
	}
	r := play(acquire("A", "x"))
	if after := time.Now().UnixMicro(); r.Code != script.OK || r.Token != 6 || r.Now < before || r.Now > after {
		t.Fatalf("%+v, want now between %d and %d", r, before, after)
	}
	for op := script.Acquire; op <= script.Retire; op++ {
		if n := strings.Count(op.Source(), "'TIME'"); n > 1 || n != strings.Count(op.Source(), realTime) {
			t.Errorf("%v names TIME %d times", op, n)
		}
	}
}

// TestLineMayNotBeKept: a user who may not write the waiting line, or not tell
// anybody, locks as if nobody waited.
func TestLineMayNotBeKept(t *testing.T) {
	s, srv := newTeller(t)
	s.admit(0)
	srv.do(t, "ACL", "SETUSER", "mute", "on", ">pw", "allkeys", "resetchannels", "+@all")
	srv.do(t, "ACL", "SETUSER", "lineless", "on", ">pw", "~redlock:node", "~redlock:fence:*", "~x", "~"+timeKey, "allchannels", "+@all")
	mute := &teller{T: t, b: srv.dial(t, "mute"), now: start}
	lineless := &teller{T: t, b: srv.dial(t, "lineless"), now: start}
	for i, user := range []*teller{mute, lineless} {
		token := uint64(2*i + 1)
		user.expect(queued("A", 1, "x"), granted(token, s.now))
		user.expect(queued("B", 2, "x"), script.Reply{Code: script.Refused, Token: token, Wait: ttl1, Now: s.now})
		user.expect(passes("A", 1, script.PassOn, "x"), script.Reply{Code: script.OK, Deleted: 1})
		user.expect(queued("B", 2, "x"), granted(token+1, s.now))
		user.expect(passes("B", 2, script.PassOn, "x"), script.Reply{Code: script.OK, Deleted: 1})
	}
	// Where something else stands at the line's key it is the same.
	srv.do(t, "SET", script.LineKey("", "x"), "v")
	s.expect(queued("A", 1, "x"), granted(5, s.now))
	s.code(queued("B", 2, "x"), script.Refused)
	s.expect(passes("A", 1, script.PassOn, "x"), script.Reply{Code: script.OK, Deleted: 1})
	s.expect(queued("B", 2, "x"), granted(6, s.now))
	s.expect(passes("B", 2, script.PassUp, "x"), script.Reply{Code: script.OK, Deleted: 1})
	// A member that is no place goes.
	srv.do(t, "DEL", script.LineKey("", "x"))
	srv.do(t, "ZADD", script.LineKey("", "x"), "-5", "no place", "7", "none either")
	s.expect(queued("A", 1, "x"), granted(7, s.now))
}

func TestReleaseWhereMemoryIsFull(t *testing.T) {
	s, srv := newTeller(t)
	s.admit(0)
	s.expect(acquire("A", "x"), granted(1, s.now))
	before := srv.dump(t)
	srv.do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	srv.do(t, "CONFIG", "SET", "maxmemory", "1")
	for _, c := range []script.Call{acquire("B", "y"), with(script.Raise, 5, "A", "x"), with(script.Extend, 5, "A", "x")} {
		if _, err := srv.conn.Do("EVAL", evalArgs(&c)...); err == nil || !strings.HasPrefix(err.Error(), "OOM") {
			t.Fatalf("%v: %v, want OOM", c.Op, err)
		}
		if d := diff(before, srv.dump(t)); d != "" {
			t.Fatalf("%v wrote something: %s", c.Op, d)
		}
	}
	s.expect(with(script.Release, 3, "A", "x"), script.Reply{Code: script.OK, Deleted: 1})
	s.free("x")
}

func TestAccessControl(t *testing.T) {
	s, srv := newTeller(t)
	s.admit(0)
	srv.do(t, "ACL", "SETUSER", "mute", "on", ">pw", "allkeys", "resetchannels", "+@all")
	srv.do(t, "ACL", "SETUSER", "narrow", "on", ">pw", "~redlock:*", "~x", "allchannels", "+@all")
	srv.do(t, "ACL", "SETUSER", "uninformed", "on", ">pw", "allkeys", "allchannels", "+@all", "-info")

	// Without the channel, a release still frees and still raises the fence.
	s.expect(acquire("A", "x"), granted(1, s.now))
	mute := &teller{T: t, b: srv.dial(t, "mute"), now: start}
	mute.expect(with(script.Release, 1, "A", "x"), script.Reply{Code: script.OK, Deleted: 1})
	s.expect(with(script.Extend, 1, "A", "x"), script.Reply{Code: script.Superseded, Token: 2})

	// A key that may not be read is an error and no foreign key; a call that
	// may not ask for the incarnation is an error and no vote.
	for user, names := range map[string][]string{"narrow": {"x", "secret"}, "uninformed": {"x"}} {
		c := acquire("B", names...)
		_, err := srv.dial(t, user).conn.Do("EVAL", evalArgs(&c)...)
		if err == nil || strings.Contains(err.Error(), "WRONGTYPE") {
			t.Fatalf("%s: %v, want an error", user, err)
		}
	}
	s.free("x")
}

func TestNodeKeyOfAnotherType(t *testing.T) {
	s, srv := newTeller(t)
	srv.do(t, "SET", script.NodeKey, "v")
	for op := script.Acquire; op <= script.Retire; op++ {
		c := s.pair(op)
		c.Names, c.ID, c.TTL, c.Token = []string{"x"}, "A", ttl1, 1
		if raw, err := srv.conn.Do("EVAL", evalArgs(&c)...); err == nil {
			t.Errorf("%v answered %v on a node whose record is no hash", op, raw)
		}
	}
	s.free("x")
}
