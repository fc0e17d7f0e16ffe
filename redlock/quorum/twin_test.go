package quorum_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"pgregory.net/rapid"
)

// The twins decide again, from the protocol's rules, what the machines decide:
// naively, from a list of all that happened, with maps and without shortcuts.
// Machine and twin see the same random events and must agree after each.

// validity is ttl·(1−ρ) − δ for ρ = 16 %.
func validity(ttl time.Duration) time.Duration { return ttl*84/100 - 2*time.Millisecond }

// attemptTwin decides an attempt.
type attemptTwin struct {
	n       int
	t0      quorum.Time
	ttl     time.Duration
	asked   map[int]bool   // ACQUIRE without an answer
	granted map[int]uint64 // node → the value that it assigned last
	raised  map[int]bool   // RAISE without an answer
	top     uint64         // the only token that may win; 0 before RAISE
	patient quorum.Time    // until when equal values are waited for; 0 without a majority
	until   quorum.Time
	outcome string // "won" or "failed"
	token   uint64
}

func newAttemptTwin(n int, t0 quorum.Time, ttl time.Duration) *attemptTwin {
	a := &attemptTwin{n: n, t0: t0, ttl: ttl, asked: map[int]bool{}, granted: map[int]uint64{}, raised: map[int]bool{}}
	for i := range n {
		a.asked[i] = true
	}
	a.until = t0.Add(50 * time.Millisecond)
	return a
}

func (a *attemptTwin) quorum() int { return a.n/2 + 1 }

// with counts the nodes that assigned exactly this value.
func (a *attemptTwin) with(value uint64) int {
	c := 0
	for _, v := range a.granted {
		if v == value {
			c++
		}
	}
	return c
}

