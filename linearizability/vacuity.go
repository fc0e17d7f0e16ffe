package linearizability

import (
	"fmt"
	"sort"
	"time"
)

// Plan is what a run set out to do. A run that did not do it shows nothing,
// however well it went.
type Plan struct {
	_ struct{}

	// Operations lists the kinds of operation that clients are to carry out.
	Operations []F `json:"operations"`

	// Faults lists the kinds of fault to be injected, by their names in the
	// history.
	Faults []F `json:"faults"`

	// Paths lists the protocol's paths that the run means to exercise, by any
	// names that Tally.Paths has too.
	Paths []string `json:"paths"`

	// Chaos says that faults are to be active during much of the run.
	Chaos bool `json:"chaos"`
}

// Tally is what happened in one run or, added up, in many.
type Tally struct {
	Acquired   int            `json:"acquired"`    // acquires that returned ok
	UnderFault int            `json:"under_fault"` // those of them that returned while a confirmed fault was active
	Waited     int            `json:"waited"`      // acquires open for 1 ms or more while another hold's claim on the lock lived
	Succeeded  map[F]int      `json:"succeeded"`   // operations that returned ok and were not refused by a resource
	Failed     map[F]int      `json:"failed"`      // operations that returned fail
	Unknown    map[F]int      `json:"unknown"`     // operations whose outcome nobody knows
	Confirmed  map[F]int      `json:"confirmed"`   // faults whose effect was confirmed
	Paths      map[string]int `json:"paths"`       // protocol paths taken; the history does not tell
}

// TallyOf counts what happened in the events of one run. Paths, which events do
// not tell, are the caller's to fill in. The events must be valid: see Validate.
func TallyOf(events []Event) Tally {
	ops := Ops(events)
	holds := holdsOf(events, ops)
	t := Tally{Succeeded: map[F]int{}, Failed: map[F]int{}, Unknown: map[F]int{}, Confirmed: map[F]int{}, Paths: map[string]int{}}
	for i := range ops {
		switch op := &ops[i]; {
		case op.Type == Fail:
			t.Failed[op.F]++
		case op.Type == Info:
			t.Unknown[op.F]++
		case op.Result.accepted():
			t.Succeeded[op.F]++
		}
	}
	t.Acquired = t.Succeeded[Acquire]
	changes := make([]int, len(events)+1) // how many more faults are active from a line on
	for _, f := range faultsOf(events) {
		if !f.confirmed {
			continue
		}
		t.Confirmed[f.f]++
		if f.last >= 0 {
			changes[f.first]++
			changes[f.last]--
		}
	}
	active := 0
	for i := range events {
		active += changes[i]
		if e := &events[i]; active > 0 && e.Process >= 0 && e.F == Acquire && e.Type == OK {
			t.UnderFault++
		}
	}
	t.Waited = countWaits(ops, holds)
	return t
}

// waited is how long an acquire must be open beside a claim to count as waiting.
const waited = time.Millisecond

// countWaits returns how many acquires waited for another hold.
func countWaits(ops []Op, holds []Hold) int {
	claims := map[string][]*Hold{} // per key those long enough to be waited for, by beginning
	ends := map[string][]int64{}   // per key the latest end of a claim and all before it
	for i := range holds {
		c := &holds[i]
		if c.Empty() || c.EndTime-c.StartTime < int64(waited) {
			continue
		}
		latest := c.EndTime
		if e := ends[c.Key]; len(e) > 0 {
			latest = max(latest, e[len(e)-1])
		}
		claims[c.Key], ends[c.Key] = append(claims[c.Key], c), append(ends[c.Key], latest)
	}
	n := 0
	for i := range ops {
		if op := &ops[i]; op.F == Acquire && waitedFor(op, claims[op.Key], ends[op.Key]) {
			n++
		}
	}
	return n
}

// waitedFor tells whether op was open for long enough beside one of the claims:
// the first that ends late enough also begins first. It cannot be op's own,
// which begins only when op returns.
func waitedFor(op *Op, claims []*Hold, ends []int64) bool {
	if op.End-op.Start < int64(waited) {
		return false
	}
	first := sort.Search(len(ends), func(i int) bool { return ends[i] >= op.Start+int64(waited) })
	return first < len(claims) && claims[first].StartTime <= op.End-int64(waited)
}

// Add adds the counts of other to t, as for a campaign of many runs.
func (t *Tally) Add(other Tally) {
	t.Acquired += other.Acquired
	t.UnderFault += other.UnderFault
	t.Waited += other.Waited
	addCounts(&t.Succeeded, other.Succeeded)
	addCounts(&t.Failed, other.Failed)
	addCounts(&t.Unknown, other.Unknown)
	addCounts(&t.Confirmed, other.Confirmed)
	addCounts(&t.Paths, other.Paths)
}

func addCounts[K comparable](to *map[K]int, from map[K]int) {
	if *to == nil {
		*to = map[K]int{}
	}
	for k, n := range from {
		(*to)[k] += n
	}
}

// minUnderFault is the least share of a chaos run's acquisitions, in percent,
// that must return while a fault is active.
const minUnderFault = 30

// Vacuous returns the reasons for which a run that was planned as p and came to
// t shows nothing, or nil if there are none. A run with a reason is never
// reported as valid: set Verdict.Vacuous.
func (p Plan) Vacuous(t Tally) []string {
	var reasons []string
	add := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if t.Acquired == 0 {
		add("no acquire succeeded")
	}
	if t.Waited == 0 {
		add("nobody waited: no acquire was open for %v while another hold's claim on its lock lived", waited)
	}
	for _, f := range p.Operations {
		if t.Succeeded[f] == 0 {
			add("no %s succeeded, and some were planned", f)
		}
	}
	for _, f := range p.Faults {
		if t.Confirmed[f] == 0 {
			add("no fault of kind %s was confirmed, and some were planned", f)
		}
	}
	if p.Chaos && t.UnderFault*100 < t.Acquired*minUnderFault {
		add("only %d of %d acquisitions returned while a fault was active, which is less than %d %%",
			t.UnderFault, t.Acquired, minUnderFault)
	}
	for _, path := range p.Paths {
		if t.Paths[path] == 0 {
			add("the protocol never took the path %s, and it was meant to", path)
		}
	}
	return reasons
}
