package scenario

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// minimum is the shortest duration that holds the stories and one fault of
// each kind: those that cost a vote must follow each other where no more than
// Spare nodes may be out. The quarantines of the last ones may outlast it.
func (p *Plan) minimum(kinds []Kind) time.Duration {
	need := p.storiesEnd()
	if len(kinds) == 0 {
		return max(need, time.Second)
	}
	var busy time.Duration // of all nodes together
	losing := 0
	for _, k := range kinds {
		if k.OnLinks() && k != CutNode {
			continue
		}
		busy += maxFor + settle + maxGap
		if k.LosesVote() {
			losing++
		}
	}
	busy += time.Duration(max(0, losing-p.Spare())) * p.quarantine()
	need += busy/time.Duration(p.Spare()) + 2*time.Second
	return (need + time.Second - 1).Truncate(time.Second)
}

const (
	maxFor = 700 * time.Millisecond // the longest random fault
	maxGap = 350 * time.Millisecond // the longest pause between two of a stream
)

// randomFaults draws two streams: one of faults on links, from the start, and
// one of faults on nodes, once the stories need the nodes no longer.
//
// In a short run an unlucky order of kinds may leave no time for the last;
// then the next stream of the seed is drawn from.
func randomFaults(p *Plan, kinds []Kind) ([]Fault, error) {
	for stream := range uint64(100) {
		faults := drawFaults(p, slices.Clone(kinds), source(p.Seed, 2+stream))
		missing := func(k Kind) bool {
			return !slices.ContainsFunc(faults, func(f Fault) bool { return f.Kind == k })
		}
		if !slices.ContainsFunc(kinds, missing) {
			return faults, nil
		}
	}
	return nil, &TooShortError{Duration: p.Duration.D(), Minimum: p.Duration.D() + time.Second}
}

