package linearizability

import (
	"cmp"
	"container/heap"
	"slices"
)

// Order returns the events sorted by time, with Index assigned. Among events of
// one time, invocations of releases and LostHold come first, then completions,
// then the rest, but each process keeps its own order, which is the one in
// which its events were given. So a hold that ends and one that begins at the
// same moment do not overlap.
//
// The events given are not changed.
func Order(events []Event) []Event {
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b Event) int { return cmp.Compare(a.Time, b.Time) })
	for lo := 0; lo < len(sorted); {
		hi := lo + 1
		for hi < len(sorted) && sorted[hi].Time == sorted[lo].Time {
			hi++
		}
		if hi-lo > 1 {
			orderTies(sorted[lo:hi])
		}
		lo = hi
	}
	for i := range sorted {
		sorted[i].Index = i
	}
	return sorted
}

// rank is an event's place among those of one time.
func rank(e *Event) int {
	switch {
	case e.Type == Invoke && e.F == Release, e.Process == Observer && e.F == LostHold:
		return 0
	case e.Process >= 0 && e.Type != Invoke:
		return 1
	}
	return 2
}

// orderTies reorders events of one time in place. It is a merge of the
// processes' queues that always takes the head with the lowest rank.
func orderTies(group []Event) {
	given := slices.Clone(group)
	next := make([]int, len(given)) // the same process's next event, or -1
	last := make(map[Process]int, len(given))
	heads := &headHeap{events: given}
	for i := range given {
		next[i] = -1
		if before, ok := last[given[i].Process]; ok {
			next[before] = i
		} else {
			heads.at = append(heads.at, i)
		}
		last[given[i].Process] = i
	}
	heap.Init(heads)
	for i := range group {
		head := heads.at[0]
		group[i] = given[head]
		if next[head] >= 0 {
			heads.at[0] = next[head]
			heap.Fix(heads, 0)
		} else {
			heap.Pop(heads)
		}
	}
}

// headHeap holds the first unplaced event of each process, lowest rank first,
// and of one rank the one given first.
type headHeap struct {
	events []Event
	at     []int
}

func (h *headHeap) Len() int      { return len(h.at) }
func (h *headHeap) Swap(i, j int) { h.at[i], h.at[j] = h.at[j], h.at[i] }
func (h *headHeap) Push(x any)    { h.at = append(h.at, x.(int)) }
func (h *headHeap) Less(i, j int) bool {
	a, b := h.at[i], h.at[j]
	if ra, rb := rank(&h.events[a]), rank(&h.events[b]); ra != rb {
		return ra < rb
	}
	return a < b
}
func (h *headHeap) Pop() any {
	x := h.at[len(h.at)-1]
	h.at = h.at[:len(h.at)-1]
	return x
}
