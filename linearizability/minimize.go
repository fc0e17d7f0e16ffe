package linearizability

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// conviction shows with as few operations as it takes why the sweep refused a
// key about which nothing is odd.
func (j *judging) conviction(k *sweepKey) *Counterexample {
	blamed := []int32{}
	culprit := &j.r.ops[k.culprit]
	switch k.why {
	case whyHeld:
		blamed = append(blamed, k.live[len(k.live)-1]) // any of them keeps it out
	case whyLimit:
		blamed = append(blamed, k.live...)
	case whyFull:
		blamed = append(blamed, j.fullest(k, culprit)...)
	case whyFence:
		blamed = append(blamed, k.highest)
	case whyCurrent:
		blamed = append(blamed, j.nested(k, culprit)...)
	}
	blamed = append(blamed, k.culprit)
	return j.tell(k.why, blamed)
}

// nested returns a hold with the token in force, and such as it takes to see
// that it is in force still.
func (j *judging) nested(k *sweepKey, culprit *lockOp) []int32 {
	reach := int32(-1)
	var chain []int32
	further := func(fits func(*lockOp) bool) bool {
		best := int32(-1)
		for _, n := range k.since {
			if op := &j.r.ops[n]; fits(op) && j.lastLine(op) > reach {
				best, reach = n, j.lastLine(op)
			}
		}
		if best >= 0 {
			chain = append(chain, best)
		}
		return best >= 0
	}
	further(func(op *lockOp) bool { return op.token == k.state.cur })
	if culprit.token < k.state.cur {
		return chain // which would be wrong afterwards as well
	}
	for reach <= k.at {
		before := reach
		if !further(func(op *lockOp) bool { return op.ret < before }) {
			return k.since
		}
	}
	return chain
}

// lastLine returns the line at which the hold ends, or one after all.
func (j *judging) lastLine(op *lockOp) int32 {
	switch h := &j.r.holds[op.hold]; {
	case j.claims:
		return op.end
	case h.released >= 0:
		return h.released
	}
	return int32(len(j.r.times))
}

// fullest returns the fewest holds that with the culprit ask for too much.
func (j *judging) fullest(k *sweepKey, culprit *lockOp) []int32 {
	permits := func(n int32) int32 { return j.r.step(&j.r.ops[n]).permits }
	bySize := slices.Clone(k.live)
	slices.SortStableFunc(bySize, func(a, b int32) int { return cmp.Compare(permits(b), permits(a)) })
	sum := j.r.step(culprit).permits
	for i, n := range bySize {
		if sum > j.m.(semaphore).permits {
			return bySize[:i]
		}
		sum += permits(n)
	}
	return bySize
}

// tell makes a sentence of holds of which the last could not be.
func (j *judging) tell(why why, ops []int32) *Counterexample {
	var parts []string
	var indices []int
	for i, n := range ops {
		op := &j.r.ops[n]
		part := j.name(op)
		if i < len(ops)-1 || why == whyFence {
			part += ", " + j.lasts(op)
		}
		parts = append(parts, part)
		indices = append(indices, int(op.invoke), int(op.ret))
		if line := j.endedAt(op); line >= 0 {
			indices = append(indices, line)
		}
	}
	last := len(parts) - 1
	story := fmt.Sprintf("%s, although %s", parts[last], why)
	if last > 0 {
		story = fmt.Sprintf("%s; yet %s, although %s", strings.Join(parts[:last], "; and "), parts[last], why)
	}
	return counterexample(indices, story)
}

func counterexample(indices []int, story string) *Counterexample {
	slices.Sort(indices)
	return &Counterexample{Indices: slices.Compact(indices), Story: story}
}

// name names a hold and when it was returned.
func (j *judging) name(op *lockOp) string {
	r := j.r
	extra := ""
	if op.token != 0 {
		extra = fmt.Sprintf(" with token %v", op.token)
	}
	if _, ok := j.m.(semaphore); ok {
		extra += " of " + plural(int(r.step(op).permits), "permit")
	}
	if r.step(op).reader {
		extra += " as a reader"
	}
	return fmt.Sprintf("client %s acquired %q as hold %s%s (invoked at %s, returned at %s)", r.clients.list[op.client-1],
		r.keys.list[op.key], r.holds[op.hold].name, extra, at(r.times[op.invoke]), at(r.times[op.ret]))
}

// lasts tells for how long a hold goes on.
func (j *judging) lasts(op *lockOp) string {
	h := &j.r.holds[op.hold]
	switch {
	case j.claims && op.empty():
		return "over when it returned"
	case j.claims && op.end == h.released, !j.claims && h.released >= 0:
		return "until its release was invoked at " + at(j.r.times[h.released])
	case j.claims && op.end == h.lost:
		return "until its holder was told of the loss at " + at(j.r.times[h.lost])
	case j.claims && h.deadline != Never:
		return "until its deadline at " + at(h.deadline)
	}
	return "to the end of the history"
}