// toRaise are the nodes below the top that have not been asked to rise.
func (a *attemptTwin) toRaise() []int {
	var nodes []int
	for i := range a.n {
		if v, ok := a.granted[i]; ok && v < a.top && !a.raised[i] {
			a.raised[i] = true
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// decide returns the nodes to which RAISE goes.
func (a *attemptTwin) decide(now quorum.Time) []int {
	q := a.quorum()
	if a.top == 0 {
		best := 0
		for _, v := range a.granted {
			best = max(best, a.with(v))
			if a.with(v) >= q {
				a.win(now, v)
				return nil
			}
		}
		if len(a.granted) < q {
			if len(a.granted)+len(a.asked) < q || now >= a.until {
				a.outcome = "failed"
			}
			return nil
		}
		if a.patient == 0 {
			a.patient = min(now.Add(now.Sub(a.t0)), a.until)
		}
		if best+len(a.asked) >= q && now < a.patient {
			return nil
		}
		for _, v := range a.granted {
			a.top = max(a.top, v)
		}
		a.until = now.Add(50 * time.Millisecond)
	}
	raise := a.toRaise()
	waiting := map[int]bool{}
	for i := range a.asked {
		waiting[i] = true
	}
	for i := range a.raised {
		waiting[i] = true
	}
	switch {
	case a.with(a.top) >= q:
		a.win(now, a.top)
	case a.with(a.top)+len(waiting) < q || now >= a.until:
		a.outcome = "failed"
	}
	return raise
}

func (a *attemptTwin) win(now quorum.Time, token uint64) {
	if a.outcome = "won"; now >= a.t0.Add(validity(a.ttl)-10*time.Millisecond) {
		a.outcome = "failed"
	}
	a.token = token
}

// heard takes an answer to a call, or none.
func (a *attemptTwin) heard(c quorum.Call, r *quorum.Reply) {
	if c.Op == quorum.OpAcquire {
		delete(a.asked, c.Node)
		if r != nil && r.Code > 0 {
			a.granted[c.Node] = r.Token
		}
		return
	}
	delete(a.raised, c.Node)
	switch {
	case r == nil:
	case r.Code == quorum.OK:
		a.granted[c.Node] = a.top
	default:
		delete(a.granted, c.Node)
	}
}

// TestAttemptTwin plays random answers and times to an attempt.
func TestAttemptTwin(t *testing.T) {
	outcomes := map[string]int{}
	check(t, 6000, func(rt *rapid.T) {
		d := newDrive(rt, among(rt, "n", 1, 2, 3, 3, 4, 5, 5))
		twin := newAttemptTwin(d.p.N, d.now, time.Second)
		most := among(rt, "most", 1, 5, 30, 900) // milliseconds between events
		for len(d.air) > 0 && twin.outcome == "" {
			d.now = d.now.Add(time.Duration(percent.Draw(rt, "time")*most) * time.Microsecond)
			var out quorum.Effects
			switch c := d.take(); among(rt, "event", 0, 0, 0, 0, 0, 0, 0, 1, 2) {
			case 0:
				r := quorum.Reply{Code: among(rt, "code", 1, 1, 1, 1, 1, 2, 0, -1, -7), Token: uint64(1 + index.Draw(rt, "token")%4)}
				if c.Op == quorum.OpRaise && r.Code == 2 {
					r.Code = 1
				}
				d.hold.Reply(d.now, c.Ref, r, &out)
				twin.heard(c, &r)
			case 1:
				d.hold.Fail(d.now, c.Ref, false, &out)
				if c.Op == quorum.OpRaise { // its value stays unknown: it counts no more, and is not asked again
					delete(twin.granted, c.Node)
				}
				twin.heard(c, nil)
			case 2:
				d.air = append(d.air, c)
				d.hold.Tick(d.now, &out)
			}
			raise := twin.decide(d.now)
			compareAttempt(rt, d, twin, out, raise)
			d.sent(out)
		}
		if twin.top != 0 {
			outcomes["raised"]++
		}
		outcomes[twin.outcome]++
	})
	for _, o := range []string{"won", "failed", "raised"} {
		if outcomes[o] == 0 && manyRuns(t) {
			t.Errorf("no attempt %s", o)
		}
	}
}

func compareAttempt(t *rapid.T, d *drive, twin *attemptTwin, out quorum.Effects, raise []int) {
	told, token := "", uint64(0)
	for _, e := range out.Events {
		switch e.Kind {
		case quorum.Won:
			told, token = "won", e.Token
			if want := twin.t0.Add(validity(twin.ttl)); e.Deadline != want {
				t.Fatalf("the deadline is %v, want %v: counted from before the requests were sent", e.Deadline, want)
			}
		case quorum.Failed:
			if told = "failed"; e.Cfg != d.cfg.String() {
				t.Fatalf("failed under %s, asked under %s", e.Cfg, d.cfg)
			}
		}
	}
	if told != twin.outcome || told == "won" && token != twin.token {
		t.Fatalf("the hold %s with %d, the twin %s with %d; grants %v", told, token, twin.outcome, twin.token, twin.granted)
	}
	if got := d.hold.Token(); twin.outcome != "won" && got != 0 {
		t.Fatalf("an attempt that has not won shows token %d", got)
	}
	var raised, released []int
	for _, c := range out.Calls {
		switch c.Op {
		case quorum.OpRaise:
			raised = append(raised, c.Node)
			if twin.top != 0 && c.Token != twin.top {
				t.Fatalf("RAISE to %d, want %d", c.Token, twin.top)
			}
		case quorum.OpRelease:
			released = append(released, c.Node)
		}
	}
	if twin.outcome == "" && !slices.Equal(raised, raise) {
		t.Fatalf("RAISE to nodes %v, want %v", raised, raise)
	}
	if told == "failed" && len(released) != d.p.N {
		t.Fatalf("a failed attempt was released on nodes %v of %d", released, d.p.N)
	}
}

// batch is one sending of EXTEND to all nodes.
type batch struct {
	sent  quorum.Time
	ttl   time.Duration
	open  bool
	yes   map[int]bool
	heard map[int]bool
}

// TestExtendTwin plays random answers to extensions. An extension succeeds when
// a majority answered one sending of it, under one configuration, in time; its
// deadline counts from that sending.
func TestExtendTwin(t *testing.T) {
	outcomes := map[quorum.EventKind]int{}
	check(t, 4000, func(rt *rapid.T) {
		d := newHeldDrive(rt, among(rt, "n", 3, 4, 5))
		deadline, ttl := d.hold.Deadline(), time.Second
		view := d.cfg.View
		var b *batch
		for range 40 {
			d.now = d.now.Add(time.Duration(percent.Draw(rt, "µs")*30) * time.Microsecond)
			var out quorum.Effects
			lost := d.now >= deadline.Add(-10*time.Millisecond)
			switch k := index.Draw(rt, "step"); {
			case k < 4:
				next := among(rt, "ttl", 500*time.Millisecond, 800*time.Millisecond, time.Second)
				d.hold.Extend(d.now, next, &out)
				if !lost {
					if next < ttl {
						deadline = min(deadline, d.now.Add(validity(next)))
					}
					ttl, b = next, newBatch(d.now, next, true)
				}
			case k < 28 && len(d.air) > 0:
				c := d.take()
				if c.Op != quorum.OpExtend {
					continue
				}
				current := b != nil && c.Cfg == d.last.Cfg && c.Tag > d.last.Tag-uint32(d.p.N) && !b.heard[c.Node]
				r := d.extendReply(view)
				d.hold.Reply(d.now, c.Ref, r, &out)
				if lost || !current {
					break
				}
				b.heard[c.Node] = true
				theirs, _ := quorum.ParseConfig(r.Cfg)
				switch {
				case r.Code > 0:
					b.yes[c.Node] = true
				case r.Code == quorum.OtherConfig && view.Join(theirs.View) != view:
					view = view.Join(theirs.View)
					b = newBatch(d.now, b.ttl, b.open) // what was counted counts no longer
				}
			default:
				d.hold.Tick(d.now, &out)
			}
			want := judgeBatch(b, d, lost, &deadline)
			compareExtend(rt, d, out, want, lost, deadline)
			d.sent(out)
			for _, e := range out.Events {
				outcomes[e.Kind]++
			}
			if lost {
				return
			}
		}
	})
	assertTold(t, outcomes, quorum.Extended, quorum.ExtendFailed, quorum.Lost, quorum.NewView)
}

// assertTold fails a random test that never came to what it is about.
func assertTold(t *testing.T, told map[quorum.EventKind]int, kinds ...quorum.EventKind) {
	t.Helper()
	for _, k := range kinds {
		if told[k] == 0 && manyRuns(t) {
			t.Errorf("no machine ever told: %s", eventWords[k])
		}
	}
}

func newBatch(now quorum.Time, ttl time.Duration, open bool) *batch {
	return &batch{now, ttl, open, map[int]bool{}, map[int]bool{}}
}

// judgeBatch says what must be told of the current extension, and moves the
// deadline.
func judgeBatch(b *batch, d *drive, lost bool, deadline *quorum.Time) quorum.EventKind {
	q := d.p.N/2 + 1
	switch {
	case lost:
		return quorum.Lost
	case b == nil || !b.open:
		return 0
	case len(b.yes) >= q:
		b.open = false
		*deadline = max(*deadline, b.sent.Add(validity(b.ttl)))
		return quorum.Extended
	case len(b.yes)+d.p.N-len(b.heard) < q || d.now >= b.sent.Add(50*time.Millisecond):
		b.open = false
		return quorum.ExtendFailed
	}
	return 0
}

func compareExtend(t *rapid.T, d *drive, out quorum.Effects, want quorum.EventKind, lost bool, deadline quorum.Time) {
	told := quorum.EventKind(0)
	for _, e := range out.Events {
		switch e.Kind {
		case quorum.Extended, quorum.Lost:
			told = e.Kind
		case quorum.ExtendFailed:
			if e.Reason != quorum.Replaced && !lost {
				told = e.Kind
			}
		}
	}
	if told != want {
		t.Fatalf("the hold told %q, the twin %q", eventWords[told], eventWords[want])
	}
	if d.hold.Deadline() != deadline {
		t.Fatalf("the deadline is %v, the twin says %v", d.hold.Deadline(), deadline)
	}
}

// newHeldDrive returns a drive whose hold is held without automatic renewal.
func newHeldDrive(t *rapid.T, n int) *drive {
	d := newDrive(t, n)
	h := quorum.NewHold(d.p, quorum.Request{ID: "A", Cfg: d.cfg.String(), TTL: time.Second})
	var out quorum.Effects
	h.Start(d.now, &out)
	for _, c := range out.Calls {
		h.Reply(d.now, c.Ref, quorum.Reply{Code: quorum.OK, Token: 7}, &quorum.Effects{})
	}
	if h.Phase() != quorum.Holding {
		t.Fatal("a lock that all nodes granted is not held")
	}
	d.hold, d.air = &h, nil
	return d
}

// extendReply draws an answer to EXTEND; a view may be older than ours, newer,
// or both.
func (d *drive) extendReply(view quorum.View) quorum.Reply {
	cfg := d.cfg
	cfg.View = view
	e := &cfg.View.Entries[index.Draw(d.t, "entry")%d.p.N]
	e.K = max(0, e.K+among(d.t, "change", 1, 1, 0, -1))
	return quorum.Reply{Code: among(d.t, "code", 1, 1, 1, 1, 2, 0, -1, -3, -3, -4, -7), Cfg: cfg.String(), Token: 7}
}

// TestUnlockTwin plays random answers to RELEASE: the unlock succeeded if a
// majority deleted the key, the lease had expired if so many had nothing to
// delete that no majority can be left, and otherwise nobody knows.
func TestUnlockTwin(t *testing.T) {
	outcomes := map[string]int{}
	check(t, 3000, func(rt *rapid.T) {
		d := newHeldDrive(rt, among(rt, "n", 1, 2, 3, 4, 5))
		begun := d.now
		var out quorum.Effects
		d.hold.Unlock(d.now, &out)
		d.sent(out)
		deleted, without := map[int]bool{}, map[int]bool{}
		q, outcome := d.p.N/2+1, ""
		for outcome == "" {
			out.Reset()
			d.now = d.now.Add(time.Duration(percent.Draw(rt, "µs")*20) * time.Microsecond)
			if len(d.air) == 0 {
				d.now = max(d.now, d.hold.Next())
				d.hold.Tick(d.now, &out)
			} else if c := d.take(); among(rt, "answers", true, true, true, false) {
				n := index.Draw(rt, "deleted") % 2
				d.hold.Reply(d.now, c.Ref, quorum.Reply{Code: quorum.OK, Deleted: n}, &out)
				if n > 0 {
					deleted[c.Node] = true
				} else {
					without[c.Node] = true
				}
			} else {
				d.hold.Fail(d.now, c.Ref, false, &out)
			}
			d.sent(out)
			switch {
			case len(deleted) >= q:
				outcome = "unlocked"
			case len(without) >= d.p.N-q+1:
				outcome = "expired"
			case d.now >= begun.Add(50*time.Millisecond):
				outcome = "unknown"
			}
			told := ""
			for _, e := range out.Events {
				switch {
				case e.Kind == quorum.Unlocked:
					told = "unlocked"
				case e.Kind == quorum.UnlockFailed:
					told = e.Reason.String()
				}
			}
			if told != outcome {
				rt.Fatalf("the hold told %q, the twin %q: deleted on %v, nothing to delete on %v", told, outcome, deleted, without)
			}
		}
		outcomes[outcome]++
	})
	for _, o := range []string{"unlocked", "expired", "unknown"} {
		if outcomes[o] == 0 && manyRuns(t) {
			t.Errorf("no unlock was %s", o)
		}
	}
}

// sealed is what a node answered to SEAL.
type sealed struct {
	self int
	view quorum.View
	hw   uint64
}

// TestSealTwin plays random answers to a rejoin's seals. The wait begins when a
// majority of servers counts, of which each is the newest life of the name
// under which it was reached, by what all answers together say; it lasts
// maxttl·(1+ρ); and the node is then admitted under the join of all views, with
// the largest token that any of them had assigned for a floor.
func TestSealTwin(t *testing.T) {
	outcomes := map[quorum.EventKind]int{}
	check(t, 4000, func(rt *rapid.T) {
		n := among(rt, "n", 3, 4, 5, 5)
		d := newDrive(rt, n)
		target := index.Draw(rt, "target") % n
		j := quorum.NewRejoin(d.p, target, d.cfg, "nonce")
		var out quorum.Effects
		j.Start(d.now, &out)
		probe := out.Calls[0].Ref
		out.Reset()
		j.Reply(d.now, probe, quorum.Reply{Code: quorum.OK, Inc: "i", Nonce: "q"}, &out)
		mine := quorum.Entry{K: out.Calls[0].K, ID: out.Calls[0].Entry}
		answers := map[int]sealed{}
		calls := slices.Clone(out.Calls)
		for _, i := range rapid.Permutation(seq(len(calls))).Draw(rt, "order") {
			d.now = d.now.Add(time.Millisecond)
			c := calls[i]
			out.Reset()
			a := drawSeal(rt, d, c.Node, target, mine)
			cfg := quorum.Config{Static: d.cfg.Static, View: a.view}
			j.Reply(d.now, c.Ref, quorum.Reply{Code: quorum.OK, Cfg: cfg.String(), Self: a.self, HW: a.hw}, &out)
			answers[c.Node] = a
			view, floor, enough := countSeals(d, answers, target, mine)
			if told := len(out.Events) == 1 && out.Events[0].Kind == quorum.Sealed; told != enough {
				rt.Fatalf("the rejoin counts a majority: %v, the twin: %v; answers %+v", told, enough, answers)
			}
			if enough {
				outcomes[quorum.Sealed]++
				judgeAdmission(rt, d, &j, quorum.Config{Static: d.cfg.Static, View: view}, floor)
				return
			}
		}
		outcomes[quorum.RejoinFailed]++
	})
	assertTold(t, outcomes, quorum.Sealed, quorum.RejoinFailed)
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// drawSeal draws the answer of a node that took the seal.
func drawSeal(t *rapid.T, d *drive, node, target int, mine quorum.Entry) sealed {
	a := sealed{self: node + 1, view: d.cfg.View, hw: uint64(percent.Draw(t, "hw"))}
	if index.Draw(t, "self") == 0 {
		a.self = (node+1)%d.p.N + 1 // reached under another name
	}
	for i := range d.p.N {
		if index.Draw(t, "replaced") < 8 {
			a.view.Entries[i] = quorum.Entry{K: 1, ID: among(t, "id", "a", "b")}
		}
	}
	a.view.Entries[target] = mine
	return a
}

// countSeals counts the answers as the protocol says.
func countSeals(d *drive, answers map[int]sealed, target int, mine quorum.Entry) (view quorum.View, floor uint64, enough bool) {
	view = d.cfg.View
	view.Entries[target] = mine
	for _, a := range answers {
		for i := range d.p.N {
			x, y := view.Entries[i], a.view.Entries[i]
			if y.K > x.K || y.K == x.K && y.ID > x.ID {
				view.Entries[i] = y
			}
		}
		floor = max(floor, a.hw)
	}
	count := 0
	for node, a := range answers {
		if a.self == node+1 && a.view.Entries[node] == view.Entries[node] {
			count++
		}
	}
	return view, floor, count >= d.p.N/2+1
}

// judgeAdmission waits for ADMIT.
func judgeAdmission(t *rapid.T, d *drive, j *quorum.Rejoin, cfg quorum.Config, floor uint64) {
	var out quorum.Effects
	wait := d.p.MaxTTL * 116 / 100
	j.Tick(d.now.Add(wait-1), &out)
	if len(out.Calls) != 0 {
		t.Fatalf("the wait ended early: %+v", out.Calls)
	}
	j.Tick(d.now.Add(wait), &out)
	if len(out.Calls) != 1 {
		t.Fatalf("no ADMIT after the wait: %+v", out)
	}
	c := out.Calls[0]
	if c.Op != quorum.OpAdmit || c.Cfg != cfg.String() || c.Floor != floor || c.Inc != "i" || c.Nonce != "q" || c.Mark != "" {
		t.Fatalf("%v with floor %d under %s, want ADMIT with %d under %s", c.Op, c.Floor, c.Cfg, floor, cfg)
	}
}

// TestWaiterTwin judges when a refused client asks again: never later than its
// poll, nor than the moment at which enough of the refusing nodes' keys have
// expired for a majority to be free; soon where votes were split; and not before
// that moment where a holder stands on a majority and the poll is far away.
func TestWaiterTwin(t *testing.T) {
	check(t, 3000, func(rt *rapid.T) {
		d := newDrive(rt, among(rt, "n", 1, 3, 4, 5))
		grants, held := 0, false
		var waits []time.Duration
		for d.hold.Phase() == quorum.Asking && len(d.air) > 0 {
			c := d.take()
			r := quorum.Reply{Code: among(rt, "code", 0, 0, 0, 1, -1), Token: uint64(1 + index.Draw(rt, "token"))}
			switch r.Code {
			case 0:
				r.Wait = time.Duration(percent.Draw(rt, "wait")) * time.Millisecond
				waits = append(waits, r.Wait)
			case 1:
				grants++
			}
			var out quorum.Effects
			d.hold.Reply(d.now, c.Ref, r, &out)
			for _, e := range out.Events {
				held = held || e.Reason == quorum.Held
			}
		}
		if d.hold.Phase() != quorum.Releasing {
			return
		}
		poll := time.Duration(1+percent.Draw(rt, "poll")) * time.Millisecond
		w := quorum.NewWaiter(d.p, quorum.WaiterOptions{Poll: poll})
		w.Refused(d.now, d.hold, rapid.Uint64().Draw(rt, "random"))
		limit, q := poll, d.p.N/2+1
		slices.Sort(waits)
		switch need := q - grants; {
		case !held || need < 1:
		case len(waits) < q: // nobody can have it: the votes were split
			limit = min(limit, d.p.NodeDeadline/4)
		default:
			limit = min(limit, waits[need-1]+2*time.Millisecond)
			if at := w.Next(); poll > 2*limit && at < d.now.Add(min(waits[need-1], poll/2)) {
				rt.Fatalf("asks again after %v, before a majority can be free: refused for %v, %d grants", at.Sub(d.now), waits, grants)
			}
		}
		if at := w.Next(); at < d.now || at > d.now.Add(limit) {
			rt.Fatalf("asks again after %v, want at most %v: %d grants, refused for %v", at.Sub(d.now), limit, grants, fmt.Sprint(waits))
		}
		if w.Ask(-1, new(quorum.Request)); w.Next() != quorum.Never {
			rt.Fatal("asks again while an attempt is under way")
		}
	})
}
