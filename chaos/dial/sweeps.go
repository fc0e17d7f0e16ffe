package dial

// steps are n+1 settings from 0, each by so much above the last.
func steps(n int, by float64) []float64 {
	list := make([]float64, n+1)
	for i := range list {
		list[i] = float64(i) * by
	}
	return list
}

// Sweeps lists the sweeps.
func Sweeps() []Sweep {
	return []Sweep{
		{
			Name: "drift", Title: "the holder's clock runs slow", Unit: "%",
			Theory:   "a lease of ttl·(1−ρ) on a clock that loses d outlives its keys from d = ρ on",
			Settings: steps(30, 1),
			Arms: []Arm{
				{Name: "none", Title: "almost no allowance, ρ = 0.1 %", plan: drifting(0.001)},
				{Name: "customary", Title: "the customary allowance, ρ = 1 %", plan: drifting(0.01)},
				{Name: "default", Title: "the default allowance, ρ = 16 %", plan: drifting(usualDrift)},
			},
		},
		{
			Name: "pause", Title: "a holder stands still before its write", Unit: "ttl",
			Theory:   "the lock is another's once the keys have expired, a ttl after the acquire; the pause begins 0.05 ttl after it",
			Settings: steps(30, 0.05),
			Arms:     []Arm{{Name: "holder", Title: "it looked at its lease before the pause", plan: pausing}},
		},
		{
			Name: "jump", Title: "clocks of nodes leap ahead", Unit: "ttl",
			Theory:   "keys that end earlier by more than the allowance ρ·ttl end before the lease does",
			Settings: steps(30, 0.05),
			Arms: []Arm{
				{Name: "two", Title: "two of three nodes leap", plan: jumping([]string{"n1", "n2"}, nil)},
				{Name: "bare", Title: "one leaps, and the lock is held on two", plan: jumping([]string{"n2"}, []string{"n3"})},
				{Name: "one", Title: "one leaps, and the lock is held on all three", plan: jumping([]string{"n2"}, nil)},
			},
		},
		{
			Name: "restart", Title: "a node that lost its memory comes back", Unit: "ttl later",
			Theory:   "the lease has 0.74 ttl to go when the memory is lost; back sooner, it lets in another holder",
			Settings: steps(30, 0.05),
			Arms: []Arm{
				{Name: "at-once", Title: "it votes at once", Mutant: "votes-at-once", plan: returning},
				{Name: "no-seed", Title: "quarantine, but no floor for its tokens", Mutant: "no-seed", plan: returning},
				{Name: "default", Title: "the lock as it is", plan: returning},
			},
		},
	}
}
