package mutants

// setupMutants are mistakes in how the lock is used rather than in its source.
func setupMutants() []Mutant {
	return []Mutant{
		{
			Name: "wall-clock", Bug: 12, Property: exclusion,
			Mistake: "a client measures its leases by its wall clock, which is set back",
			Setup:   "a simulated client whose lock is given its wall clock in place of one that only runs forward",
		},
		{
			Name: "jumped-clock", Bug: 14, Property: exclusion,
			Mistake: "mutual exclusion is claimed although a node's clock is set ahead, which ends leases there early",
			Setup:   "the lock as it is; its own claim ends where clocks step, so what convicts it is the claim",
		},
	}
}
