package linearizability

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// The search decides whether any legal order exists, by going along the lines
// with all states that the lock may be in. It is exact, and may take time and
// memory that grow exponentially with what is open at once; so it has limits.
//
// A configuration is a state and what of the open calls has taken effect. A
// step takes effect only when it must: at the return of a call, every
// configuration in which it has not is replaced by those that follow from it by
// some sequence of open steps that ends in this one. That is enough, since what
// comes after it in a legal order can be put off until the next return without
// changing the order.
//
// Steps that may not have happened and never return are counted where they are
// alike but for their invocation: the earlier one can stand for the later. A configuration from which fewer of them were taken can do all
// that another can with the same state and the same open calls: that one is
// dropped.

// slots is how many calls that return may be open at once.
const slots = 256

// config is a configuration.
type config struct {
	state lockState
	done  [slots / 64]uint64
	used  string // how many of each kind of uncertain endless steps, two bytes each, without zeros at the end
}

func (c *config) has(slot int) bool { return c.done[slot/64]>>(slot%64)&1 == 1 }
func (c *config) set(slot int)      { c.done[slot/64] |= 1 << (slot % 64) }
func (c *config) clear(slot int)    { c.done[slot/64] &^= 1 << (slot % 64) }

// usedOf returns how many uncertain steps of this kind were taken.
func (c *config) usedOf(kind int) int {
	if 2*kind >= len(c.used) {
		return 0
	}
	return int(c.used[2*kind])<<8 | int(c.used[2*kind+1])
}

// use takes one more of this kind.
func (c *config) use(kind int) {
	n := c.usedOf(kind) + 1
	b := make([]byte, max(len(c.used), 2*kind+2))
	copy(b, c.used)
	b[2*kind], b[2*kind+1] = byte(n>>8), byte(n)
	c.used = string(b)
}

// within tells whether a took no more of any uncertain step than b.
func within(a, b string) bool {
	if len(a) > len(b) {
		return false
	}
	for i := 0; i < len(a); i += 2 {
		if a[i] > b[i] || a[i] == b[i] && a[i+1] > b[i+1] {
			return false
		}
	}
	return true
}

// place is a configuration but for what is uncertain.
type place struct {
	state lockState
	done  [slots / 64]uint64
}

// frontier is a set of configurations of which none can do all that another
// can.
type frontier struct {
	at    map[place][]string
	order []config // also such as were dropped since
}

func newFrontier() *frontier { return &frontier{at: map[place][]string{}} }

// add adds a configuration unless it is of no use.
func (f *frontier) add(c config) bool {
	p := place{c.state, c.done}
	for _, used := range f.at[p] {
		if within(used, c.used) {
			return false
		}
	}
	f.at[p] = append(slices.DeleteFunc(f.at[p], func(used string) bool { return within(c.used, used) }), c.used)
	f.order = append(f.order, c)
	return true
}

// kept returns the configurations that were not dropped.
func (f *frontier) kept() []config {
	return slices.DeleteFunc(f.order, func(c config) bool {
		return !slices.Contains(f.at[place{c.state, c.done}], c.used)
	})
}

// limits bound a search.
type limits struct {
	steps int // of the machine, in all
	bytes int // in configurations at one time, roughly
}

// searcher is a search along the lines of one key.
type searcher struct {
	ctx   context.Context
	m     machine
	left  *limits
	now   []config
	open  [slots]*window // by slot
	freed []int
	kinds []step // of uncertain steps
	avail []int  // how many of each kind were invoked
	kind  map[step]int

	top int // no slot from here on was ever used
}

// searched is what a search came to.
type searched struct {
	outcome Outcome
	reason  string  // where unknown
	stuck   *window // where invalid: it could not be put anywhere
	quiet   int64   // the last point before, at which the lock was as new
}

// moment is where a window begins or ends.
type moment struct {
	at     int64
	end    bool
	window *window
}

