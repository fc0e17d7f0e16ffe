package linearizability

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// honestSamples: no sample that lies wholly inside a claim shows a majority of
// admitted nodes without the claim's id.
//
// The claims that had begun are kept in a heap with the last to end on top, so
// that a sample looks only at those that it lies inside. Each of these has its
// id in the sample, or it is the violation that ends the check.
func (h *history) honestSamples() Clause {
	const name = "samples agree with claims"
	samples := h.samples()
	if len(samples) == 0 {
		return notJudged(name, "the history has no samples of the nodes' keys")
	}
	claims := h.identified()
	active := &claimHeap{}
	next, judged := 0, 0
	for _, i := range samples {
		k := h.events[i].Value.Keys
		for ; next < len(claims) && claims[next].StartTime <= k.From; next++ {
			heap.Push(active, claims[next])
		}
		n, c, without := h.judgeSample(k, *active)
		if judged += n; c != nil {
			return invalid(name, judged, []int{c.Invoke, c.Start, i, c.ending()},
				"%s, returned at %s, claims the lock %s, but between %s and %s its id %q was missing on the admitted nodes %s: a majority",
				c.who(), at(c.StartTime), c.until(), at(k.From), at(k.To), c.ID, strings.Join(without, ", "))
		}
	}
	if judged == 0 {
		return notJudged(name, "no sample lies wholly inside a claim whose id is known")
	}
	return valid(name, judged, "%s of nodes inside claims, each with the id on enough of them", plural(judged, "sample"))
}

// judgeSample compares the sample with the claims that it lies inside, out of
// those that had begun before. It returns how many these are, and the earliest
// of them whose id was missing on a majority, with those nodes.
func (h *history) judgeSample(k *Keys, begun claimHeap) (judged int, worst *Hold, missing []string) {
	admitted, q := admittedIn(k), h.quorum(k)
	if len(admitted) < q {
		return 0, nil, nil
	}
	for look := []int{0}; len(look) > 0; {
		i := look[len(look)-1]
		look = look[:len(look)-1]
		if i >= len(begun) || begun[i].EndTime <= k.To {
			continue
		}
		judged++
		without := nodesWithout(k, admitted, begun[i])
		if len(without) >= q && (worst == nil || begun[i].Start < worst.Start) {
			worst, missing = begun[i], without
		}
		look = append(look, 2*i+1, 2*i+2)
	}
	return judged, worst, missing
}

// claimHeap holds claims with the last to end on top.
type claimHeap []*Hold

func (c claimHeap) Len() int           { return len(c) }
func (c claimHeap) Less(i, j int) bool { return c[i].EndTime > c[j].EndTime }
func (c claimHeap) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *claimHeap) Push(x any)        { *c = append(*c, x.(*Hold)) }
func (c *claimHeap) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// samples returns the indices of the rounds of samples, by when they began.
func (h *history) samples() []int {
	var at []int
	for i := range h.events {
		if h.events[i].Value.Keys != nil {
			at = append(at, i)
		}
	}
	slices.SortStableFunc(at, func(a, b int) int {
		return cmp.Compare(h.events[a].Value.Keys.From, h.events[b].Value.Keys.From)
	})
	return at
}

// identified returns the claims that are not empty and whose id is known, by
// when they began.
func (h *history) identified() []*Hold {
	var claims []*Hold
	for i := range h.holds {
		if c := &h.holds[i]; c.ID != "" && !c.Empty() {
			claims = append(claims, c)
		}
	}
	return claims
}

// quorum returns the size of a majority of the nodes in the sample.
func (h *history) quorum(k *Keys) int {
	if h.p.Quorum > 0 {
		return h.p.Quorum
	}
	return len(k.Nodes)/2 + 1
}

// admittedIn returns the admitted nodes of the sample in the order of their names.
func admittedIn(k *Keys) []string {
	var nodes []string
	for name, n := range k.Nodes {
		if n.Admitted {
			nodes = append(nodes, name)
		}
	}
	sort.Strings(nodes)
	return nodes
}

// nodesWithout returns those of the nodes that do not have the hold's id.
func nodesWithout(k *Keys, nodes []string, c *Hold) []string {
	var without []string
	for _, name := range nodes {
		if k.Nodes[name].Keys[c.Key] != c.ID {
			without = append(without, name)
		}
	}
	return without
}

// honestReturns: no acquire or extend returns ok at or after the deadline that
// it returns. A client that was stalled or frozen then could not help it.
func (h *history) honestReturns() Clause {
	const name = "returns come before their deadlines"
	judged, excused := 0, 0
	for i := range h.ops {
		op := &h.ops[i]
		v := op.Result.ValidUntil
		if op.Type != OK || v == nil || (op.F != Acquire && op.F != Extend) {
			continue
		}
		if op.End < *v {
			judged++
			continue
		}
		if h.couldNotHelp(op, *v) {
			excused++
			continue
		}
		return invalid(name, judged+1, []int{op.Invoke, op.Return},
			"client %s's %s of %q, hold %s, invoked at %s, returned ok at %s, which is not before the %s that it is valid until",
			op.Client, op.F, op.Key, op.Result.Hold, at(op.Start), at(op.End), at(*v))
	}
	note := ""
	if excused > 0 {
		note = fmt.Sprintf("; %s of stalled or frozen clients excused", plural(excused, "late return"))
	}
	if judged == 0 {
		return notJudged(name, "no acquire or extend returned a deadline%s", note)
	}
	return valid(name, judged, "%s before their deadlines%s", plural(judged, "return"), note)
}

// couldNotHelp tells whether op's client may have found its deadline v ahead
// and yet have returned after it, because it did not run in between: it was
// away between the two, or for longer than it was late.
func (h *history) couldNotHelp(op *Op, v int64) bool {
	return h.away.stalledMeets(op.Client, max(v, op.Start), op.End) || op.End-h.away.stalledIn(op.Client, op.Start, op.End) < v
}
