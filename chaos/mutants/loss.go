package mutants

// lossMutants leave a holder in the belief that its lease lives on.
func lossMutants() []Mutant {
	return []Mutant{
		{
			Name: "valid-from-memory", Bug: 6, Property: loss,
			Mistake: "a lease whose deadline passed is still taken for valid: nobody looks at the clock",
			Patches: []Patch{
				core("hold", "if h.phase == Holding && now >= h.lossAt() {", "if h.phase == Holding && h.deadline == 0 {"),
				core("hold", "next := min(h.lossAt(), h.renewAt)", "next := h.renewAt"),
			},
		},
		{
			Name: "loss-on-failure", Bug: 26, Property: loss,
			Mistake: "the loss is told when a renewal fails, and not before",
			Patches: []Patch{
				core("hold", "if h.phase == Holding && now >= h.lossAt() {", "if h.phase == Holding && h.deadline == 0 {"),
				core("hold", "next := min(h.lossAt(), h.renewAt)", "next := h.renewAt"),
				core("lease", "\t\t\th.closeRound(h.extendReason(), out)\n\t\t\th.retryRenewal(now)", "\t\t\th.closeRound(h.extendReason(), out)\n\t\t\th.retryRenewal(now)\n\t\t\tif now >= h.lossAt() {\n\t\t\t\th.end(now, Expired, out)\n\t\t\t\treturn\n\t\t\t}"),
			},
		},
	}
}