func drawFaults(p *Plan, kinds []Kind, r *rand.Rand) []Fault {
	d := drawer{plan: p, rand: r, faults: []Fault{}}
	var links, nodes []Kind
	for _, k := range kinds {
		if k.OnLinks() && k != CutNode {
			links = append(links, k)
		} else {
			nodes = append(nodes, k)
		}
	}
	d.stream(nodes, p.storiesEnd()+d.between(100*time.Millisecond, 300*time.Millisecond))
	d.stream(links, firstStory+d.between(100*time.Millisecond, 300*time.Millisecond))
	slices.SortStableFunc(d.faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	for i := range d.faults {
		d.faults[i].ID = i + 1
	}
	return d.faults
}

// drawer places faults so that they do not ask the impossible of each other.
type drawer struct {
	plan   *Plan
	rand   *rand.Rand
	faults []Fault
}

// stream deals the kinds like cards, so that each comes up as often as the
// others, and places each at the earliest time that fits.
func (d *drawer) stream(kinds []Kind, at time.Duration) {
	for len(kinds) > 0 {
		d.rand.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		for _, kind := range kinds {
			f := d.draw(kind)
			for !d.place(&f, at) {
				at += 20 * time.Millisecond
				if at+f.For.D() > d.limit() {
					return
				}
			}
			d.faults = append(d.faults, f)
			at += d.between(50*time.Millisecond, maxGap)
		}
	}
}

// limit is when the last fault must have been healed.
func (d *drawer) limit() time.Duration { return d.plan.Duration.D() - 50*time.Millisecond }

func (d *drawer) between(low, high time.Duration) time.Duration {
	return (low + time.Duration(d.rand.Int64N(int64(high-low)+1))).Truncate(time.Millisecond)
}

// draw decides everything about a fault but when and, for faults on nodes, where.
func (d *drawer) draw(kind Kind) Fault {
	f := Fault{Kind: kind, For: Duration(d.between(300*time.Millisecond, maxFor))}
	nd := d.plan.NodeDeadline.D()
	switch kind {
	case Partition:
		f.Clients, f.Nodes, f.Direction = d.pick(d.plan.Clients, 1), d.plan.Nodes, Both
	case CutNode:
		f.Clients, f.Direction = d.plan.Clients, Both
	case LoseRequests, LoseReplies, Hold, Delay:
		f.Clients = d.pick(d.plan.Clients, 1+d.rand.IntN(3))
		f.Nodes = d.pick(d.plan.Nodes, 1+d.rand.IntN(d.plan.Quorum()))
		f.Direction = map[Kind]Direction{LoseRequests: Requests, LoseReplies: Replies, Hold: Replies, Delay: Replies}[kind]
	case FlushAll:
		f.For = 0
	case PauseAll:
		f.For = Duration(d.between(150*time.Millisecond, 400*time.Millisecond))
	}
	if kind == Hold && d.rand.IntN(2) == 0 {
		f.Direction = Requests
	}
	if kind == Delay {
		f.Latency = Duration(d.between(nd/10, nd*13/10))
		f.Jitter = Duration(d.between(0, f.Latency.D()/3))
	}
	return f
}

// pick draws n of the names, in their order.
func (d *drawer) pick(names []string, n int) []string {
	index := d.rand.Perm(len(names))[:min(n, len(names))]
	slices.Sort(index)
	picked := make([]string, len(index))
	for i, k := range index {
		picked[i] = names[k]
	}
	return picked
}

// place tries to let f strike at the given time; for a fault on a node it
// draws which.
func (d *drawer) place(f *Fault, at time.Duration) bool {
	if at+f.For.D() > d.limit() {
		return false
	}
	f.At = Duration(at)
	if f.Kind.OnLinks() && f.Kind != CutNode {
		return !slices.ContainsFunc(d.faults, func(g Fault) bool { return d.meet(*f, g) && sharePair(*f, g) })
	}
	var out, held []string // nodes that are impaired at some time meanwhile; that must not be
	for _, g := range d.faults {
		if !d.meet(*f, g) {
			continue
		}
		if g.Kind == PauseAll || f.Kind == PauseAll && !d.onlyQuarantined(*f, g) {
			return false
		}
		if !g.Kind.OnLinks() || g.Kind == CutNode {
			out = append(out, g.Nodes...)
		}
	}
	if f.Kind == PauseAll {
		f.Nodes = d.plan.Nodes
		return true
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if f.Kind.LosesVote() && at < d.plan.Retention.D()+2*time.Second {
		// An admission starts the clock of a node's fence tables anew. The last
		// node keeps its vote until they have turned there once.
		held = append(held, d.plan.Nodes[len(d.plan.Nodes)-1])
	}
	free := slices.DeleteFunc(slices.Clone(d.plan.Nodes), func(n string) bool { return slices.Contains(out, n) || slices.Contains(held, n) })
	if len(out) >= d.plan.Spare() || len(free) == 0 {
		return false
	}
	f.Nodes = d.pick(free, 1)
	return true
}

// meet tells whether the times of two faults, with what follows, overlap.
func (d *drawer) meet(f, g Fault) bool { return f.At < d.over(g) && g.At < d.over(f) }

// over is when the effects of f are over.
func (d *drawer) over(f Fault) Duration {
	end := f.End() + Duration(settle)
	if f.Kind.LosesVote() {
		end += Duration(d.plan.quarantine())
	}
	return end
}

// onlyQuarantined tells whether the server of g runs all through f, so that it
// can be frozen, and g's links carry the confirmations.
func (d *drawer) onlyQuarantined(f, g Fault) bool {
	return g.Kind.LosesVote() && g.End()+Duration(settle) <= f.At
}

// sharePair tells whether two faults strike the same link; one link bears one
// fault at a time.
func sharePair(f, g Fault) bool {
	if !g.Kind.OnLinks() {
		return false
	}
	common := func(a, b []string) bool {
		return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
	}
	return common(f.Clients, g.Clients) && common(f.Nodes, g.Nodes)
}
