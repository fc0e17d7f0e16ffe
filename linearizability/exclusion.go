package linearizability

// mutualExclusion: per key, no two claims share a line, except those of readers.
//
// One sweep over the claims by their first line is enough: of the claims that
// began before, only the last to end can matter, and it is kept apart for
// readers and for all.
func (h *history) mutualExclusion() Clause {
	const name = "claims do not overlap"
	type ahead struct{ all, writers *Hold } // the last to end of each
	keys := map[string]*ahead{}
	var first, second *Hold
	overlaps, claims := 0, 0
	for i := range h.holds { // in the order of their first lines
		c := &h.holds[i]
		if c.Empty() {
			continue
		}
		claims++
		k := keys[c.Key]
		if k == nil {
			k = &ahead{}
			keys[c.Key] = k
		}
		before := k.all
		if c.Mode == ModeRead {
			before = k.writers
		}
		if before != nil && before.End > c.Start {
			if overlaps++; first == nil {
				first, second = before, c
			}
		}
		if k.all == nil || c.End > k.all.End {
			k.all = c
		}
		if c.Mode != ModeRead && (k.writers == nil || c.End > k.writers.End) {
			k.writers = c
		}
	}
	if first == nil {
		return valid(name, claims, "%s, no two of which overlap", plural(claims, "claim"))
	}
	return invalid(name, claims, []int{first.Invoke, first.Start, first.ending(), second.Invoke, second.Start, second.ending()},
		"%s, returned at %s, claims the lock %s; yet %s returned at %s and claims it %s (%s of %d began inside another)",
		first.who(), at(first.StartTime), first.until(), second.who(), at(second.StartTime), second.until(),
		plural(overlaps, "claim"), claims)
}
