package redlocktest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock/script"
	"github.com/quorumlock/quorumlock/testenv"
)

// A backend is a node whose time the test sets: a State, or a real server.
type backend interface {
	apply(t *testing.T, c script.Call) script.Reply
	setTime(t *testing.T, now int64)
	set(t *testing.T, name, value string, ttl int64) // ttl in ms, 0 for none
	setList(t *testing.T, name, elem string, ttl int64)
	del(t *testing.T, name string)
	flush(t *testing.T)
	demote(t *testing.T)
	restart(t *testing.T) // a new incarnation; as a primary, with its memory
	inc(t *testing.T) string
	dump(t *testing.T) []Entry
}

type memory struct {
	state State
	now   int64
}

func (m *memory) apply(_ *testing.T, c script.Call) script.Reply { return m.state.Apply(&c, m.now) }
func (m *memory) setTime(_ *testing.T, now int64)                { m.now = now; m.state.Expire(now) }
func (m *memory) set(_ *testing.T, name, value string, ttl int64) {
	m.state.Set(name, value, ttl, m.now)
}
func (m *memory) setList(_ *testing.T, name, elem string, ttl int64) {
	m.state.SetList(name, elem, ttl, m.now)
}
func (m *memory) del(_ *testing.T, name string) { m.state.Del(name, m.now) }
func (m *memory) flush(*testing.T)              { m.state.FlushAll() }
func (m *memory) demote(*testing.T)             { m.state.Demote() }
func (m *memory) restart(*testing.T)            { m.state.Restart(newIncarnation()) }
func (m *memory) inc(*testing.T) string         { return m.state.Inc() }
func (m *memory) dump(*testing.T) []Entry       { return m.state.Dump(m.now) }

// server is a real redis-server whose time the test sets.
//
// Nobody can set a server's clock, so the scripts read node time from a key
// instead of TIME, and a change of time shifts the ttl of every key by hand.
// That changes nothing else about the scripts: they call TIME once, at one
// place, and use nothing but its two numbers; and a key's ttl matters to them
// only in whether the key stands and in what PTTL says. While a test runs,
// real time passes besides, by seconds; so tests choose every ttl and every
// change of time on a grid of 1000 s, off by half a step from one another, and
// compare remaining ttls to within slack.
type server struct {
	conn    redis.Conn
	sub     redis.Conn // hears what waiters are told; nil unless listen was called
	sock    string
	now     int64
	digests [script.Retire + 1]string // of fakeSource, after loadAll; the first is dumpLua's
}

// Times of the tests, in ms: step is the grid, half keeps ttls off it, slack is
// the tolerance in comparisons.
const (
	step  = int64(1000 * 1000)
	half  = step / 2
	slack = step * 2 / 5
)

const (
	timeKey  = "test:time"
	realTime = "redis.call('TIME')"
	fakeTime = "redis.call('LRANGE','" + timeKey + "',0,1)"
)

// fakeSource is the script with node time taken from timeKey.
func fakeSource(op script.Op) string { return strings.ReplaceAll(op.Source(), realTime, fakeTime) }

// shiftLua lets ARGV[1] ms pass for every key, or takes them back.
const shiftLua = `
for _,k in ipairs(redis.call('KEYS','*')) do
  local left = redis.call('PTTL',k)
  if left >= 0 then
    if left < tonumber(ARGV[1]) then redis.call('DEL',k) else redis.call('PEXPIRE',k,left-tonumber(ARGV[1])) end
  end
end
redis.call('DEL',KEYS[1])
redis.call('RPUSH',KEYS[1],ARGV[2],ARGV[3])`

// dumpLua returns {key,type,pttl,values...} of every key but timeKey.
const dumpLua = `
local out, keys = {}, redis.call('KEYS','*')
table.sort(keys)
for _,k in ipairs(keys) do if k ~= ARGV[1] then
  local ty, row = redis.call('TYPE',k).ok, nil
  if ty == 'string' then row = {redis.call('GET',k)}
  elseif ty == 'list' then row = redis.call('LRANGE',k,0,-1)
  elseif ty == 'zset' then row = redis.call('ZRANGE',k,0,-1,'WITHSCORES')
  else
    row = {}
    local h, names = redis.call('HGETALL',k), {}
    for i = 1,#h,2 do names[#names+1] = h[i]; names[h[i]] = h[i+1] end
    table.sort(names)
    for _,n in ipairs(names) do row[#row+1] = n; row[#row+1] = names[n] end
  end
  table.insert(row,1,k); table.insert(row,2,ty); table.insert(row,3,redis.call('PTTL',k))
  out[#out+1] = row
end end
return out`

// loadAll lets the server compile all scripts, for a test that calls them often.
func (s *server) loadAll(t *testing.T) {
	t.Helper()
	for op := range s.digests {
		text := dumpLua
		if op > 0 {
			text = fakeSource(script.Op(op))
		}
		s.digests[op] = string(s.do(t, "SCRIPT", "LOAD", text).([]byte))
	}
}

const endOfBatch = "end"

// listen hears from now on what waiters are told.
func (s *server) listen(t *testing.T) {
	t.Helper()
	s.sub = s.dial(t, "").conn
	if _, err := s.sub.Do("PSUBSCRIBE", "*"); err != nil {
		t.Fatal(err)
	}
}

// heard returns, as "channel payload", all that waiters were told since the last
// call.
func (s *server) heard(t *testing.T) (told []string) {
	t.Helper()
	s.do(t, "PUBLISH", endOfBatch, "")
	for {
		msg, err := redis.Strings(s.sub.Receive())
		if err != nil {
			t.Fatal(err)
		}
		if msg[2] == endOfBatch {
			return told
		}
		told = append(told, msg[2]+" "+msg[3])
	}
}

