package quorum_test

import (
	"flag"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
	"pgregory.net/rapid"
)

// check plays a property runs times, unless -rapid.checks says otherwise, and a
// tenth of that with -short; fewer under the race detector. A failure prints the seed that repeats it.
func check(t *testing.T, runs int, property func(*rapid.T)) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	if f.Value.String() != f.DefValue {
		rapid.Check(t, property)
		return
	}
	if runs /= slowdown; testing.Short() {
		runs /= 10
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(runs)); err != nil {
		t.Fatal(err)
	}
	defer flag.Set("rapid.checks", f.DefValue)
	rapid.Check(t, property)
}

// manyRuns reports whether the random runs were as many as check was told, and
// all passed, so that what never happened in them is a fault of the test.
func manyRuns(t *testing.T) bool {
	f := flag.Lookup("rapid.checks")
	return f.Value.String() == f.DefValue && !testing.Short() && !t.Failed()
}

// uniform draws numbers below 2^bits, each as likely as any other: rapid's own
// integers are mostly small ones, which would do the same few things for ever.
func uniform(bits int) *rapid.Generator[int] {
	return rapid.Custom(func(t *rapid.T) int {
		n := 0
		for range bits {
			n <<= 1
			if rapid.Bool().Draw(t, "") {
				n++
			}
		}
		return n
	})
}

var (
	percent = uniform(10)
	index   = uniform(5)
)

// among draws one of the values.
func among[T any](t *rapid.T, label string, values ...T) T {
	return values[index.Draw(t, label)%len(values)]
}

// TestRandomSystem lets clients and nodes do anything that the protocol must
// stand, in random order: calls lost, late, doubled and overtaking each other,
// frozen clients, clocks as far apart as ρ allows, nodes that lose their memory
// or are replaced while the old ones live on, and rejoins by several clients at
// once. After every step the invariants must hold; in the end every hold must
// be over without a key of it anywhere, and a new client must get the lock.
func TestRandomSystem(t *testing.T) {
	told := map[quorum.EventKind]int{}
	runs, healed, turns, kept := 0, 0, 0, 0
	check(t, 3000, func(rt *rapid.T) {
		r := newRun(rt)
		r.quiet = true
		for range 40 + 4*index.Draw(rt, "steps") {
			r.step1()
			if err := r.check(); err != nil {
				rt.Fatalf("at %v: %v", r.at, err)
			}
		}
		r.settle()
		if runs++; r.heal() {
			healed++
		}
		for _, a := range r.actors {
			for k := range a.ended {
				told[k]++
			}
		}
		turns, kept = turns+r.turns, kept+r.kept
	})
	t.Logf("told: %v; healed: %d; turns: %d, attempts out of turn: %d", told, healed, turns, kept)
	if !manyRuns(t) || runs < 3000 {
		return // too few to be sure of the rare ones
	}
	assertTold(t, told,
		quorum.Won, quorum.Failed, quorum.Extended, quorum.ExtendFailed, quorum.Lost, quorum.Unlocked, quorum.UnlockFailed,
		quorum.Over, quorum.NewView, quorum.OldView, quorum.Unadmitted, quorum.TookRaise, quorum.TookRepair,
		quorum.TookLateGrant, quorum.TookRetry, quorum.TookSuperseded, quorum.TookTooLate, quorum.PassedOver, quorum.Sealed,
		quorum.Readmitted, quorum.AlreadyAdmitted, quorum.RejoinFailed, quorum.CaughtUp)
	if turns < runs || kept < runs/20 {
		t.Errorf("in %d runs %d waiters got their turn, and %d attempts were out of turn", runs, turns, kept)
	}
	if healed < runs*9/10 {
		t.Errorf("only %d of %d runs ended with a cluster that could be healed", healed, runs)
	}
}

// run is a world that random steps drive.
type run struct {
	*world
	t     *rapid.T
	ids   int
	whole bool                      // no node was broken
	older map[string]map[int]string // client → node → the older configuration it showed
}

var runClients = []string{"A", "B", "C"}

