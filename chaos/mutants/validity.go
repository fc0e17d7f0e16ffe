package mutants

// validityMutants claim a lease that a majority of nodes does not know of.
func validityMutants() []Mutant {
	return []Mutant{
		{
			Name: "acquire-from-reply", Bug: 4, Property: validity,
			Mistake: "the deadline counts from the end of the acquire rather than from its start",
			Patches: []Patch{core("attempt", "h.deadline = h.start.Add(h.p.Validity(h.req.TTL))", "h.deadline = now.Add(h.p.Validity(h.req.TTL))")},
		},
		{
			// Only a client that stood still is so late, and then the property
			// excuses the return itself: what convicts is that the nodes no
			// longer have what is claimed.
			Name: "returned-expired", Bug: 5, Property: validity,
			Mistake: "an acquire that took longer than its keys live is returned as a lease",
			Patches: []Patch{noElapsedCheck},
		},
		{
			Name: "no-recheck", Bug: 16, Property: validity,
			Mistake: "after the wait for RAISE the lease is taken for new",
			Patches: []Patch{core("attempt", "case votes >= q:\n\t\th.win(now, h.token, out)", "case votes >= q:\n\t\th.start = now\n\t\th.win(now, h.token, out)")},
		},
		{
			Name: "cancelled-held", Bug: 24, Property: validity,
			Mistake: "an acquire that was cancelled after the first grant is reported as held, while its keys are deleted",
			Patches: []Patch{core("attempt", "\t\th.fail(now, Cancelled, out)", cancelledHeld)},
		},
	}
}

// cancelledHeld tells a cancelled attempt as won.
const cancelledHeld = `		h.why = Cancelled
		for i := range h.p.N {
			h.token = max(h.token, h.nodes[i].token)
		}
		if h.token == 0 {
			h.fail(now, Cancelled, out)
			return
		}
		h.deadline = h.start.Add(h.p.Validity(h.req.TTL))
		out.event(Event{Kind: Won, Token: h.token, Deadline: h.deadline})
		h.beginRelease(now, out)`

// noElapsedCheck takes a lease for new however long the acquire took.
var noElapsedCheck = core("attempt", "h.fail(now, TooSlow, out)\n\t\treturn\n", "h.deadline = now.Add(h.p.Validity(h.req.TTL))\n")
