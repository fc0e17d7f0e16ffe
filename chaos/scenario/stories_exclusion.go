package scenario

// grab is an attempt that should fail. Where it does not, the lease is kept, so
// that it shows.
func grab(as, client string, within Duration) Step {
	return Step{Do: DoLock, As: as, Client: client, Within: within, Once: true, Fail: true, Keep: true}
}

func pause(d Duration) Step { return Step{Do: DoPause, Within: d} }

// halves: two clients reach half of the nodes each, rounded down.
func halves(p *Plan) Story {
	n := len(p.Nodes) / 2
	return Story{
		Why:     "two clients reach half of the nodes each; if half is enough, both get the lock",
		Need:    Duration(3*settle) + 10*p.NodeDeadline,
		Clients: []string{"s1", "s2"},
		Steps: []Step{
			cutOff("a", "s1", p.Nodes[n:]), cutOff("b", "s2", p.Nodes[:len(p.Nodes)-n]),
			grab("one", "s1", p.TTL), grab("other", "s2", p.TTL),
			pause(p.NodeDeadline),
			{Do: DoUnlock, As: "one"}, {Do: DoUnlock, As: "other"},
			{Do: DoHeal, As: "a"}, {Do: DoHeal, As: "b"},
		},
	}
}

func minority(p *Plan) Story {
	return Story{
		Why:     "a holder reaches one node alone; renewals there must not keep its lease alive, for the others' keys expire and another acquires",
		Need:    Duration(p.quarantine()+3*settle) + 10*p.NodeDeadline,
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL, Renew: true},
			cutOff("cut", "s1", p.Nodes[1:]),
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			pause(2 * p.NodeDeadline),
			{Do: DoUnlock, As: "w"},
			{Do: DoHeal, As: "cut"},
			{Do: DoUnlock, As: "h"},
		},
	}
}

func resurrection(p *Plan) Story {
	return Story{
		Why:     "a holder is cut off past its lease, another comes and goes, and the first one's renewals arrive again: the lease that ended must stay dead",
		Need:    Duration(p.quarantine()+5*settle) + 10*p.NodeDeadline,
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL, Renew: true},
			cutOff("cut", "s1", p.Nodes),
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			pause(p.NodeDeadline),
			{Do: DoUnlock, As: "w"},
			{Do: DoHeal, As: "cut"},
			pause(ms(1000)), // a client backs off for half a second at the most
			{Do: DoUnlock, As: "h"},
		},
	}
}

// slewed: all nodes' clocks run as fast as the drift allows one of two clocks, so
// keys expire that much earlier.
func slewed(p *Plan) Story {
	return Story{
		Why:     "the nodes' clocks run faster than the holder's, by half of what the drift allows; a deadline without the drift lies after the keys have expired",
		Need:    p.TTL + Duration(4*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoFault, As: "fast", Kind: Slew, Nodes: p.Nodes, Rate: p.RateLimit()},
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			{Do: DoEnd, As: "h", Within: p.TTL},
			{Do: DoUnlock, As: "w"},
			{Do: DoHeal, As: "fast"},
		},
	}
}

// sameServer: to one client a majority of names leads to one server.
func sameServer(p *Plan) Story {
	q := p.Quorum()
	s := Story{
		Why:     "a majority of names leads to one server; counted once for each, it makes a majority alone, and the others make another",
		Need:    Duration(4*settle) + 20*p.NodeDeadline,
		Clients: []string{"s1", "s2"},
	}
	for _, name := range p.Nodes[1:q] {
		s.Steps = append(s.Steps, Step{Do: DoFault, As: name, Kind: SameServer, Nodes: []string{p.Nodes[0], name}, Clients: []string{"s1"}})
	}
	s.Steps = append(s.Steps,
		cutOff("a", "s1", p.Nodes[q:]), cutOff("b", "s2", p.Nodes[:1]),
		grab("one", "s1", p.TTL),
		Step{Do: DoLock, As: "all", Client: "s2", Within: p.TTL},
		pause(p.NodeDeadline),
		Step{Do: DoUnlock, As: "one"}, Step{Do: DoUnlock, As: "all"},
		Step{Do: DoHeal, As: "a"}, Step{Do: DoHeal, As: "b"})
	for _, name := range p.Nodes[1:q] {
		s.Steps = append(s.Steps, Step{Do: DoHeal, As: name})
	}
	return s
}

