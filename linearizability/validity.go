package linearizability

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// honestSamples: no sample that lies wholly inside a claim shows a majority of
// admitted nodes without the claim's id.
//
// Where a sample has q admitted nodes, at most N−q+1 … N claims of one key can
// have an id on them, so the check ends soon after claims begin to pile up: it
// stops at the first that fails.
func (h *history) honestSamples() Clause {
	const name = "samples agree with claims"
	samples := h.samples()
	if len(samples) == 0 {
		return notJudged(name, "the history has no samples of the nodes' keys")
	}
	claims := h.identified()
	active := map[string][]*Hold{}
	next, judged := 0, 0
	for _, i := range samples {
		k := h.events[i].Value.Keys
		for ; next < len(claims) && claims[next].StartTime <= k.From; next++ {
			active[claims[next].Key] = append(active[claims[next].Key], claims[next])
		}
		n, c, without := h.judgeSample(k, active)
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

// judgeSample compares the sample with the claims that had begun when it began.
// It forgets those that had ended, and returns how many it compared, and the
// first claim whose id was missing on a majority, with those nodes.
func (h *history) judgeSample(k *Keys, active map[string][]*Hold) (judged int, worst *Hold, missing []string) {
	admitted, q := admittedIn(k), h.quorum(k)
	for key, holds := range active {
		holds = slices.DeleteFunc(holds, func(c *Hold) bool { return c.EndTime <= k.From })
		if active[key] = holds; len(holds) == 0 {
			delete(active, key)
		}
		if len(admitted) < q {
			continue
		}
		for _, c := range holds {
			if k.To >= c.EndTime {
				continue
			}
			judged++
			without := nodesWithout(k, admitted, c)
			if len(without) >= q && (worst == nil || c.Start < worst.Start) {
				worst, missing = c, without
			}
		}
	}
	return judged, worst, missing
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
