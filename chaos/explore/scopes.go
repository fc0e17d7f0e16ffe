package explore

// asking is so many attempts to lock x.
func asking(n int) []Attempt {
	a := make([]Attempt, n)
	for i := range a {
		a[i].Locks = "x"
	}
	return a
}

// extending is so many attempts to lock x, each of which may extend its lease
// once.
func extending(n int) []Attempt {
	a := asking(n)
	for i := range a {
		a[i].Extends = 1
	}
	return a
}

// hinting is so many attempts to lock x with one of some hints.
func hinting(n int, hints ...uint64) []Attempt {
	a := asking(n)
	for i := range a {
		a[i].Hints = hints
	}
	return a
}

// Scopes lists all scopes: those of attempts among themselves, those of nodes
// that lose their memory or are replaced, those of bootstraps, and the directed
// ones.
func Scopes() []Scope {
	var all []Scope
	for _, list := range [][]Scope{attemptScopes(), rejoinScopes(), bootstrapScopes(), directedScopes(), mistakeScopes()} {
		all = append(all, list...)
	}
	return all
}

// attemptScopes are about attempts, messages, fences and time. Nodes keep their
// memory.
func attemptScopes() []Scope {
	return []Scope{
		{
			Name: "two", Covers: "two attempts at one lock, on three nodes; keys expire",
			Nodes: 3, TTL: 3, Attempts: asking(2), GiveUps: true, Unlocks: true, CI: true,
		},
		{
			Name: "two-stays", Covers: "the same; every call stays in the air and lands at any time, also after its sender gave up",
			Nodes: 3, TTL: 3, Attempts: asking(2), GiveUps: true, Unlocks: true, Stays: true, CI: true,
		},
		{
			Name: "two-apart", Covers: "two attempts; a call's execution and its answer are steps of their own, and either may never come",
			Nodes: 3, TTL: 3, Attempts: asking(2), GiveUps: true, Unlocks: true, Apart: true, CI: true,
		},
		{
			Name: "two-apart-stays", Covers: "the same; every call and answer lands at any time",
			Nodes: 3, TTL: 3, Attempts: asking(2), Apart: true, Stays: true,
		},
		{
			Name: "two-repeats", Covers: "two attempts; every call may be executed twice, and lands at any time",
			Nodes: 3, TTL: 3, Attempts: asking(2), Stays: true, Repeats: true, Directed: true,
		},
		{
			Name: "three", Covers: "three attempts at one lock",
			Nodes: 3, TTL: 3, Attempts: asking(3), GiveUps: true, Unlocks: true, CI: true,
		},
		{
			Name: "three-stays", Covers: "three attempts; every call lands at any time",
			Nodes: 3, TTL: 3, Attempts: asking(3), GiveUps: true, Unlocks: true, Stays: true,
		},
		{
			Name: "two-of-five", Covers: "two attempts on five nodes",
			Nodes: 5, TTL: 3, Attempts: asking(2), Unlocks: true,
		},
		{
			Name: "hints", Covers: "two attempts that aim at tokens of their own",
			Nodes: 3, TTL: 3, Attempts: hinting(2, 0, 2, 3), GiveUps: true, Unlocks: true, CI: true,
		},
		{
			Name: "extend", Covers: "two attempts that extend their leases, and repair nodes that they missed",
			Nodes: 3, TTL: 3, Attempts: extending(2), GiveUps: true, Unlocks: true, CI: true,
		},
		{
			Name: "extend-stays", Covers: "the same; every call lands at any time",
			Nodes: 3, TTL: 3, Attempts: extending(2), GiveUps: true, Unlocks: true, Stays: true,
		},
		{
			Name: "names", Covers: "an attempt on two names at once beside one on the second of them",
			Nodes: 3, TTL: 3, Attempts: []Attempt{{Locks: "xy"}, {Locks: "y"}}, GiveUps: true, Unlocks: true, CI: true,
		},
		{
			Name: "names-three", Covers: "an attempt on two names at once beside one on each of them",
			Nodes: 3, TTL: 3, Attempts: []Attempt{{Locks: "xy"}, {Locks: "y"}, {Locks: "x"}}, GiveUps: true, Unlocks: true,
		},
		{
			Name: "leaps", Covers: "two attempts and two clocks of nodes that leap, so that keys vanish: tokens must stay in order",
			Nodes: 3, TTL: 3, Attempts: asking(2), GiveUps: true, Unlocks: true, Leaps: 2, CI: true,
		},
		{
			Name: "leaps-stays", Covers: "one such leap, and every call lands at any time",
			Nodes: 3, TTL: 3, Attempts: asking(2), GiveUps: true, Unlocks: true, Leaps: 1, Stays: true, CI: true,
		},
		{
			Name: "foreign", Covers: "a redsync client beside two attempts: either excludes the other",
			Nodes: 3, TTL: 3, Attempts: asking(2), GiveUps: true, Unlocks: true, Foreign: 1, CI: true,
		},
		{
			Name: "one-node", Covers: "what one node makes of calls that come late and twice: three attempts, one of which extends",
			Nodes: 1, TTL: 3, Attempts: []Attempt{{Locks: "x", Extends: 1}, {Locks: "x"}, {Locks: "x"}},
			GiveUps: true, Unlocks: true, Stays: true, Repeats: true, CI: true,
		},
		{
			Name: "fences", Covers: "fences that turn three times on one node, while a lease on x lives and y takes high tokens",
			Nodes: 1, TTL: 3, Attempts: []Attempt{{Locks: "x", Extends: 1}, {Locks: "x"}, {Locks: "y", Hints: []uint64{3}, Extends: 2}},
			GiveUps: true, Unlocks: true, Turns: 3, CI: true,
		},
		{
			Name: "fences-stays", Covers: "the same; every call lands at any time",
			Nodes: 1, TTL: 3, Attempts: []Attempt{{Locks: "x", Extends: 1}, {Locks: "x"}, {Locks: "y", Hints: []uint64{3}, Extends: 2}},
			GiveUps: true, Unlocks: true, Turns: 3, Stays: true,
		},
		{
			Name: "fences-order", Covers: "fences that turn between two attempts at x, while y extends",
			Nodes: 1, TTL: 3, Attempts: []Attempt{{Locks: "x"}, {Locks: "y", Extends: 1}, {Locks: "x"}},
			GiveUps: true, Unlocks: true, Turns: 2, CI: true,
		},
	}
}

