package scenario

// slowAcquire is drift with two slow round trips and next to no drift to cover
// them (see setups).
func slowAcquire(p *Plan) Story {
	s := drift(p, 1)
	for i := range s.Steps {
		if s.Steps[i].Kind == Delay {
			// Well below the deadline, or attempts fail and make counters equal.
			s.Steps[i].Latency = p.NodeDeadline / 2
		}
	}
	s.Why = "an acquire takes two slow round trips; a deadline counted from any moment but its start lies after the keys have expired"
	return s
}

// cancelled: the caller gives up when some nodes have granted and the others'
// answers are still on their way.
func cancelled(p *Plan) Story {
	return Story{
		Why:     "an acquire is cancelled between the first grant and the last; it must not count as held",
		Need:    Duration(3*settle) + 10*p.NodeDeadline,
		Clients: []string{"s1"},
		Steps: []Step{
			{Do: DoFault, As: "slow", Kind: Delay, Direction: Replies, Latency: p.NodeDeadline * 4 / 5, Clients: []string{"s1"}, Nodes: p.Nodes[p.Spare():]},
			{Do: DoLock, As: "c", Client: "s1", Within: p.NodeDeadline / 2, Fail: true, Keep: true},
			pause(4 * p.NodeDeadline),
			{Do: DoUnlock, As: "c"},
			{Do: DoHeal, As: "slow"},
		},
	}
}

func expiry(p *Plan) Story {
	return Story{
		Why:     "a lease that nobody renews must end by itself, with the holder told",
		Need:    p.TTL + Duration(2*settle),
		Clients: []string{"s1"},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.freed()},
			{Do: DoEnd, As: "h", Within: p.TTL},
		},
	}
}
