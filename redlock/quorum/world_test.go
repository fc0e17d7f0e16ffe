package quorum_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// world is a cluster in memory and the clients that work on it: nodes with a
// clock each, machines with a clock each, and every call that is in the air.
// Nothing happens by itself; a story or a random schedule decides every step.
// After each of them check judges the invariants of the protocol.
type world struct {
	p       quorum.Params
	names   []string
	at      time.Duration // real time since the world began
	servers []*server
	behind  []*server // behind each name, for everybody without a route
	actors  []*actor
	routes  map[string]map[int]*server // client → name → server
	cfg     map[string]string          // client → what it knows
	boot    string                     // what a client knows that knows nothing better
	log     func(format string, args ...any)
	between func() // is called after each tick of advance
	wins    []win
	serial  int
	faults  []error // what was violated
	safe    bool    // C1 holds: exclusion is judged
	quiet   bool    // nothing is logged
	dirty   bool    // something happened that can break I3
	turns   int     // waiters that were told of their turn
	kept    int     // attempts that were refused because it was another's
}

// clock runs ppm faster than real time and began at base.
type clock struct {
	base time.Duration
	ppm  int64
}

func (c clock) at(real time.Duration) time.Duration {
	return c.base + real + time.Duration(int64(real)/1000*c.ppm/1000)
}

// server is one Redis server.
type server struct {
	label    string
	state    redlocktest.State
	clock    clock
	assigned []assignment      // in this life
	counters map[string]uint64 // the counter of each lock when last seen, in this life
}

type assignment struct {
	id, lock string
	token    uint64
}

// win is a hold that was told as won.
type win struct {
	actor *actor
	token uint64
}

// actor is one machine of a client.
type actor struct {
	name, client, lock string
	machine            quorum.Machine
	hold               *quorum.Hold // machine, where it is one
	untimed            uint16       // bit i: the client does not know the clock of node i
	clock              clock
	frozen             bool
	air                []*flight
	earlier            []uint64                  // tokens of this lock that were told before this attempt began
	votes              map[uint64]map[int]bool   // token → names that assigned it to this attempt
	ended              map[quorum.EventKind]bool // events that were told
}

// flight is a call in the air, or its answer.
type flight struct {
	to      *server
	ref     quorum.Ref
	call    script.Call
	applied bool
	deaf    bool // its sender was told that no answer will come
	reply   script.Reply
}

const prefix = "" // the nodes' keys have none here

// newWorld returns a world of n empty nodes n1, n2 …, whose clocks show 1000 s.
func newWorld(n int, maxTTL time.Duration) *world {
	w := &world{
		p: quorum.Params{
			N: n, NodeDeadline: 50 * time.Millisecond, MaxTTL: maxTTL, Drift: quorum.PPM(0.16),
		},
		routes:  map[string]map[int]*server{},
		cfg:     map[string]string{},
		log:     func(string, ...any) {},
		between: func() {},
		safe:    true,
	}
	for i := range n {
		w.names = append(w.names, "n"+strconv.Itoa(i+1))
		w.behind = append(w.behind, w.newServer(w.names[i]))
	}
	return w
}

func (w *world) newServer(label string) *server {
	s := &server{label: label, state: redlocktest.NewState(w.incarnation()), clock: clock{base: 1000 * time.Second}}
	s.counters = map[string]uint64{}
	w.servers = append(w.servers, s)
	return s
}

// incarnation draws the next replication id.
func (w *world) incarnation() string {
	w.serial++
	return fmt.Sprintf("%08x", w.serial)
}

func (s *server) now(w *world) int64 { return s.clock.at(w.at).Microseconds() }

// forget loses the server's memory.
func (s *server) forget() {
	s.state.FlushAll()
	s.assigned, s.counters = nil, map[string]uint64{}
}

// route is the server that a client reaches under a name.
func (w *world) route(client string, node int) *server {
	if s := w.routes[client][node]; s != nil {
		return s
	}
	return w.behind[node]
}

// config is what a client knows.
func (w *world) config(client string) string {
	if c, ok := w.cfg[client]; ok {
		return c
	}
	return w.boot
}

func (w *world) actor(name string) *actor {
	for _, a := range w.actors {
		if a.name == name {
			return a
		}
	}
	return nil
}

// add puts a machine to work.
func (w *world) add(name string, m quorum.Machine) *actor {
	a := &actor{
		name: name, client: strings.TrimRight(name, "0123456789"), machine: m,
		clock: clock{base: time.Second}, votes: map[uint64]map[int]bool{}, ended: map[quorum.EventKind]bool{},
	}
	a.hold, _ = m.(*quorum.Hold)
	w.actors = append(w.actors, a)
	return a
}