// rejoinScopes are about nodes that lose their memory, are replaced, restarted
// or retired.
func rejoinScopes() []Scope {
	return []Scope{
		{
			Name: "rejoin", Covers: "a node loses its memory and is rejoined",
			Nodes: 3, TTL: 3, Attempts: asking(2), Unlocks: true, GiveUps: true,
			Victims: 1, Forgets: 1, Rejoiners: 1, MaxK: 1, CI: true,
		},
		{
			Name: "rejoin-stays", Covers: "the same; every call lands at any time, also SEAL and ADMIT",
			Nodes: 3, TTL: 3, Attempts: asking(2), Victims: 1, Forgets: 1, Rejoiners: 1, MaxK: 1, Stays: true, CI: true,
		},
		{
			Name: "rejoin-empty", Covers: "a node restarts without its memory, and a rejoin may die",
			Nodes: 3, TTL: 3, Attempts: asking(2), Victims: 1, Losses: 1, Rejoiners: 1, MaxK: 1, Dies: true, CI: true,
		},
		{
			Name: "rejoin-restart", Covers: "a node restarts with its memory, and is rejoined; leases are released",
			Nodes: 3, TTL: 3, Attempts: asking(2), Unlocks: true, Victims: 1, Restarts: 1, Rejoiners: 1, MaxK: 1, CI: true,
		},
		{
			Name: "rejoin-retire", Covers: "somebody retires a node, and it is rejoined",
			Nodes: 3, TTL: 3, Attempts: asking(2), Unlocks: true, Victims: 1, Retires: 1, Rejoiners: 1, MaxK: 1, CI: true,
		},
		{
			Name: "rejoin-twice", Covers: "a node loses its memory twice",
			Nodes: 3, TTL: 3, Attempts: asking(2), Victims: 1, Forgets: 2, Rejoiners: 1, MaxK: 2, CI: true,
		},
		{
			Name: "rejoin-extend", Covers: "a node loses its memory while leases of two ticks are extended",
			Nodes: 3, TTL: 5, Attempts: []Attempt{{Locks: "x", Extends: 1}, {Locks: "x"}}, Victims: 1, Forgets: 1, Rejoiners: 1, MaxK: 1,
		},
		{
			Name: "second", Covers: "an empty server takes a name while the old one lives on for some clients",
			Nodes: 3, TTL: 3, Attempts: asking(2), Victims: 1, Seconds: []int{0}, Rejoiners: 1, MaxK: 1, CI: true,
		},
		{
			Name: "second-catch-up", Covers: "the same; nodes are brought up to each other's views, and the old server gives up its vote",
			Nodes: 3, TTL: 3, Attempts: asking(2), Victims: 1, Seconds: []int{0}, Rejoiners: 1, MaxK: 1, CatchUps: true,
		},
		{
			Name: "second-extend", Covers: "two servers behind one name while leases of two ticks are extended across views",
			Nodes: 3, TTL: 5, Attempts: []Attempt{{Locks: "x", Extends: 1}, {Locks: "x"}}, Victims: 1, Seconds: []int{0}, Rejoiners: 1, MaxK: 1,
		},
		{
			Name: "rejoin-of-four", Covers: "a node of four loses its memory",
			Nodes: 4, TTL: 3, Attempts: asking(2), Victims: 1, Forgets: 1, Rejoiners: 1, MaxK: 1, LateStart: true,
		},
		{
			Name: "rejoin-of-five", Covers: "a node of five loses its memory",
			Nodes: 5, TTL: 3, Attempts: asking(2), Victims: 1, Forgets: 1, Rejoiners: 1, MaxK: 1, LateStart: true, Directed: true,
		},
		{
			Name: "rejoiners", Covers: "two rejoins of a node that loses its memory twice",
			Nodes: 3, TTL: 3, Attempts: asking(2), Victims: 1, Forgets: 2, Rejoiners: 2, MaxK: 1, Directed: true,
		},
	}
}