// search looks for a legal order of the steps from a new lock.
func search(ctx context.Context, m machine, windows []window, left *limits) searched {
	s := &searcher{ctx: ctx, m: m, left: left, now: []config{{}}, kind: map[step]int{}}
	for i := range slots {
		s.freed = append(s.freed, slots-1-i)
	}
	slotOf := map[*window]int{}
	quiet := int64(-1)
	for _, at := range moments(windows) {
		w := at.window
		switch {
		case w.maybe && w.to == noEnd:
			if !s.offer(w.step) {
				return searched{outcome: Unknown, reason: "too many calls of unknown outcome are alike"}
			}
		case !at.end:
			if len(s.freed) == 0 {
				return searched{outcome: Unknown, reason: fmt.Sprintf("more than %d calls were open at once", slots)}
			}
			slot := s.freed[len(s.freed)-1]
			s.freed = s.freed[:len(s.freed)-1]
			s.open[slot], slotOf[w] = w, slot
			s.top = max(s.top, slot+1)
		default:
			slot := slotOf[w]
			delete(slotOf, w)
			if spent := s.finish(slot, w.maybe); spent != "" {
				return searched{outcome: Unknown, reason: spent}
			}
			if len(s.now) == 0 {
				return searched{outcome: Invalid, stuck: w, quiet: quiet}
			}
			s.open[slot], s.freed = nil, append(s.freed, slot)
			if s.isQuiet() {
				quiet = at.at
			}
		}
	}
	return searched{outcome: Valid}
}

// isQuiet tells whether the lock is as if nothing had happened, but for fences,
// which only rise.
func (s *searcher) isQuiet() bool {
	if len(s.freed) < slots || len(s.kinds) > 0 {
		return false
	}
	for _, c := range s.now {
		if c.state.owner != 0 || c.state.n != 0 {
			return false
		}
	}
	return true
}

// moments are the beginnings and ends in order, beginnings first.
func moments(windows []window) []moment {
	list := make([]moment, 0, 2*len(windows))
	for i := range windows {
		w := &windows[i]
		list = append(list, moment{w.from, false, w})
		if w.to != noEnd {
			list = append(list, moment{w.to, true, w})
		}
	}
	slices.SortStableFunc(list, func(a, b moment) int {
		switch {
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.end == b.end:
			return 0
		case a.end:
			return 1
		}
		return -1
	})
	return list
}

// offer makes one more uncertain step possible, and returns false where that
// are more than can be counted.
func (s *searcher) offer(in step) bool {
	k, ok := s.kind[in]
	if !ok {
		k = len(s.kinds)
		s.kind[in], s.kinds, s.avail = k, append(s.kinds, in), append(s.avail, 0)
	}
	s.avail[k]++
	return s.avail[k] < 1<<16
}

// finish leaves the configurations in which the call in this slot has taken
// effect, and with maybe also the others. It returns why the search must end,
// or "".
func (s *searcher) finish(slot int, maybe bool) string {
	seen, done := newFrontier(), newFrontier()
	for _, c := range s.now {
		seen.add(c)
		if maybe && !c.has(slot) {
			done.add(c)
		}
	}
	bytes := s.left.bytes
	for i := 0; i < len(seen.order); i++ { // which grows
		c := seen.order[i]
		if c.has(slot) {
			c.clear(slot)
			done.add(c)
			continue
		}
		before := len(seen.order) + len(done.order)
		s.expand(c, slot, seen, done)
		bytes -= (len(seen.order) + len(done.order) - before) * (400 + 2*len(c.used) + len(c.state.counts))
		if spent := s.spent(bytes); spent != "" {
			return spent
		}
	}
	s.now = done.kept()
	return ""
}

// spent tells which limit was reached, with so many bytes left, or "".
func (s *searcher) spent(bytes int) string {
	switch {
	case s.ctx.Err() != nil:
		return "it was told to stop"
	case s.left.steps < 0:
		return "its limit of steps was reached"
	case bytes < 0:
		return "its limit of memory was reached"
	}
	return ""
}

// expand lets each open step take effect. Behind the one in slot nothing more
// needs to.
func (s *searcher) expand(c config, slot int, seen, done *frontier) {
	for i, w := range s.open[:s.top] {
		if w == nil || c.has(i) {
			continue
		}
		s.left.steps--
		state, why := s.m.step(c.state, w.step)
		if why != legal {
			continue
		}
		next := c
		next.state = state
		if i == slot {
			done.add(next)
			continue
		}
		next.set(i)
		seen.add(next)
	}
	for k, in := range s.kinds {
		if c.usedOf(k) >= s.avail[k] {
			continue
		}
		s.left.steps--
		if state, why := s.m.step(c.state, in); why == legal {
			next := c
			next.state = state
			next.use(k)
			seen.add(next)
		}
	}
}