func newRun(t *rapid.T) *run {
	r := &run{world: newWorld(among(t, "n", 3, 3, 5), time.Second), t: t}
	r.quiet = true
	// Two clocks at these rates are 15 % apart: what ρ = 16 % must cover.
	for _, s := range r.servers {
		s.clock.ppm = among[int64](t, "node rate", 0, -70_000, 70_000)
		s.clock.base += time.Duration(index.Draw(t, "node clock")) * time.Second
	}
	r.whole = true
	r.older = map[string]map[int]string{}
	m := quorum.NewBootstrap(r.p, quorum.NewCluster, r.names, "boot")
	a := r.add("O", &m)
	r.step(a, m.Start)
	r.deliver(a, 1000)
	r.boot = r.cfg["O"]
	if r.boot == "" {
		t.Fatal("the cluster could not be bootstrapped")
	}
	return r
}

// name draws an unused name for a machine of a client.
func (r *run) name(client string) string {
	r.ids++
	return client + strconv.Itoa(r.ids)
}

func (r *run) clockOf(a *actor) {
	a.clock.ppm = map[string]int64{"A": 0, "B": 70_000, "C": -70_000}[a.client]
}

// pick draws one of the actors of which ok holds, or nil.
func (r *run) pick(ok func(*actor) bool) *actor {
	var some []*actor
	for _, a := range r.actors {
		if ok(a) {
			some = append(some, a)
		}
	}
	if some == nil {
		return nil
	}
	return among(r.t, "actor", some...)
}

// step1 does one random thing.
func (r *run) step1() {
	switch k := percent.Draw(r.t, "step") * 100 / 1024; {
	case k < 45:
		r.call("deliver")
	case k < 55:
		if a := r.pick(func(a *actor) bool { return len(a.air) > 0 && !a.frozen }); a != nil {
			r.deliver(a, len(a.air))
		}
	case k < 67:
		r.call(among(r.t, "call", "apply", "apply", "answer", "answer", "retry", "lose-reply", "stall", "lose", "unsent"))
	case k < 75:
		most := among(r.t, "most", 10, 10, 60, 60, 400, 400, 1300)
		r.advance(r.at + time.Duration(1+percent.Draw(r.t, "ms")*most/1024)*time.Millisecond)
	case k < 83:
		r.startLock()
	case k < 91:
		r.useHold()
	case k < 95:
		r.startAdmission()
	case k < 97:
		r.breakNode()
	default:
		if a := r.pick(func(a *actor) bool { return a.hold != nil && a.machine.Next() != quorum.Never }); a != nil {
			a.frozen = !a.frozen
			if !a.frozen {
				r.step(a, a.machine.Tick)
			}
		}
	}
}

func (r *run) startLock() {
	client := among(r.t, "client", runClients...)
	req := quorum.Request{
		TTL:  among(r.t, "ttl", 500*time.Millisecond, 700*time.Millisecond, time.Second),
		Hint: among[uint64](r.t, "hint", 0, 0, 5, 40),
		Auto: rapid.Bool().Draw(r.t, "auto"),

		Untimed: among[uint16](r.t, "untimed", 0, 0, 0, 1, 31),
	}
	if keeper := index.Draw(r.t, "keeper") % 6; keeper < 4 { // mostly the same one
		req.Keeper = 1 + max(0, keeper-1)%r.p.N
		req.First = rapid.Bool().Draw(r.t, "first")
		req.Place = quorum.Place{Client: client, Number: uint64(1 + index.Draw(r.t, "place")%3), Turn: time.Duration(1+index.Draw(r.t, "turn")*4) * time.Millisecond}
	}
	a := r.lock(r.name(client), among(r.t, "lock", "x", "x", "x", "y"), req)
	r.clockOf(a)
	r.step(a, a.hold.Start)
}

// call moves one random call that is in the air.
func (r *run) call(verb string) {
	fits := func(f *flight) bool { return f.applied == (verb == "answer") && (!f.deaf || verb == "deliver") }
	a := r.pick(func(a *actor) bool {
		for _, f := range a.air {
			if fits(f) {
				return true
			}
		}
		return false
	})
	if a == nil {
		return
	}
	var some []*flight
	for _, f := range a.air {
		if fits(f) {
			some = append(some, f)
		}
	}
	r.move(a, among(r.t, "call", some...), verb)
}

