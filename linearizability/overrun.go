package linearizability

// overrun: no holder begins an operation on a resource after its claim ended.
//
// An operation belongs to the hold that it names. One that names none belongs
// to the hold of its client, key and token, if there is one.
func (h *history) overrun() Clause {
	const name = "holders stop in time"
	type holder struct {
		client, key string
		token       Token
	}
	byName := make(map[string]*Hold, len(h.holds))
	byToken := make(map[holder]*Hold, len(h.holds))
	for i := range h.holds {
		c := &h.holds[i]
		byName[c.Hold] = c
		if c.Token != 0 {
			byToken[holder{c.Client, c.Key, c.Token}] = c
		}
	}
	judged, over := 0, 0
	var act *Op
	var of *Hold
	for i := range h.ops {
		op := &h.ops[i]
		if op.F != Stamp && op.F != Read && op.F != Write {
			continue
		}
		c := byName[op.hold()]
		if op.hold() == "" {
			c = byToken[holder{op.Client, op.Key, Token(op.token())}]
		}
		if c == nil || op.Invoke < c.Start {
			continue
		}
		judged++
		if op.Invoke < c.End {
			continue
		}
		if over++; act == nil {
			act, of = op, c
		}
	}
	switch {
	case act != nil:
		return invalid(name, judged, []int{of.Invoke, of.Start, of.ending(), act.Invoke, act.Return},
			"%s, returned at %s, claims the lock %s, but its holder invoked a %s at %s (%d of %s came too late)",
			of.who(), at(of.StartTime), of.until(), act.F, at(act.Start), over, plural(judged, "operation"))
	case judged == 0:
		return notJudged(name, "no operation on a resource can be told to belong to a hold")
	}
	return valid(name, judged, "%s, all inside claims", plural(judged, "operation"))
}