// twiceProbed: a node that a holder needs loses its memory twice, and whatever
// another client said to it in its first life is said again in the second.
func twiceProbed(p *Plan) Story {
	_, shared, last := p.sides()
	return Story{
		Why:     "a node loses its memory, is admitted, grants, and loses it again; what admitted it arrives a second time, and must not spare the new life its quarantine",
		Need:    Duration(2*p.quarantine() + 5*settle),
		Clients: []string{"s1", "s2"},
		Steps: []Step{
			cutOff("cut", "s1", last),
			{Do: DoFault, As: "dup", Kind: Duplicate, Direction: Requests, Clients: []string{"s2"}, Nodes: shared[:1]},
			{Do: DoFault, As: "wipe", Kind: FlushAll, Nodes: shared[:1]},
			{Do: DoLock, As: "notice", Client: "s2", Within: p.TTL},
			{Do: DoUnlock, As: "notice"},
			{Do: DoAdmit, Nodes: shared[:1], Within: Duration(p.quarantine() + 2*settle)},
			{Do: DoHeal, As: "wipe"},
			{Do: DoLock, As: "held", Client: "s1", Within: p.TTL},
			{Do: DoFault, As: "again", Kind: FlushAll, Nodes: shared[:1]},
			{Do: DoHeal, As: "dup"},
			{Do: DoLock, As: "next", Client: "s2", Within: p.freed()},
			{Do: DoWrite, As: "next"},
			{Do: DoUnlock, As: "next"},
			{Do: DoHeal, As: "again"}, {Do: DoHeal, As: "cut"},
		},
	}
}

// copiedNode: the node that two majorities share follows its own replica, which
// was left behind, and is a primary again with what that one knew.
func copiedNode(p *Plan) Story {
	first, shared, last := p.sides()
	s := Story{
		Why:     "a node becomes a replica of a stale copy of itself and a primary again, in the same process with the same run_id; it must not vote with the memory that it has then",
		Need:    Duration(2*p.quarantine() + 6*settle),
		After:   true,
		Clients: []string{"s1", "s2"},
		Steps: []Step{
			cutOff("a", "s1", last), cutOff("b", "s2", first),
			{Do: DoLock, As: "early", Client: "s1", Within: p.TTL},
			{Do: DoUnlock, As: "early"},
			{Do: DoFault, As: "copy", Kind: Attach, Nodes: shared[:1]},
			// Attaching costs the vote; it is not waited for by name, because a
			// lock that does not notice has nothing to give back.
			pause(Duration(p.quarantine() + settle)),
		},
	}
	for range 4 {
		s.Steps = append(s.Steps,
			Step{Do: DoLock, As: "more", Client: "s1", Within: Duration(p.quarantine() + settle)},
			Step{Do: DoUnlock, As: "more"})
	}
	s.Steps = append(s.Steps,
		Step{Do: DoLock, As: "held", Client: "s1", Within: p.TTL},
		Step{Do: DoFault, As: "back", Kind: Demote, Nodes: shared[:1], Force: true},
		Step{Do: DoLock, As: "next", Client: "s2", Within: Duration(2*p.quarantine() + settle)},
		Step{Do: DoWrite, As: "next"},
		Step{Do: DoUnlock, As: "next"},
		Step{Do: DoHeal, As: "copy"}, Step{Do: DoHeal, As: "back"},
		Step{Do: DoHeal, As: "a"}, Step{Do: DoHeal, As: "b"})
	return s
}