func (r *run) move(a *actor, f *flight, verb string) {
	switch verb {
	case "deliver":
		r.applied(a, f)
		r.answer(a, f, f.reply)
	case "retry":
		r.applied(a, f)
		r.applied(a, f)
		r.answer(a, f, f.reply)
	case "apply":
		r.applied(a, f)
	case "answer":
		r.answer(a, f, f.reply)
	case "lose", "unsent":
		r.drop(a, f)
		r.fail(a, f, verb == "unsent")
	case "lose-reply":
		r.applied(a, f)
		r.drop(a, f)
		r.fail(a, f, false)
	case "stall":
		f.deaf = true
		r.fail(a, f, false)
	}
}

func (r *run) applied(a *actor, f *flight) {
	f.reply, f.applied = r.apply(a, f), true
	if f.reply.Code == script.OtherConfig {
		if r.older[a.client] == nil {
			r.older[a.client] = map[int]string{}
		}
		r.older[a.client][f.ref.Node] = f.reply.Cfg
	}
}

// deliver delivers up to n of an actor's calls in order.
func (r *run) deliver(a *actor, n int) {
	for ; n > 0 && len(a.air) > 0; n-- {
		f := a.air[0]
		if !f.applied {
			r.applied(a, f)
		}
		r.answer(a, f, f.reply)
	}
}

func (r *run) useHold() {
	a := r.pick(func(a *actor) bool { return a.hold != nil && a.hold.Phase() <= quorum.Holding && !a.frozen })
	if a == nil {
		return
	}
	ttl := among(r.t, "ttl", 500*time.Millisecond, 700*time.Millisecond, time.Second)
	r.step(a, func(now quorum.Time, out *quorum.Effects) {
		switch among(r.t, "use", 0, 1, 2, 3, 4, 5) {
		case 5:
			a.hold.Leave(now, out)
			a.hold.Cancel(now, out)
		case 0:
			a.hold.Cancel(now, out)
		case 1:
			a.hold.Unlock(now, out)
		default:
			a.hold.Extend(now, ttl, out)
		}
	})
}

// out counts the names behind which no admitted server is.
func (r *run) out() int {
	c := 0
	for _, s := range r.behind {
		if !s.record().Admitted {
			c++
		}
	}
	return c
}

// breakNode takes a node's memory, or puts another server in its place, as long
// as a majority may vote afterwards.
func (r *run) breakNode() {
	i := index.Draw(r.t, "node") % r.p.N
	s := r.behind[i]
	if s.record().Admitted && r.out() >= r.p.N-r.p.Quorum() {
		return
	}
	switch index.Draw(r.t, "break") % 4 {
	case 0:
		s.forget()
	case 1:
		s.forget()
		s.state.Restart(r.incarnation())
	case 2:
		s.state.Restart(r.incarnation())
	case 3:
		v := r.newServer(s.label + "'")
		v.clock = s.clock
		r.behind[i] = v
		client := among(r.t, "who still reaches the old one", runClients...)
		if r.routes[client] == nil {
			r.routes[client] = map[int]*server{}
		}
		r.routes[client][i] = s
	}
	r.dirty, r.whole = true, false
}

// startAdmission begins what a client does about a node that may not vote or
// has an older view.
func (r *run) startAdmission() {
	client := among(r.t, "client", runClients...)
	cfg, err := quorum.ParseConfig(r.config(client))
	if err != nil {
		r.t.Fatal(err)
	}
	first := index.Draw(r.t, "node")
	for k := range r.p.N {
		i := (first + k) % r.p.N
		if theirs, err := quorum.ParseConfig(r.older[client][i]); err == nil && theirs != cfg {
			delete(r.older[client], i)
			m := quorum.NewCatchUp(r.p, i, cfg, theirs)
			a := r.add(r.name(client), &m)
			r.clockOf(a)
			r.step(a, m.Start)
			return
		}
		if !r.route(client, i).record().Admitted {
			r.rejoin(client, i)
			return
		}
	}
}