// lock starts an attempt. The actor's name is its id.
func (w *world) lock(name, lock string, r quorum.Request) *actor {
	r.ID = name
	if r.Cfg == "" {
		r.Cfg = w.config(strings.TrimRight(name, "0123456789"))
	}
	h := quorum.NewHold(w.p, r)
	a := w.add(name, &h)
	a.lock, a.untimed = lock, r.Untimed
	for _, v := range w.wins {
		if v.actor.lock == lock {
			a.earlier = append(a.earlier, v.token)
		}
	}
	return a
}

// now is the time on the actor's clock.
func (w *world) now(a *actor) quorum.Time { return quorum.Time(a.clock.at(w.at)) }

// step lets a machine take one step, sends its calls and takes its events.
func (w *world) step(a *actor, f func(now quorum.Time, out *quorum.Effects)) {
	var out quorum.Effects
	f(w.now(a), &out)
	for _, c := range out.Calls {
		to := w.route(a.client, c.Node)
		a.air = append(a.air, &flight{to: to, ref: c.Ref, call: w.scriptCall(a, to, c)})
	}
	for _, e := range out.Events {
		w.event(a, e)
	}
	w.logCalls(a, out.Calls)
}

// scriptCall is the call as it goes to the node. The not-after is exact.
func (w *world) scriptCall(a *actor, to *server, c quorum.Call) script.Call {
	s := script.Call{
		Op: script.Op(c.Op), Prefix: prefix, ID: c.ID, Cfg: c.Cfg, Self: c.Node + 1, TTL: c.TTL, Hint: c.Hint,
		Token: c.Token, Inc: c.Inc, Nonce: c.Nonce, Renew: c.Renew, Mark: c.Mark, Floor: c.Floor,
		MaxTTL: w.p.MaxTTL, Keep: 24 * time.Hour, Static: c.Static, Index: c.Index, K: c.K, Entry: c.Entry,
		Place: script.Place(c.Place), Pass: script.Pass(c.Pass),
	}
	if a.lock != "" {
		s.Names = []string{a.lock}
	}
	if c.NotAfter != 0 && a.untimed>>c.Node&1 == 0 {
		s.NotAfter = to.now(w) + c.NotAfter.Sub(w.now(a)).Microseconds()
	}
	return s
}

// apply lets the node execute a call.
func (w *world) apply(a *actor, f *flight) script.Reply {
	s, now := f.to, f.to.now(w)
	r := s.state.Apply(&f.call, now)
	if p, ok := s.state.Woken(); ok {
		w.turns++
		if !w.quiet {
			w.log("%s tells %s that it is its turn", s.label, p.Client)
		}
	}
	if r.Code == script.Reserved {
		w.kept++
	}
	if f.call.Op <= script.Extend && (r.Code == script.OK || r.Code == script.Already) {
		w.assign(a, f, r)
	}
	w.dirty = w.dirty || f.call.Op >= script.Seal
	if a.lock != "" {
		w.watch(s, a.lock)
	}
	return r
}

// assign notes that a node assigned a token to an attempt, and judges I1's
// second half: it lies above every earlier assignment to another attempt. Only
// an EXTEND may find its token assigned here to an attempt that came to nothing.
func (w *world) assign(a *actor, f *flight, r script.Reply) {
	if f.call.Op != script.Acquire || r.Code != script.Already {
		for _, o := range f.to.assigned {
			above := o.token >= r.Token
			if f.call.Op == script.Extend {
				above = o.token > r.Token
			}
			if above && o.lock == a.lock && o.id != a.name {
				w.fault("I1: %s assigned %d to %s after %d to %s", f.to.label, r.Token, a.name, o.token, o.id)
			}
		}
		f.to.assigned = append(f.to.assigned, assignment{a.name, a.lock, r.Token})
	}
	if f.call.Op == script.Extend {
		return
	}
	if a.votes[r.Token] == nil {
		a.votes[r.Token] = map[int]bool{}
	}
	a.votes[r.Token][f.ref.Node] = true
}

// watch judges I1's first half: a node's effective counter never falls while
// it has its memory.
func (w *world) watch(s *server, lock string) {
	now := s.counter(lock)
	if before := s.counters[lock]; now < before {
		w.fault("I1: the counter of %s on %s fell from %d to %d", lock, s.label, before, now)
	}
	s.counters[lock] = now
}

func (s *server) record() redlocktest.Record { return s.state.Record(prefix) }

func (s *server) counter(lock string) uint64 { return s.state.Counter(prefix, lock) }

// answer hands an answer to its machine, unless that has given up on it.
func (w *world) answer(a *actor, f *flight, r script.Reply) {
	w.drop(a, f)
	if f.deaf {
		return
	}
	w.step(a, func(now quorum.Time, out *quorum.Effects) { a.machine.Reply(now, f.ref, quorum.Reply(r), out) })
}