// endedAt returns the line that ended the hold, or -1.
func (j *judging) endedAt(op *lockOp) int {
	h := &j.r.holds[op.hold]
	switch {
	case !j.claims:
		return int(h.released)
	case op.end == h.released || op.end == h.lost:
		return int(op.end)
	}
	return -1
}

// minimalSteps is how many steps it may take to make a counterexample smaller,
// and toldSteps how many operations a story tells.
const (
	minimalSteps = 3_000_000
	toldSteps    = 12
)

// minimal shows why the search refused a key. It goes back to the last moment
// at which the lock was as new, leaves out what was invoked after the search
// came to its end, looks how few of the last operations will do, and then lets
// go of one after the other, halves first, as long as what is left is illegal.
// Since is the line behind that moment.
func (j *judging) minimal(windows []window, found searched) (c *Counterexample, since int) {
	budget := &limits{minimalSteps, j.opts.Memory}
	illegal := func(ws []window) bool { return search(j.ctx, j.m, ws, budget).outcome == Invalid }
	var late, all []window
	for _, w := range windows {
		if w.from > found.stuck.to {
			continue // a claim that has not ended is held to the end
		}
		if w.to > found.stuck.to {
			w.maybe, w.to = true, noEnd
		}
		all = append(all, w)
		if w.from > found.quiet {
			late = append(late, w)
		}
	}
	if len(late) < len(all) && illegal(late) {
		all, since = late, int(found.quiet/2)+1
	}
	for last := 2; last < len(all); last *= 4 {
		if try := j.letGo(all, 0, len(all)-last); illegal(try) {
			all = try
			break
		}
	}
	for size := (len(all) + 1) / 2; size >= 1; size /= 2 {
		for from := 0; from < len(all) && budget.steps > 0 && j.ctx.Err() == nil; {
			to := min(from+size, len(all))
			if !slices.ContainsFunc(all[from:to], func(w window) bool { return !w.maybe }) {
				from = to
				continue
			}
			try := j.letGo(all, from, to)
			if illegal(try) {
				from = max(0, from+size-(len(all)-len(try)))
				all = try
				continue
			}
			from += size
		}
	}
	return j.tellSearched(all, since), since
}

// letGo returns the windows without those from one to another.
//
// Where holds end with their claims, and tokens do not depend on what a hold is
// nested in, whole holds are left out: a legal order without one of its holds
// is legal. Elsewhere, that may take away what a release gave back; there, what
// is let go may or may not have happened while it was open, which makes more
// orders legal, never fewer.
func (j *judging) letGo(windows []window, from, to int) []window {
	if !j.claims || j.model == ModelReentrantFencedMutex {
		less := slices.Clone(windows)
		for i := from; i < to; i++ {
			less[i].maybe = true
		}
		return less
	}
	gone := map[*lockOp]bool{}
	for _, w := range windows[from:to] {
		gone[w.op] = true
	}
	return slices.DeleteFunc(slices.Clone(windows), func(w window) bool { return gone[w.op] })
}

// tellSearched makes a sentence of the steps that are left.
func (j *judging) tellSearched(windows []window, since int) *Counterexample {
	var parts []string
	var indices []int
	for _, w := range windows {
		if w.maybe {
			continue
		}
		op, r := w.op, j.r
		client := r.clients.list[op.client-1]
		switch {
		case w.do == take || w.do == raise:
			part := j.name(op)
			if w.do == raise {
				part += ", over when it returned"
			}
			parts = append(parts, part)
		case j.claims:
			parts = append(parts, fmt.Sprintf("client %s's hold %s lasted %s", client, r.holds[op.hold].name, j.lasts(op)))
		default:
			hold := "no hold"
			if op.hold >= 0 {
				hold = "hold " + r.holds[op.hold].name
			}
			parts = append(parts, fmt.Sprintf("client %s released %q, naming %s (invoked at %s, returned at %s)", client,
				r.keys.list[op.key], hold, at(r.times[op.invoke]), at(r.times[op.ret])))
		}
		if w.do == give && j.claims {
			line := j.endedAt(op)
			if j.model == ModelReentrantFencedMutex {
				line = int(op.end) // ends are let go of by themselves
			}
			if line >= 0 {
				indices = append(indices, line)
			}
			continue
		}
		indices = append(indices, int(op.invoke), int(op.ret))
	}
	before := ""
	if since > 0 {
		before = fmt.Sprintf("of a lock that nobody held before index %d ", since)
	}
	story := fmt.Sprintf("no order %sis legal for %s in which all of this happened, whatever became of everything else: %s",
		before, j.model, strings.Join(shortened(parts), "; "))
	return counterexample(indices, story)
}

// shortened leaves out what stands in the middle of a long list.
func shortened(parts []string) []string {
	if len(parts) <= toldSteps {
		return parts
	}
	head, tail := parts[:toldSteps/2], parts[len(parts)-toldSteps/2:]
	return slices.Concat(head, []string{fmt.Sprintf("… and %d more …", len(parts)-toldSteps)}, tail)
}
