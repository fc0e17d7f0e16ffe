package linearizability

// tokenOrder: per key, no two acquires return the same token, and each returns
// one above those of all acquires that had returned before it was invoked.
func (h *history) tokenOrder() Clause {
	const name = "tokens grow"
	type state struct {
		highest *Hold // of those returned so far
		by      map[Token]*Hold
	}
	keys := map[string]*state{}
	byInvoke := make(map[int]*Hold, len(h.holds)) // the holds by both ends of their acquires
	byReturn := make(map[int]*Hold, len(h.holds))
	for i := range h.holds {
		if c := &h.holds[i]; c.Token != 0 {
			byInvoke[c.Invoke], byReturn[c.Start] = c, c
			if keys[c.Key] == nil {
				keys[c.Key] = &state{by: map[Token]*Hold{}}
			}
		}
	}
	floor := make(map[*Hold]*Hold, len(h.holds)) // hold → highest returned before it was invoked
	for i := range h.events {
		if c := byInvoke[i]; c != nil {
			floor[c] = keys[c.Key].highest
			continue
		}
		c := byReturn[i]
		if c == nil {
			continue
		}
		k := keys[c.Key]
		if twin := k.by[c.Token]; twin != nil {
			return invalid(name, len(floor), []int{twin.Invoke, twin.Start, c.Invoke, c.Start},
				"%s, returned at %s, and %s, returned at %s, have the same token", twin.who(), at(twin.StartTime), c.who(), at(c.StartTime))
		}
		if f := floor[c]; f != nil && f.Token >= c.Token {
			return invalid(name, len(floor), []int{f.Start, c.Invoke, c.Start},
				"%s had returned at %s when the acquire was invoked at %s that returned, at %s, %s: not a higher one",
				f.who(), at(f.StartTime), at(h.events[c.Invoke].Time), at(c.StartTime), c.who())
		}
		k.by[c.Token] = c
		if k.highest == nil || c.Token > k.highest.Token {
			k.highest = c
		}
	}
	if len(floor) == 0 {
		return notJudged(name, "no acquire returned a token")
	}
	return valid(name, len(floor), "%s, unique and rising", plural(len(floor), "token"))
}
