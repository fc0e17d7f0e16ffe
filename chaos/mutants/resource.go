package mutants

// resourceMutants let the resource take what comes too late.
func resourceMutants() []Mutant {
	return []Mutant{
		{
			Name: "no-fence", Bug: 15, Property: fenced,
			Mistake: "the resource does not look at tokens, so a holder that was paused writes on",
			Patches: []Patch{guard("t < h {", "t < h && false {")},
		},
		{
			Name: "equal-token", Bug: 23, Property: fenced,
			Mistake: "the resource compares tokens as floats of 32 bits, so another holder's passes for equal",
			Patches: []Patch{guard("t < h {", "float32(t) < float32(h) {")},
		},
	}
}
