package scenario

import "time"

// largeTokens: tokens as large as hints make them, for what rounds them.
func largeTokens(p *Plan) Story {
	s := Story{
		Why:     "tokens are large; one that is rounded where it is kept is handed out twice, and a guard that rounds takes a holder's that is past",
		Need:    p.TTL + Duration(3*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "late", Client: "s1", Within: p.freed(), Hint: true},
			{Do: DoWrite, As: "late"},
			{Do: DoEnd, As: "late", Within: p.TTL},
			{Do: DoLock, As: "next", Client: waiter, Within: p.freed(), Hint: true},
			{Do: DoWrite, As: "next"},
			{Do: DoWrite, As: "late"},
			{Do: DoUnlock, As: "next"},
		},
	}
	for range 3 {
		for _, client := range s.Clients {
			s.Steps = append(s.Steps,
				Step{Do: DoLock, As: "count", Client: client, Within: p.TTL},
				Step{Do: DoUnlock, As: "count"})
		}
	}
	return s
}

// forgotten: the node that two majorities share forgets the tokens that one of
// them saw, and is admitted before the other asks for more.
func forgotten(p *Plan) Story {
	first, shared, last := p.sides()
	s := Story{
		Why:     "the only node that two majorities share forgets its tokens; admitted again, it must count on above those of others",
		Need:    Duration(p.quarantine() + 5*settle),
		After:   true,
		Clients: []string{"s1", "s2"},
		Path:    PathReadmission,
		Steps:   []Step{cutOff("a", "s1", last), cutOff("b", "s2", first)},
	}
	for range 3 {
		s.Steps = append(s.Steps,
			Step{Do: DoLock, As: "early", Client: "s1", Within: p.TTL},
			Step{Do: DoUnlock, As: "early"})
	}
	s.Steps = append(s.Steps,
		Step{Do: DoFault, As: "wipe", Kind: Amnesia, Nodes: shared[:1]},
		Step{Do: DoAdmit, Nodes: shared[:1], Within: Duration(p.quarantine() + 3*settle)},
		Step{Do: DoLock, As: "next", Client: "s2", Within: p.TTL},
		Step{Do: DoUnlock, As: "next"},
		Step{Do: DoHeal, As: "wipe"}, Step{Do: DoHeal, As: "a"}, Step{Do: DoHeal, As: "b"})
	return s
}

// newBeginning: tokens aimed ahead of the nodes' time; then every node loses its
// memory, and an operator, who knows that no lock is held, begins anew.
func newBeginning(p *Plan) Story {
	return Story{
		Why:     "a client's clock is fast, and its tokens lie ahead of the nodes' time; all memory is lost, and tokens must begin above them all the same",
		Need:    Duration(p.quarantine() + 6*settle),
		Clients: []string{"s1", "s2"},
		Steps: []Step{
			{Do: DoFault, As: "fast", Kind: WallJump, Clients: []string{"s1"}, By: Duration(50 * time.Second)},
			{Do: DoLock, As: "before", Client: "s1", Within: p.TTL, Hint: true},
			{Do: DoLock, As: "wait", Client: "s2", Within: 2 * p.NodeDeadline, Fail: true},
			{Do: DoWrite, As: "before"},
			{Do: DoUnlock, As: "before"},
			{Do: DoFault, As: "all", Kind: FlushAll, Nodes: p.Nodes, Force: true},
			{Do: DoBootstrap, Within: p.TTL},
			{Do: DoLock, As: "after", Client: "s2", Within: p.TTL, Hint: true},
			{Do: DoWrite, As: "after"},
			{Do: DoUnlock, As: "after"},
			{Do: DoHeal, As: "all"}, {Do: DoHeal, As: "fast"},
		},
	}
}