func (r *run) rejoin(client string, node int) *actor {
	cfg, err := quorum.ParseConfig(r.config(client))
	if err != nil {
		r.t.Fatal(err)
	}
	name := r.name(client)
	m := quorum.NewRejoin(r.p, node, cfg, name)
	a := r.add(name, &m)
	r.clockOf(a)
	r.step(a, m.Start)
	return a
}

// settle delivers all that is in the air, in time and late, until every hold is
// over and the last key has expired.
func (r *run) settle() {
	for _, a := range r.actors {
		a.frozen = false
	}
	all := func() {
		for range 50 {
			quiet := true
			for _, a := range r.actors {
				quiet = quiet && len(a.air) == 0
				r.deliver(a, len(a.air))
			}
			if quiet {
				return
			}
		}
		r.t.Fatal("calls are sent for ever")
	}
	all()
	for _, a := range r.actors {
		if a.hold != nil {
			r.step(a, func(now quorum.Time, out *quorum.Effects) {
				a.hold.Cancel(now, out)
				a.hold.Unlock(now, out)
			})
		}
	}
	r.between = all
	all()
	r.advance(r.at + 200*time.Millisecond)
	if err := r.check(); err != nil {
		r.t.Fatal(err)
	}
	r.assertOver(func(a *actor) bool { return a.untimed == 0 }, r.whole)
	// Where a node's clock is not known, or a node lost its memory, a call that
	// was held up may have left a key; none outlives the longest ttl.
	r.advance(r.at + 1500*time.Millisecond)
	r.assertOver(func(*actor) bool { return true }, true)
}

// assertOver asserts that the holds of which it is expected are over, and, if
// clean says so, that none of their keys is left.
func (r *run) assertOver(expected func(*actor) bool, clean bool) {
	for _, a := range r.actors {
		if a.hold == nil || !expected(a) {
			continue
		}
		if a.hold.Phase() != quorum.Done {
			r.t.Fatalf("%s is in phase %d long after its release", a.name, a.hold.Phase())
		}
		for _, s := range r.servers {
			if id, ok := s.state.Get(prefix+a.lock, s.now(r.world)); clean && ok && id == a.name {
				r.t.Fatalf("%s still has %s for %s, which is over", s.label, a.lock, id)
			}
		}
	}
}

// heal admits every node again and has a new client take the lock. It reports
// whether enough nodes were left for that.
func (r *run) heal() bool {
	if r.out() > r.p.N-r.p.Quorum() {
		return false
	}
	r.routes = map[string]map[int]*server{}
	m := quorum.NewLearn(r.p, r.names, "H")
	a := r.add("H", &m)
	r.step(a, m.Start)
	r.between()
	if !a.ended[quorum.Known] {
		return false
	}
	for range 3 {
		for i := range r.p.N {
			if !r.behind[i].record().Admitted {
				r.rejoin("H", i)
				r.between()
				r.advance(r.at + 1200*time.Millisecond)
			}
		}
		h := r.lock(r.name("H"), "x", quorum.Request{TTL: time.Second})
		r.step(h, h.hold.Start)
		r.between()
		if err := r.check(); err != nil {
			r.t.Fatal(err)
		}
		if h.ended[quorum.Won] {
			return true
		}
		r.catchUp()
		if r.out() > r.p.N-r.p.Quorum() {
			return false // two servers took one name from each other, and neither may vote now
		}
	}
	r.t.Fatalf("the cluster cannot be healed:\n%s", r.describe())
	return false
}

// catchUp brings all nodes up to date with what H knows.
func (r *run) catchUp() {
	cfg, err := quorum.ParseConfig(r.config("H"))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range r.p.N {
		v := r.behind[i].record()
		theirs, err := quorum.ParseConfig(v.Cfg)
		if err != nil || !v.Admitted {
			continue
		}
		m := quorum.NewCatchUp(r.p, i, cfg, theirs)
		a := r.add(r.name("H"), &m)
		r.step(a, m.Start)
		r.between()
	}
}

func (r *run) describe() string {
	text := ""
	for i, s := range r.behind {
		v, c := s.record(), s.counter("x")
		text += fmt.Sprintf("%s: %s admitted %v as %d under %s, counter %d\n", r.names[i], s.label, v.Admitted, v.Self, r.viewWords(v.Cfg), c)
	}
	return text
}
