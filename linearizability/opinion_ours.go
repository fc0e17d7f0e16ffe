package linearizability

import (
	"cmp"
	"fmt"
	"slices"
)

// What our verdict on a key is, and why porcupine's must be the same.
//
// Porcupine judges the fenced mutex: an acquire h that returned ok takes effect
// at a point p(h) between its invocation and its return, where nobody holds the
// lock, and its token is zero or above all that took effect before. Its hold
// ends at one point e(h), just before the line at which its claim ends. An
// empty claim holds nothing: only its token, if there is one, takes effect.
//
// Ours convicts a key where
//
//	(a) mutual exclusion falls on it: two claims share a line; or
//	(b) token order falls on it; or
//	(c) token order falls on it once each acquire counts as invoked no sooner
//	    than the claims before its own had ended.
//
// Lemma. In every legal order, p(h) > e(g) for non-empty claims of g and h (not
// both of readers) where g returned first. For the hold of g lasts from p(g) to
// e(g) and contains its claim; if p(h) < e(g), then g had returned when h did,
// so that h took effect either inside g's hold, or before p(g), and then its
// hold lasts beyond its return, which is after p(g), and g took effect inside
// it. Both are illegal.
//
// If ours convicts, no order is legal. (a): of two claims that share a line one
// returned first, and its hold had not ended when the other returned, against
// the lemma. (b): tokens that are equal have no order; and an acquire that
// returned before another was invoked takes effect before it. (c): the same
// with the lemma in place of the invocation.
//
// If ours does not convict, there is a legal order. Let lo(h) be the later of
// h's invocation and e of the claims before its own (that alone for an empty
// one, and the claims of readers do not count for readers), and hi(h) its
// return; by (a), lo(h) < hi(h). Take the acquires by rising token, which are
// unique by (b), and put each at the earliest point from lo(h) on that is after
// the one before. A point is then the lo of an acquire g with a token not above
// h's, moved on by less than a line; if it lay behind hi(h), then h returned
// before g may be invoked, in the sense of (c), with a token above g's, or is g.
// (c) excludes the first and lo < hi the second. Acquires without a token take
// effect at their return. So tokens rise along the points, no point lies in a
// hold of another (p(h) > e(g) for all before, and the holds after begin behind
// e(h) in turn), and every point is in its bounds.
//
// Nothing is assumed of unknown outcomes, empty claims or missing tokens, since
// where any line of a history has a deadline, nothing but claims counts.
// Histories without any are another matter: see inexact.

// keyHolds are the holds of one key, in the order in which they returned.
type keyHolds struct {
	holds    []Hold
	releases []*Op
}

// byKey is a history with its holds and releases key by key.
type byKey struct {
	*history
	keys      map[string]*keyHolds
	deadlines bool // some line has one
}

func holdsByKey(h *history) *byKey {
	b := &byKey{history: h, keys: map[string]*keyHolds{}, deadlines: hasDeadlines(h.events)}
	for _, c := range h.holds {
		k := b.key(c.Key)
		k.holds = append(k.holds, c)
	}
	for i := range h.ops {
		if op := &h.ops[i]; op.F == Release {
			k := b.key(op.Key)
			k.releases = append(k.releases, op)
		}
	}
	return b
}

// key returns what there is of the key.
func (b *byKey) key(name string) *keyHolds {
	if b.keys[name] == nil {
		b.keys[name] = &keyHolds{}
	}
	return b.keys[name]
}

// ours gives our verdict on one key, and which properties fell on it.
func (b *byKey) ours(key string) (Argument, []Property) {
	k := b.key(key)
	if !b.deadlines {
		if why := k.inexact(); why != "" {
			return Argument{Outcome: NotJudged, Reason: "the sweeps are not exact where no hold has a deadline and " + why}, nil
		}
	}
	exclusion := (&history{holds: k.holds}).mutualExclusion()
	order := k.asHistory(b.events)
	tokens := order.tokenOrder()
	var fallen []Property
	var first Argument
	if exclusion.Outcome == Invalid {
		fallen = append(fallen, MutualExclusion)
		first = Argument{Invalid, string(MutualExclusion) + ": " + exclusion.Reason, exclusion.Counterexample.Indices}
	}
	if tokens.Outcome == Invalid {
		if len(fallen) == 0 {
			first = Argument{Invalid, string(TokenOrder) + ": " + tokens.Reason, order.lines(tokens.Counterexample)}
		}
		fallen = append(fallen, TokenOrder)
	}
	if len(fallen) > 0 {
		return first, fallen
	}
	if c := k.tokensAlong(b.events); c.Outcome == Invalid {
		return Argument{Invalid, c.Reason, c.Counterexample.Indices}, nil
	}
	return Argument{Outcome: Valid, Reason: exclusion.Reason + "; " + tokens.Reason}, nil
}