func (s *server) do(t *testing.T, cmd string, args ...any) any {
	t.Helper()
	raw, err := s.conn.Do(cmd, args...)
	if err != nil {
		t.Fatalf("%s %v: %v", cmd, args, err)
	}
	return raw
}

func evalArgs(c *script.Call) []any {
	keys := c.Keys()
	args := []any{fakeSource(c.Op), len(keys)}
	for _, k := range keys {
		args = append(args, k)
	}
	for _, a := range c.Args() {
		args = append(args, a)
	}
	return args
}

func shiftArgs(from, to int64) []any {
	return []any{shiftLua, 1, timeKey, to/1000 - from/1000, to / 1_000_000, to % 1_000_000}
}

func (s *server) apply(t *testing.T, c script.Call) script.Reply {
	t.Helper()
	r, err := script.Decode(c.Op, c.Hint, s.do(t, "EVAL", evalArgs(&c)...))
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return r
}

func (s *server) setTime(t *testing.T, now int64) {
	t.Helper()
	s.do(t, "EVAL", shiftArgs(s.now, now)...)
	s.now = now
}

func setArgs(name, value string, ttl int64) []any {
	if ttl == 0 {
		return []any{name, value}
	}
	return []any{name, value, "PX", ttl}
}

func (s *server) set(t *testing.T, name, value string, ttl int64) {
	s.do(t, "SET", setArgs(name, value, ttl)...)
}

func (s *server) setList(t *testing.T, name, elem string, ttl int64) {
	s.do(t, "DEL", name)
	s.do(t, "RPUSH", name, elem)
	if ttl > 0 {
		s.do(t, "PEXPIRE", name, ttl)
	}
}

func (s *server) del(t *testing.T, name string) { s.do(t, "DEL", name) }

func (s *server) flush(t *testing.T) {
	s.do(t, "FLUSHALL")
	s.do(t, "EVAL", shiftArgs(s.now, s.now)...)
}

// demote names a master that is not there: the server keeps its keys.
func (s *server) demote(t *testing.T) { s.do(t, "REPLICAOF", "127.0.0.1", "1") }
func (s *server) restart(t *testing.T) {
	s.do(t, "REPLICAOF", "NO", "ONE")
	s.do(t, "DEBUG", "CHANGE-REPL-ID")
}

func (s *server) inc(t *testing.T) string {
	t.Helper()
	info := string(s.do(t, "INFO", "replication").([]byte))
	_, rest, _ := strings.Cut(info, "master_replid:")
	id, _, _ := strings.Cut(rest, "\r")
	if len(id) != 40 {
		t.Fatalf("no master_replid in %q", info)
	}
	return id
}

func (s *server) dump(t *testing.T) []Entry {
	t.Helper()
	return parseDump(t, s.do(t, "EVAL", dumpLua, 0, timeKey))
}

func parseDump(t *testing.T, raw any) []Entry {
	t.Helper()
	var out []Entry
	for _, row := range raw.([]any) {
		fields := row.([]any)
		e := Entry{Key: string(fields[0].([]byte)), Type: string(fields[1].([]byte)), PTTL: fields[2].(int64)}
		for _, f := range fields[3:] {
			e.Value = append(e.Value, string(f.([]byte)))
		}
		out = append(out, e)
	}
	return out
}

// diff describes the first difference between what two nodes hold, or is empty.
func diff(want, got []Entry) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			return fmt.Sprintf("only the server has %+v", got[i])
		case i >= len(got):
			return fmt.Sprintf("only the memory has %+v", want[i])
		}
		w, g := want[i], got[i]
		if w.Key != g.Key || w.Type != g.Type || fmt.Sprintf("%q", w.Value) != fmt.Sprintf("%q", g.Value) || !near(w.PTTL, g.PTTL) {
			return fmt.Sprintf("memory %+v, server %+v", w, g)
		}
	}
	return ""
}

// near compares remaining ttls in ms; negative ones are marks of their own.
func near(a, b int64) bool {
	if a < 0 || b < 0 {
		return a == b
	}
	return a-b <= slack && b-a <= slack
}

// start is the node time at which tests begin, Unix µs.
const start = int64(1_750_000_000_000_000)

func newMemory() *memory { return &memory{state: NewState(newIncarnation()), now: start} }

// newServer starts a redis-server that listens on a socket in a folder of its
// own, and kills it at the end of the test.
func newServer(t *testing.T) *server {
	t.Helper()
	bin := testenv.Require(t)
	dir, err := os.MkdirTemp("", "redlocktest") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(dir, "s")
	args := []string{"--port", "0", "--unixsocket", sock, "--dir", dir, "--save", "", "--appendonly", "no", "--daemonize", "no"}
	if major(t, bin) >= 7 {
		args = append(args, "--enable-debug-command", "yes")
	}
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // dumpLua sorts by the locale
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("kill %d: %v", cmd.Process.Pid, err)
		}
		_ = cmd.Wait() // it says that the process was killed
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := &server{conn: redis.NewConn(dialWhenUp(t, sock), 0, 0), sock: sock, now: start}
	t.Cleanup(func() { s.conn.Close() })
	s.flush(t)
	return s
}

func dialWhenUp(t *testing.T, sock string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "unix", sock)
		if err == nil {
			return c
		}
		select {
		case <-ctx.Done():
			t.Fatalf("redis-server does not listen on %s: %v", sock, err)
		case <-retry.C:
		}
	}
}

// major is the server's major version; Valkey began at 7.
func major(t *testing.T, bin string) int {
	t.Helper()
	out, err := exec.Command(bin, "--version").Output()
	if err != nil {
		t.Fatalf("%s --version: %v", bin, err)
	}
	_, rest, _ := strings.Cut(string(out), "v=")
	number, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("no version in %q", out)
	}
	return n
}
