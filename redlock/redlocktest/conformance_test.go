package redlocktest

import (
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

var (
	seedFlag  = flag.Uint64("conformance.seed", 1, "seed of TestConformance; 0 takes one from the clock")
	callsFlag = flag.Int("conformance.calls", 24_000, "number of random steps of TestConformance")
)

// TestConformance plays random calls and accidents to a State and to a real
// redis-server, and compares every reply and, after every step, all keys.
//
// The steps are drawn from what the State holds, so a whole batch can be sent
// before the first answer of the server is looked at.
func TestConformance(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	srv := newServer(t)
	srv.loadAll(t)
	srv.listen(t)
	p := newPlayer(seed)
	p.restart(t, srv)
	tally := make(map[answer]int)
	var batch []played
	for n := range *callsFlag {
		s := p.next()
		if s.sync != nil {
			compare(t, seed, srv, batch, tally)
			batch = batch[:0]
			s.sync(t, srv)
			continue
		}
		s.n, s.want, s.keys = n, p.play(&s), p.mem.Dump(p.now)
		batch = append(batch, s)
		if len(batch) == 100 {
			compare(t, seed, srv, batch, tally)
			batch = batch[:0]
		}
	}
	compare(t, seed, srv, batch, tally)
	for _, a := range answers {
		if tally[a] == 0 && *callsFlag >= 24_000 {
			t.Errorf("seed %d: no %v answered %d: the run shows too little", seed, a.op, a.code)
		}
	}
	if p.turns == 0 || p.backwards == 0 {
		t.Errorf("seed %d: %d fence turns, clock set back %d times: the run shows too little", seed, p.turns, p.backwards)
	}
	t.Logf("seed %d: %d steps, %d fence turns, answers %v", seed, *callsFlag, p.turns, tally)
}

// answer is one kind of reply.
type answer struct {
	op   script.Op
	code int
}

func (a answer) String() string { return fmt.Sprintf("%v%+d", a.op, a.code) }

// answers are all that the scripts document; a run must have seen each.
var answers = []answer{
	{script.Acquire, 1}, {script.Acquire, 2}, {script.Acquire, 0}, {script.Acquire, -1}, {script.Acquire, -2},
	{script.Acquire, -3}, {script.Acquire, -5}, {script.Acquire, -6}, {script.Acquire, -7}, {script.Acquire, -8},
	{script.Raise, 1}, {script.Raise, 0}, {script.Raise, -1}, {script.Raise, -3}, {script.Raise, -5}, {script.Raise, -7},
	{script.Extend, 1}, {script.Extend, 2}, {script.Extend, 0}, {script.Extend, -1}, {script.Extend, -2},
	{script.Extend, -3}, {script.Extend, -4}, {script.Extend, -5}, {script.Extend, -7},
	{script.Release, 1}, {script.Release, -1}, {script.Release, wokeUp},
	{script.Probe, 1}, {script.Probe, -1},
	{script.Seal, 1}, {script.Seal, 0}, {script.Seal, -1}, {script.Seal, -3}, {script.Seal, -7},
	{script.Prepare, 1}, {script.Prepare, 0}, {script.Prepare, -1}, {script.Prepare, -7},
	{script.Admit, 1}, {script.Admit, 2}, {script.Admit, 0}, {script.Admit, -1}, {script.Admit, -7},
	{script.Retire, 1}, {script.Retire, 0}, {script.Retire, -1},
}

// played is one step: a call, a plain Redis command, or a change of time; with
// what the State made of it.
type played struct {
	n     int
	call  *script.Call
	cmd   string // or this, with args
	args  []any
	what  string // how to say it
	sync  func(*testing.T, *server)
	do    func() // takes the step on the State
	want  script.Reply
	keys  []Entry
	woken script.Place
}

func (s *played) String() string {
	if s.call != nil {
		return fmt.Sprintf("%d: %+v", s.n, *s.call)
	}
	return fmt.Sprintf("%d: %s", s.n, s.what)
}

// compare sends a batch and compares answers and keys.
func compare(t *testing.T, seed uint64, srv *server, batch []played, tally map[answer]int) {
	t.Helper()
	for i := range batch {
		s := &batch[i]
		cmd, args := s.cmd, s.args
		if s.call != nil {
			cmd, args = "EVALSHA", evalArgs(s.call)
			args[0] = srv.digests[s.call.Op]
		}
		if err := srv.conn.Send(cmd, args...); err != nil {
			t.Fatal(err)
		}
		if err := srv.conn.Send("EVALSHA", srv.digests[0], 0, timeKey); err != nil {
			t.Fatal(err)
		}
	}
	if err := srv.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range batch {
		s := &batch[i]
		raw, err := srv.conn.Receive()
		if err != nil {
			t.Fatalf("seed %d: step %v: %v", seed, s, err)
		}
		if s.call != nil {
			got, err := script.Decode(s.call.Op, s.call.Hint, raw)
			if err != nil || !alike(s.want, got) {
				t.Fatalf("seed %d: step %v\nmemory answers %+v\nserver answers %+v, %v\nbefore it:\n%s", seed, s, s.want, got, err, tail(batch[:i]))
			}
			tally[answer{s.call.Op, got.Code}]++
		}
		dump, err := srv.conn.Receive()
		if err != nil {
			t.Fatalf("seed %d: step %v: %v", seed, s, err)
		}
		if d := diff(s.keys, parseDump(t, dump)); d != "" {
			t.Fatalf("seed %d: after step %v\n%s\nbefore it:\n%s", seed, s, d, tail(batch[:i]))
		}
	}
	var woken []string
	for i := range batch {
		if w := batch[i].woken; w != (script.Place{}) {
			woken = append(woken, script.Channel(batch[i].call.Prefix, w.Client)+" "+w.String())
			tally[answer{script.Release, wokeUp}]++
		}
	}
	if heard := srv.heard(t); !slices.Equal(heard, woken) {
		t.Fatalf("seed %d: the server told %q, memory %q, in\n%s", seed, heard, woken, tail(batch))
	}
}

// wokeUp counts in the tally, as a code that no script answers, the waiters that
// were told of their turn.
const wokeUp = 99

// alike compares replies, remaining ttls to within slack.
func alike(a, b script.Reply) bool {
	if !near(a.Wait.Milliseconds(), b.Wait.Milliseconds()) {
		return false
	}
	a.Wait, b.Wait = 0, 0
	return reflect.DeepEqual(a, b)
}

func tail(batch []played) string {
	var b strings.Builder
	for i := max(0, len(batch)-20); i < len(batch); i++ {
		fmt.Fprintf(&b, "  %v\n    answered %+v\n", &batch[i], batch[i].want)
	}
	return b.String()
}
