package linearizability

import (
	"time"
)

// grace is what liveness allows beyond what the protocol needs, per turn.
const grace = time.Second

// waiters: after everything was healed, nobody waits for a lock longer than all
// others' turns and the recovery of nodes can take.
//
// A client's wait for a lock is the time in which it had an acquire of it open,
// summed up since it last got it. A client that gives up early, or whose wait
// the history's end cuts short, shows nothing.
func (h *history) waiters() Clause {
	const name = "waiters acquire after heal"
	if h.p.MaxTTL == 0 || h.p.Hold == 0 {
		return notJudged(name, "the run's maxttl and hold time are not known")
	}
	bound := h.waitBound()
	judged, unresolved := 0, 0
	for _, w := range h.waits() {
		open := newSpans(w.open)
		from := h.healed
		for _, got := range append(w.got, Never) {
			waited := open.within(from, got)
			if float64(waited) > bound {
				return invalid(name, judged+1, w.lines(h, from, got),
					"client %s waited %s for %q without acquiring it, after the last fault was healed at %s; the bound is %s",
					w.client, at(waited), w.key, at(h.healed), time.Duration(bound))
			}
			switch {
			case waited > 0 && got == Never:
				unresolved++
			case waited > 0:
				judged++
			}
			from = got
		}
	}
	tail := h.end - h.healed
	switch {
	case unresolved > 0 && float64(tail) < bound:
		return notJudged(name, "%s open when the history ended %s after heal, which is less than the bound of %s",
			plural(unresolved, "wait"), at(tail), time.Duration(bound))
	case judged == 0:
		return notJudged(name, "nobody waited to the end after heal (%d gave up)", unresolved)
	}
	return valid(name, judged, "%s after heal, none longer than %s (%d others gave up)", plural(judged, "wait"), time.Duration(bound), unresolved)
}

// waitBound returns the longest that a wait may be, in ns.
func (h *history) waitBound() float64 {
	clients := h.p.Clients
	if clients == 0 {
		seen := map[string]bool{}
		for i := range h.ops {
			seen[h.ops[i].Client] = true
		}
		clients = len(seen)
	}
	return 2*float64(h.p.MaxTTL)*(1+h.p.Drift) + float64(clients)*float64(h.p.Hold+grace)
}

// wait is what one client did to get one lock after heal.
type wait struct {
	client, key string
	open        []interval // when it had an acquire open, which may have begun before heal
	got         []int64    // when one returned ok, ascending
	ops         []*Op
}

// waits returns the waits after heal, in the order of their first invocations.
// Operations of clients that died or were replaced meanwhile are left out.
func (h *history) waits() []*wait {
	type waiter struct{ client, key string }
	by := map[waiter]*wait{}
	var all []*wait
	for _, op := range byEnd(h.ops) {
		end := min(op.End, h.end)
		if op.F != Acquire || end <= h.healed || (op.Type == Info && op.Return >= 0) ||
			h.away.crashedMeets(op.Client, op.Start, end) {
			continue
		}
		w := by[waiter{op.Client, op.Key}]
		if w == nil {
			w = &wait{client: op.Client, key: op.Key}
			by[waiter{op.Client, op.Key}] = w
			all = append(all, w)
		}
		w.open = append(w.open, interval{op.Start, end})
		w.ops = append(w.ops, op)
		if op.Type == OK {
			w.got = append(w.got, op.End)
		}
	}
	return all
}

// byEnd returns the operations in the order of their returns, those without one
// last.
func byEnd(ops []Op) []*Op {
	var open []*Op
	all := make([]*Op, 0, len(ops))
	for i := range ops {
		all = append(all, &ops[i])
		if ops[i].Return < 0 {
			open = append(open, &ops[i])
		}
	}
	return append(byReturn(all), open...)
}

// lines returns the first and the last acquire that were open between the two
// times.
func (w *wait) lines(h *history, from, to int64) []int {
	var first, last *Op
	for _, op := range w.ops {
		if op.Start >= to || min(op.End, h.end) <= from {
			continue
		}
		if first == nil {
			first = op
		}
		last = op
	}
	if first == nil {
		return nil
	}
	return []int{first.Invoke, first.Return, last.Invoke, last.Return}
}

// deadHolderBound returns how long after its holder died, and after heal, a lock may
// stay taken.
func (h *history) deadHolderBound() int64 {
	return int64(float64(h.p.TTL)*(1+h.p.Drift)) + 2*int64(h.p.NodeDeadline) + int64(grace)
}

// deadHolders: the lock of a holder that died is free again in time. Not free
// means that samples show its id on so many nodes that no majority is left.
func (h *history) deadHolders() Clause {
	const name = "a dead holder's lock becomes free"
	if h.p.TTL == 0 || h.p.NodeDeadline == 0 {
		return notJudged(name, "the run's ttl and node deadline are not known")
	}
	blocked, lastSample := h.lastBlocked()
	judged, short := 0, 0
	for _, d := range h.deaths() {
		limit := max(d.at, h.healed) + h.deadHolderBound()
		if i, ok := blocked[keyID{d.hold.Key, d.hold.ID}]; ok && d.hold.ID != "" && h.events[i].Value.Keys.From >= limit {
			return invalid(name, judged+1, []int{d.hold.Invoke, d.hold.Start, d.line, i},
				"%s died at %s; at %s its id %q still stood on so many nodes that nobody could acquire, which should have ended by %s",
				d.hold.who(), at(d.at), at(h.events[i].Value.Keys.From), d.hold.ID, at(limit))
		}
		if (d.hold.ID != "" && lastSample >= limit) || h.acquiredWithin(d.hold, d.at, limit) {
			judged++
		} else {
			short++
		}
	}
	if judged == 0 {
		return notJudged(name, "no holder died early enough to be judged (%d too late)", short)
	}
	return valid(name, judged, "%s whose lock became free in time (%d died too late to be judged)", plural(judged, "dead holder"), short)
}

// death is the end of a client that had a hold.
type death struct {
	hold *Hold
	at   int64 // ns
	line int
}

// deaths returns the holds whose clients crashed before a release or loss, each
// with the first such crash.
func (h *history) deaths() []death {
	crashes := map[string][]activeFault{}
	for _, f := range faultsOf(h.events) {
		if f.f == Crash {
			for _, c := range f.clients {
				crashes[c] = append(crashes[c], f)
			}
		}
	}
	var deaths []death
	next := map[string]int{}
	for i := range h.holds {
		c := &h.holds[i]
		of, n := crashes[c.Client], next[c.Client]
		for n < len(of) && of[n].first < c.Start {
			n++
		}
		if next[c.Client] = n; n == len(of) {
			continue
		}
		f := of[n]
		if (c.Released < 0 || c.Released > f.first) && (c.Lost < 0 || c.Lost > f.first) {
			deaths = append(deaths, death{c, f.from, f.first})
		}
	}
	return deaths
}

// acquiredWithin tells whether somebody acquired the hold's lock between the
// two times, after the hold.
func (h *history) acquiredWithin(c *Hold, from, to int64) bool {
	by := h.byKey()[c.Key]
	for i := firstFrom(by, from); i < len(by) && by[i].StartTime <= to; i++ {
		if by[i] != c {
			return true
		}
	}
	return false
}
