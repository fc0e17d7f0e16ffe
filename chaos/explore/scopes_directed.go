package explore

import "github.com/quorumlock/quorumlock/redlock/quorum"

// bootstrapScopes are about clusters that are made or made anew.
func bootstrapScopes() []Scope {
	return []Scope{
		{
			Name: "bootstrap", Covers: "an operator bootstraps three empty nodes, and one attempt follows",
			Nodes: 3, TTL: 3, Attempts: asking(1), Empty: true, Operators: []quorum.BootstrapMode{quorum.NewCluster}, CI: true,
		},
		{
			Name: "bootstrap-loss", Covers: "a node loses its memory during a bootstrap, or after it",
			Nodes: 3, TTL: 3, Attempts: asking(1), Empty: true, Operators: []quorum.BootstrapMode{quorum.NewCluster}, Victims: 1, Forgets: 1, Dies: true,
		},
		{
			Name: "bootstraps", Covers: "two operators bootstrap the same nodes",
			Nodes: 3, TTL: 3, Attempts: asking(1), Timeless: true, Empty: true, Directed: true,
			Operators: []quorum.BootstrapMode{quorum.NewCluster, quorum.NewCluster},
		},
		{
			Name: "by-clock", Covers: "two nodes lose their memory, and a client makes the cluster anew after every lease has ended",
			Nodes: 3, TTL: 3, Attempts: asking(1), Operators: []quorum.BootstrapMode{quorum.ByClock}, Victims: 2, Forgets: 2,
		},
		{
			Name: "by-clock-two", Covers: "the same with two attempts",
			Nodes: 3, TTL: 3, Attempts: asking(2), Operators: []quorum.BootstrapMode{quorum.ByClock}, Victims: 2, Forgets: 2, Directed: true,
		},
	}
}