// compact is a history of nothing but the ends of acquires, so that judging the
// keys one by one takes no longer than judging them all at once.
type compact struct {
	history
	index []int // the events' own indices
}

func (k *keyHolds) asHistory(events []Event) *compact {
	c := &compact{}
	for _, hold := range k.holds {
		c.index = append(c.index, hold.Invoke, hold.Start)
	}
	slices.Sort(c.index)
	for _, i := range c.index {
		c.events = append(c.events, events[i])
	}
	for _, hold := range k.holds {
		hold.Invoke, _ = slices.BinarySearch(c.index, hold.Invoke)
		hold.Start, _ = slices.BinarySearch(c.index, hold.Start)
		c.holds = append(c.holds, hold)
	}
	return c
}

// lines returns the lines of a counterexample as the whole history counts them.
func (c *compact) lines(example *Counterexample) []int {
	lines := make([]int, len(example.Indices))
	for i, at := range example.Indices {
		lines[i] = c.index[at]
	}
	return lines
}

// tokensAlong is (c): token order where an acquire counts as invoked no sooner
// than the claims before its own had ended. The claims must not overlap.
func (k *keyHolds) tokensAlong(events []Event) Clause {
	const name = "tokens grow along the claims"
	type window struct {
		hold  *Hold
		from  int   // twice the index of the invocation, or one less than that of the line before which prior's claim ends
		prior *Hold // whose claim must have ended, or nil
	}
	var windows []window
	var all, writers *Hold // the last claim to end, of each
	for i := range k.holds {
		c := &k.holds[i]
		w := window{hold: c, from: 2 * c.Invoke}
		before := all
		if c.Mode == ModeRead {
			before = writers
		}
		if before != nil && !c.Empty() && 2*before.End-1 > w.from {
			w.from, w.prior = 2*before.End-1, before
		}
		if c.Token != 0 {
			windows = append(windows, w)
		}
		if !c.Empty() && (all == nil || c.End > all.End) {
			all = c
		}
		if !c.Empty() && c.Mode != ModeRead && (writers == nil || c.End > writers.End) {
			writers = c
		}
	}
	slices.SortStableFunc(windows, func(a, b window) int { return cmp.Compare(a.hold.Token, b.hold.Token) })
	var last window // of those with lower tokens, the one to begin last
	for _, w := range windows {
		if last.hold != nil && last.from > 2*w.hold.Start {
			since := "its acquire was invoked at " + at(events[last.hold.Invoke].Time)
			indices := []int{w.hold.Invoke, w.hold.Start, last.hold.Invoke, last.hold.Start}
			if last.prior != nil {
				since = fmt.Sprintf("the claim of %s lasted %s", last.prior.who(), last.prior.until())
				indices = append(indices, last.prior.Start, last.prior.ending())
			}
			return invalid(name, len(windows), indices, "%s, returned at %s; %s cannot have held the lock before, since %s, and yet has a lower token",
				w.hold.who(), at(w.hold.StartTime), last.hold.who(), since)
		}
		if last.hold == nil || w.from > last.from {
			last = w
		}
	}
	return valid(name, len(windows), "%s, rising along the claims", plural(len(windows), "token"))
}

// inexact says why the sweeps do not decide the fenced mutex on this key of a
// history without deadlines, or "". They do where every release may have
// happened, names a hold of its own client that had returned, and is the only
// one to name it. Then a hold contains the lines from its acquire's return to
// its release's invocation, which are its claim, and may be no longer, so that
// all of the above applies; acquires of unknown outcome need not have happened,
// and a release of unknown outcome may have happened at its invocation.
func (k *keyHolds) inexact() string {
	byName := make(map[string]*Hold, len(k.holds))
	for i := range k.holds {
		c := &k.holds[i]
		byName[c.Hold] = c
		switch {
		case c.Mode == ModeRead:
			return fmt.Sprintf("%s is a reader's", c.who())
		case c.Lost >= 0:
			return fmt.Sprintf("%s was reported as lost", c.who())
		}
	}
	named := map[string]bool{}
	for _, op := range k.releases {
		c := byName[op.hold()]
		switch {
		case op.Type == Fail:
			return fmt.Sprintf("the release at index %d failed", op.Invoke)
		case c == nil || c.Start > op.Invoke || c.Client != op.Client:
			return fmt.Sprintf("the release at index %d names no hold that its client had", op.Invoke)
		case named[op.hold()]:
			return fmt.Sprintf("the release at index %d is not the first of its hold", op.Invoke)
		}
		named[op.hold()] = true
	}
	return ""
}
