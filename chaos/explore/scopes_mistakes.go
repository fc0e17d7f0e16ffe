package explore

import "github.com/quorumlock/quorumlock/redlock/quorum"

// mistakeScopes begin where a known mistake of the protocol is a few steps from
// showing: without it, they show that nothing happens there.
func mistakeScopes() []Scope {
	newcomers := Scope{
		Nodes: 5, TTL: 3, Attempts: asking(2), LateStart: true, MaxK: 1, Victims: 1, Directed: true, Seconds: []int{0, 0}, Rejoiners: 2,
		Prefix: []string{
			"n1' takes over", "n1'' takes over", "R1 rejoins n1", "R1 PROBE n1'", "R2 rejoins n1", "R2 PROBE n1''",
			"R1 SEAL n2", "R1 SEAL n3", "R1 SEAL n4", "R2 SEAL n3", "R2 SEAL n4", "R2 SEAL n5",
			"tick", "tick", "R2 ADMIT n1''",
		},
	}
	late, both := newcomers, newcomers
	late.Name, late.Covers = "five-tie", "two newcomers took one name of five, each as the first after the old one, and were sealed and waited for; a SEAL for the first is still in the air"
	late.Stays = true
	both.Name, both.Covers = "five-both", "the same; nodes are brought up to each other's views"
	both.CatchUps = true
	return []Scope{
		late, both,
		{
			Name: "admitted-twice", Covers: "two clients rejoin a node and one has admitted it; the ADMIT of the other is in the air, and the node may forget again",
			Nodes: 3, TTL: 3, Attempts: asking(2), Victims: 1, Forgets: 2, Rejoiners: 2, MaxK: 2, Directed: true,
			Prefix: []string{
				"n1 forgets", "R1 rejoins n1", "R1 PROBE n1", "R2 rejoins n1", "R2 PROBE n1",
				"R1 SEAL n2", "R1 SEAL n3", "R2 SEAL n2", "R2 SEAL n3", "tick", "tick", "R2 ADMIT n1",
			},
		},
		{
			Name: "half-probed", Covers: "an operator has probed three empty nodes, of which one may forget, and another has probed two",
			Nodes: 3, TTL: 3, Attempts: asking(2), Timeless: true, Empty: true, Victims: 1, Forgets: 1, MaxK: 1, Directed: true,
			Operators: []quorum.BootstrapMode{quorum.NewCluster, quorum.NewCluster},
			Prefix:    []string{"O1 starts", "O2 starts", "O1 PROBE n1", "O1 PROBE n2", "O1 PROBE n3", "O2 PROBE n2", "O2 PROBE n3"},
		},
	}
}
