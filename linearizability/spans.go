package linearizability

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// interval is a time from lo to hi in ns, both included.
type interval struct{ lo, hi int64 }

// spans is a set of times: disjoint intervals, ascending, with the length of
// all intervals before each.
type spans struct {
	in     []interval
	before []int64
}

// newSpans returns the union of the intervals, which it may reorder.
func newSpans(in []interval) *spans {
	slices.SortFunc(in, func(a, b interval) int { return cmp.Compare(a.lo, b.lo) })
	s := &spans{}
	var sum int64
	for _, i := range in {
		if last := len(s.in) - 1; last >= 0 && i.lo <= s.in[last].hi {
			s.in[last].hi = max(s.in[last].hi, i.hi)
			continue
		}
		s.in = append(s.in, i)
	}
	for _, i := range s.in {
		s.before = append(s.before, sum)
		sum += i.hi - i.lo
	}
	return s
}

// meets tells whether some of the set lies in [lo,hi].
func (s *spans) meets(lo, hi int64) bool {
	i := sort.Search(len(s.in), func(i int) bool { return s.in[i].hi >= lo })
	return i < len(s.in) && s.in[i].lo <= hi
}

// upTo returns how much of the set lies before t.
func (s *spans) upTo(t int64) int64 {
	i := sort.Search(len(s.in), func(i int) bool { return s.in[i].lo >= t }) - 1
	if i < 0 {
		return 0
	}
	return s.before[i] + min(t, s.in[i].hi) - s.in[i].lo
}

// within returns how much of the set lies in [lo,hi].
func (s *spans) within(lo, hi int64) int64 {
	if hi <= lo {
		return 0
	}
	return s.upTo(hi) - s.upTo(lo)
}

// outside returns the time by which run ns since lo have passed that are not in
// the set, or Never.
func (s *spans) outside(lo, run int64) int64 {
	i := sort.Search(len(s.in), func(i int) bool {
		start := s.in[i].lo
		return start >= lo && start-lo-s.within(lo, start) >= run
	})
	if i > 0 && s.in[i-1].hi == Never {
		return Never
	}
	if i < len(s.in) {
		return lo + run + s.within(lo, s.in[i].lo)
	}
	if i == 0 {
		return lo + run
	}
	return lo + run + s.within(lo, s.in[i-1].hi)
}

// absences says when clients' processes did not run.
type absences struct {
	everybody []interval            // stalls of all
	stalls    map[string][]interval // of one
	freezes   map[string][]interval
	crashes   map[string][]interval

	stalled map[string]*spans // client → stalls and freezes, made on demand
	gone    map[string]*spans // client → freezes and crashes, made on demand
	crashed map[string]*spans // client → crashes, made on demand
}

// newAbsences collects stalls, freezes and crashes. An unconfirmed one counts
// too, as it may have happened, but not an unconfirmed freeze without an end:
// it would excuse its client for ever.
func newAbsences(events []Event) *absences {
	a := &absences{stalls: map[string][]interval{}, freezes: map[string][]interval{}, crashes: map[string][]interval{},
		stalled: map[string]*spans{}, gone: map[string]*spans{}, crashed: map[string]*spans{}}
	for i := range events {
		if s := events[i].Value.Stall; s != nil {
			if len(s.Clients) == 0 {
				a.everybody = append(a.everybody, interval{s.From, s.To})
			}
			for _, c := range s.Clients {
				a.stalls[c] = append(a.stalls[c], interval{s.From, s.To})
			}
		}
	}
	for _, f := range faultsOf(events) {
		into := a.freezes
		switch f.f {
		case Freeze:
			if !f.confirmed && f.last < 0 {
				continue
			}
		case Crash:
			into = a.crashes
		default:
			continue
		}
		for _, c := range f.clients {
			into[c] = append(into[c], interval{f.from, f.to})
		}
	}
	return a
}

// stalledIn returns for how long client did not run between lo and hi.
func (a *absences) stalledIn(client string, lo, hi int64) int64 {
	return memo(a.stalled, client, a.everybody, a.stalls[client], a.freezes[client]).within(lo, hi)
}

// after returns when client has run for that long since lo, or Never.
func (a *absences) after(client string, lo int64, run time.Duration) int64 {
	return memo(a.stalled, client, a.everybody, a.stalls[client], a.freezes[client]).outside(lo, int64(run))
}

// stalledMeets tells whether client was stalled or frozen at some time of
// [lo,hi].
func (a *absences) stalledMeets(client string, lo, hi int64) bool {
	return memo(a.stalled, client, a.everybody, a.stalls[client], a.freezes[client]).meets(lo, hi)
}

// goneMeets tells whether client was frozen or crashed at some time of [lo,hi].
func (a *absences) goneMeets(client string, lo, hi int64) bool {
	return memo(a.gone, client, a.freezes[client], a.crashes[client]).meets(lo, hi)
}

// crashedMeets tells whether client was crashed at some time of [lo,hi].
func (a *absences) crashedMeets(client string, lo, hi int64) bool {
	return memo(a.crashed, client, a.crashes[client]).meets(lo, hi)
}

func memo(cache map[string]*spans, client string, parts ...[]interval) *spans {
	s := cache[client]
	if s == nil {
		s = newSpans(slices.Concat(parts...))
		cache[client] = s
	}
	return s
}

// activeFault is a fault from its first line to its last.
type activeFault struct {
	f         F
	clients   []string
	confirmed bool
	first     int   // index of its begin
	last      int   // index of its end, or -1
	from, to  int64 // ns; to is Never without an end
}

// faultsOf returns the faults in the order in which they began.
func faultsOf(events []Event) []activeFault {
	var faults []activeFault
	open := map[int64]int{}
	for i := range events {
		v := events[i].Value.Fault
		if v == nil {
			continue
		}
		if v.Phase == FaultEnd {
			f := &faults[open[v.ID]]
			f.last, f.to = i, events[i].Time
			continue
		}
		open[v.ID] = len(faults)
		faults = append(faults, activeFault{f: events[i].F, clients: v.Clients, confirmed: v.Confirmed,
			first: i, last: -1, from: events[i].Time, to: Never})
	}
	return faults
}