// directedScopes begin in the middle of a story, because what they are to find
// lies too far from the beginning: on four or five nodes, or among several
// operators.
func directedScopes() []Scope {
	newcomers := Scope{Nodes: 5, TTL: 3, Attempts: asking(2), LateStart: true, CatchUps: true, MaxK: 1, Victims: 2, Directed: true}
	operators := Scope{
		Nodes: 3, TTL: 3, Attempts: asking(2), Empty: true, Victims: 1, MaxK: 1, Directed: true,
		Operators: []quorum.BootstrapMode{quorum.NewCluster, quorum.NewCluster},
	}
	with := func(s Scope, name, covers string, change func(*Scope), prefix ...string) Scope {
		s.Name, s.Covers, s.Prefix = name, covers, prefix
		change(&s)
		return s
	}
	return []Scope{
		with(newcomers, "four-seals", "two names of four are taken by newcomers, each of which sealed two nodes so far",
			func(s *Scope) { s.Nodes, s.Seconds, s.Rejoiners = 4, []int{0, 1}, 2 },
			"n1' takes over", "n2' takes over", "R1 rejoins n1", "R1 PROBE n1'", "R2 rejoins n2", "R2 PROBE n2'",
			"R1 SEAL n3", "R1 SEAL n2", "R2 SEAL n4", "R2 SEAL n1"),
		with(newcomers, "five-views", "a name of five was taken by a newcomer; another node forgets, and its rejoin meets both views",
			func(s *Scope) { s.Seconds, s.Forgets, s.Rejoiners = []int{0}, 1, 1 },
			"n1' takes over", "R1 rejoins n1", "R1 PROBE n1'", "R1 SEAL n2", "R1 SEAL n3", "R1 SEAL n4", "tick", "tick", "R1 ADMIT n1'",
			"n2 forgets", "R1 rejoins n2", "R1 PROBE n2", "R1 SEAL n1", "R1 SEAL n5", "R1 SEAL n3"),
		with(newcomers, "five-retired", "two names of five are taken by newcomers, and one rejoin has sealed the other name's old server",
			func(s *Scope) { s.Seconds, s.Rejoiners = []int{0, 1}, 2 },
			"n1' takes over", "n2' takes over", "R1 rejoins n1", "R1 PROBE n1'", "R2 rejoins n2", "R2 PROBE n2'",
			"R1 SEAL n2", "R1 SEAL n3", "R1 SEAL n4", "n5 catches up with n3", "R2 SEAL n1", "R2 SEAL n5", "R2 SEAL n3",
			"tick", "tick", "R1 ADMIT n1'"),
		with(operators, "late-prepare", "a cluster was bootstrapped and a node of a lease forgets, while another operator's PREPAREs are in the air",
			func(s *Scope) { s.Forgets, s.Rejoiners = 1, 1 },
			"O1 starts", "O2 starts", "O1 PROBE n1", "O1 PROBE n2", "O1 PROBE n3", "O2 PROBE n1", "O2 PROBE n2", "O2 PROBE n3",
			"O1 PREPARE n1", "O1 PREPARE n2", "O1 PREPARE n3", "O1 ADMIT n1", "O1 ADMIT n2", "O1 ADMIT n3",
			"A starts n1", "A ACQUIRE n1", "A ACQUIRE n2", "n1 forgets"),
		with(operators, "two-marks", "two operators have probed two servers behind one name, and prepare what they saw",
			func(s *Scope) { s.Seconds = []int{0} },
			"n1' takes over", "O1 starts", "O2 starts", "O1 PROBE n1", "O1 PROBE n2", "O1 PROBE n3", "O2 PROBE n1'", "O2 PROBE n2", "O2 PROBE n3",
			"O1 PREPARE n1", "O2 PREPARE n1'", "O2 PREPARE n2"),
		with(operators, "half-prepared", "an operator has prepared two of three nodes, of which one may forget, and another has probed two",
			func(s *Scope) { s.Forgets, s.Timeless = 1, true },
			"O1 starts", "O2 starts", "O1 PROBE n1", "O1 PROBE n2", "O1 PROBE n3", "O2 PROBE n2", "O2 PROBE n3",
			"O1 PREPARE n1", "O1 PREPARE n2"),
		{
			Name: "prepared-rejoin", Covers: "a rejoin has waited for a node that a bootstrap by clock is about to prepare",
			Nodes: 3, TTL: 3, Attempts: asking(2), Operators: []quorum.BootstrapMode{quorum.ByClock},
			Victims: 3, Seconds: []int{2}, Forgets: 2, Rejoiners: 1, MaxK: 1, Directed: true,
			Prefix: []string{
				"n1 forgets", "R1 rejoins n1", "R1 PROBE n1", "R1 SEAL n2", "R1 SEAL n3", "n2 forgets", "n3' takes over",
				"O1 starts", "O1 PROBE n1", "O1 PROBE n2", "O1 PROBE n3'", "tick", "tick", "O1 PROBE n1", "O1 PROBE n2", "O1 PROBE n3'",
			},
		},
		{
			Name: "sent-again", Covers: "a node whose clock leaps grants a second attempt, and is asked again by its driver when a RAISE of the first has landed",
			Nodes: 3, TTL: 3, Timeless: true, Attempts: []Attempt{{Locks: "x", Hints: []uint64{2}}, {Locks: "x"}, {Locks: "x"}},
			GiveUps: true, Leaps: 1, Resends: true, Directed: true,
			Prefix: []string{"A starts", "A ACQUIRE n1", "A gives up", "A RELEASE n1"},
		},
		{
			Name: "forgotten-raise", Covers: "a raised token of a lease that has ended, and a rejoin that reads the highest token of the node that was raised",
			Nodes: 3, TTL: 3, Attempts: asking(3), GiveUps: true, Unlocks: true, Victims: 1, Forgets: 1, Rejoiners: 1, MaxK: 1, Directed: true,
			Prefix: []string{
				"A starts", "A ACQUIRE n1", "A gives up", "A RELEASE n1", "B starts", "B ACQUIRE n1", "B ACQUIRE n2", "B RAISE n2", "B unlocks",
			},
		},
	}
}