// fail tells a machine that no answer will come.
func (w *world) fail(a *actor, f *flight, notSent bool) {
	w.step(a, func(now quorum.Time, out *quorum.Effects) { a.machine.Fail(now, f.ref, notSent, out) })
}

func (w *world) drop(a *actor, f *flight) {
	a.air = slices.DeleteFunc(a.air, func(o *flight) bool { return o == f })
}

// advance lets real time pass to at, and each machine tick when it wants to.
func (w *world) advance(to time.Duration) {
	for range 100_000 {
		var first *actor
		at := to
		for _, a := range w.actors {
			if a.frozen || a.machine.Next() == quorum.Never {
				continue
			}
			if due := max(w.at, w.real(a, a.machine.Next())); due < at || due == at && first == nil {
				first, at = a, due
			}
		}
		w.at = at
		if first == nil {
			return
		}
		w.step(first, first.machine.Tick)
		w.between()
	}
	w.fault("a machine wants ticks for ever at %v", w.at)
}

// real is the first real moment at which an actor's clock shows t.
func (w *world) real(a *actor, t quorum.Time) time.Duration {
	d := time.Duration(t) - a.clock.base
	real := time.Duration(float64(d) / (1 + float64(a.clock.ppm)/1e6))
	for a.clock.at(real) < time.Duration(t) {
		real += time.Microsecond
	}
	return real
}

// event takes what a machine tells and judges what it claims.
func (w *world) event(a *actor, e quorum.Event) {
	w.logEvent(a, e)
	a.ended[e.Kind] = true
	switch e.Kind {
	case quorum.Won:
		w.judgeWin(a, e)
	case quorum.Extended:
		if now := w.now(a); now >= e.Deadline {
			w.fault("%s was told of an extension at %v, after its deadline %v", a.name, now, e.Deadline)
		}
	case quorum.NewView, quorum.Readmitted, quorum.AlreadyAdmitted:
		if e.Cfg != "" {
			w.cfg[a.client] = quorum.JoinConfig(w.config(a.client), e.Cfg)
		}
	case quorum.Known, quorum.Bootstrapped:
		w.cfg[a.client] = e.Cfg
	}
}

// judgeWin judges I2 and the order of tokens.
func (w *world) judgeWin(a *actor, e quorum.Event) {
	if now := w.now(a); now >= e.Deadline {
		w.fault("%s won at %v, after its deadline %v", a.name, now, e.Deadline)
	}
	if c := len(a.votes[e.Token]); c < w.p.Quorum() {
		w.fault("I2: %s won with token %d, which %d nodes assigned to it", a.name, e.Token, c)
	}
	for _, t := range a.earlier {
		if e.Token <= t {
			w.fault("%s got token %d, and %d was handed out before it asked", a.name, e.Token, t)
		}
	}
	for _, v := range w.wins {
		if v.actor.lock == a.lock && v.token == e.Token {
			w.fault("%s and %s both got token %d", v.actor.name, a.name, e.Token)
		}
	}
	w.dirty = true
	w.wins = append(w.wins, win{a, e.Token})
}

func (w *world) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Errorf(format, args...))
}

// check judges what must hold at every moment: exclusion, and I3. It returns
// everything that was violated so far.
func (w *world) check() error {
	for i, v := range w.wins {
		for _, u := range w.wins[:i] {
			if w.safe && u.actor.lock == v.actor.lock && w.valid(u.actor) && w.valid(v.actor) {
				w.fault("%s and %s hold %s at once", u.actor.name, v.actor.name, u.actor.lock)
			}
		}
	}
	if w.dirty {
		w.dirty = false
		w.judgeI3()
	}
	return errors.Join(w.faults...)
}

func (w *world) valid(a *actor) bool {
	return a.hold.Phase() == quorum.Holding && w.now(a) < a.hold.Deadline()
}

// judgeI3 judges that no majority of admitted nodes of one configuration
// stands below a token that was completed.
func (w *world) judgeI3() {
	tops := map[string]uint64{}
	for _, v := range w.wins {
		tops[v.actor.lock] = max(tops[v.actor.lock], v.token)
	}
	for lock, top := range tops {
		low := map[string]map[int]bool{}
		for _, s := range w.servers {
			r := s.record()
			if !r.Admitted || s.counter(lock) >= top {
				continue
			}
			if low[r.Cfg] == nil {
				low[r.Cfg] = map[int]bool{}
			}
			low[r.Cfg][r.Self] = true
		}
		for cfg, nodes := range low {
			if len(nodes) >= w.p.Quorum() {
				w.fault("I3: %d admitted nodes of %s stand below token %d of %s", len(nodes), cfg, top, lock)
			}
		}
	}
}
