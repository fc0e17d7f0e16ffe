package scenario

import "time"

// What is left behind by these stories is looked for after the run's end, so
// they are short, and told until then.

func lostReplies(p *Plan) Story {
	return Story{
		Why:     "nodes grant, and their answers are lost; the release must reach them all the same",
		Need:    Duration(4*settle) + 6*p.NodeDeadline,
		Clients: []string{"s1"},
		Steps: []Step{
			// Only what is sent by a connection that works gets to the nodes.
			pause(6 * p.NodeDeadline),
			{Do: DoLock, As: "first", Client: "s1", Within: p.TTL},
			{Do: DoUnlock, As: "first"},
			{Do: DoFault, As: "lost", Kind: LoseReplies, Direction: Replies, Clients: []string{"s1"}, Nodes: p.Nodes[:p.Spare()]},
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			{Do: DoUnlock, As: "h"},
			{Do: DoHeal, As: "lost"},
		},
	}
}

func renewer(p *Plan) Story {
	return Story{
		Why:     "a lease is released; a renewal after that sets its keys again, and nobody frees them",
		Need:    Duration(2 * settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.freed(), Renew: true},
			{Do: DoWrite, As: "h"},
			{Do: DoLock, As: "wait", Client: waiter, Within: p.NodeDeadline, Fail: true},
			{Do: DoUnlock, As: "h"},
			pause(2 * p.NodeDeadline),
		},
	}
}

// lateRequest is told of two nodes, one after the other, so that at most times
// one of them has just heard of a lease that is over.
func lateRequest(p *Plan) Story {
	s := Story{
		Why:     "an ACQUIRE is on its way for so long that the lease was released, and the release answered, before it arrives; it must come to nothing",
		Need:    Duration(5*settle) + 30*p.NodeDeadline,
		Clients: []string{"s1"},
	}
	for _, node := range p.Nodes[:max(1, p.Spare())] {
		s.Steps = append(s.Steps,
			Step{Do: DoFault, As: node, Kind: Strand, Direction: Requests, Clients: s.Clients, Nodes: []string{node}},
			Step{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			pause(4*p.NodeDeadline), // by then a release that is answered is the last
			Step{Do: DoUnlock, As: "h"},
			pause(p.NodeDeadline),
			Step{Do: DoHeal, As: node})
	}
	return s
}

// lateExtend: the EXTEND is stranded on a node that did not have the key.
func lateExtend(p *Plan) Story {
	s := Story{
		Why:     "an EXTEND arrives at a node that lacks the key after the lease was released; it must not set it",
		Need:    Duration(6*settle) + 50*p.NodeDeadline,
		Clients: []string{"s1"},
	}
	for _, node := range p.Nodes[:max(1, p.Spare())] {
		s.Steps = append(s.Steps,
			cutOff("cut", "s1", []string{node}),
			Step{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			Step{Do: DoHeal, As: "cut"},
			pause(8*p.NodeDeadline), // until the client is connected again
			Step{Do: DoFault, As: node, Kind: Strand, Direction: Requests, Clients: s.Clients, Nodes: []string{node}},
			Step{Do: DoExtend, As: "h", Within: 4 * p.NodeDeadline},
			pause(3*p.NodeDeadline),
			Step{Do: DoUnlock, As: "h"},
			pause(p.NodeDeadline),
			Step{Do: DoHeal, As: node})
	}
	return s
}

func noChannel(p *Plan) Story {
	return Story{
		Why:     "the clients' user may not publish; a release must free the lock all the same",
		Need:    Duration(p.quarantine() + 2*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.freed()},
			{Do: DoWrite, As: "h"},
			{Do: DoLock, As: "wait", Client: waiter, Within: 2 * p.NodeDeadline, Fail: true},
			{Do: DoUnlock, As: "h"},
			pause(2 * p.NodeDeadline),
		},
	}
}

// crashBetween: requests are slow, so the holder dies between the grant and
// whatever it sends after it.
func crashBetween(p *Plan) Story {
	return Story{
		Why:     "a holder dies when it has the lock and before its next request arrives; if that was to set the ttl, the lock never comes free",
		Need:    Duration(p.quarantine()+2*settle) + Duration(time.Second),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoFault, As: "slow", Kind: Delay, Direction: Requests, Latency: p.NodeDeadline * 4 / 5, Clients: []string{"s1"}, Nodes: p.Nodes},
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			{Do: DoCrash, Client: "s1"},
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			{Do: DoWrite, As: "w"},
			{Do: DoUnlock, As: "w"},
			{Do: DoHeal, As: "slow"},
		},
	}
}
