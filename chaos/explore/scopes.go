package explore

// two, three and so on are attempts to lock x.
func asking(n int) []Attempt {
	a := make([]Attempt, n)
	for i := range a {
		a[i].Locks = "x"
	}
	return a
}

// Scopes lists all scopes.
func Scopes() []Scope {
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
			Name: "three", Covers: "three attempts at one lock",
			Nodes: 3, TTL: 3, Attempts: asking(3), GiveUps: true, Unlocks: true, CI: true,
		},
		{
			Name: "rejoin", Covers: "a node loses its memory and is rejoined",
			Nodes: 3, TTL: 3, Attempts: asking(2), Unlocks: true, GiveUps: true,
			Victims: 1, Forgets: 1, Rejoiners: 1, MaxK: 1, CI: true,
		},
	}
}
