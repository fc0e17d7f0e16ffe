package mutants

// bootstrapMutants admit nodes in bulk without the care that this needs.
func bootstrapMutants() []Mutant {
	return []Mutant{
		{
			Name: "single-probe", Property: exclusion,
			Variant: "bootstrap after a single probe",
			Mistake: "a bootstrap admits what it probed, without binding all nodes to it first",
			Patches: []Patch{
				core("bootstrap", "b.enter(now, bootPreparing, b.p.N)\n", "b.admitAll(now, out)\n}\n\nfunc (b *Bootstrap) unused(now Time, out *Effects) {\n"),
				core("bootstrap", "Floor: b.floor, Mark: b.mark, Cfg: b.config(),", "Floor: b.floor, Cfg: b.config(),"),
			},
		},
		{
			Name: "prepare-any-pair", Property: exclusion,
			Variant: "PREPARE without the pair",
			Mistake: "a node takes a boot mark that was made for another life of it",
			Patches: []Patch{
				lua("prepare", "if rid ~= ARGV[1] or qrid ~= rid or nonce ~= ARGV[2] or boot ~= ''", "if boot ~= ''"),
				memory("admission", "case !s.pair(rec, c) || rec.boot != \"\" && rec.boot != c.Mark:", "case rec.boot != \"\" && rec.boot != c.Mark:"),
			},
		},
		{
			Name: "mark-overwritten", Property: exclusion,
			Variant: "boot mark overwritten",
			Mistake: "a node that bears one bootstrap's mark takes another's",
			Patches: []Patch{
				lua("prepare", "or nonce ~= ARGV[2] or boot ~= '' and boot ~= ARGV[3] then", "or nonce ~= ARGV[2] then"),
				memory("admission", "case !s.pair(rec, c) || rec.boot != \"\" && rec.boot != c.Mark:", "case !s.pair(rec, c):"),
			},
		},
		{
			Name: "admit-early", Property: exclusion,
			Variant: "ADMIT before all N took it",
			Mistake: "a bootstrap admits once a majority took its mark",
			Patches: []Patch{core("bootstrap", "} else if b.open == 0 {\n\t\t\tb.admitAll(now, out)", "} else if b.p.N-b.open >= b.p.Quorum() {\n\t\t\tb.admitAll(now, out)")},
		},
		{
			Name: "rejoin-prepared", Property: exclusion,
			Variant: "a prepared node re-admitted by rejoin",
			Mistake: "a node that bears a boot mark is admitted like one that bears none",
			Patches: []Patch{
				core("rejoin", "case r.Mark == \"\":", "default:"),
				core("rejoin", "case r.Mark == j.static.Cluster:", "case false:"),
				core("rejoin", "default:\n\t\tj.alien = r.Mark", "case false:\n\t\tj.alien = r.Mark"),
				lua("admit", "or nonce ~= ARGV[2] or boot ~= ARGV[6] then", "or nonce ~= ARGV[2] or ARGV[6] ~= '' and boot ~= ARGV[6] then"),
				memory("admission", "if !s.pair(rec, c) || rec.boot != c.Mark {", "if !s.pair(rec, c) || c.Mark != \"\" && rec.boot != c.Mark {"),
			},
		},
		{
			Name: "recover-at-once", Property: exclusion,
			Variant: "RecoverByClock without the wait",
			Mistake: "a recovery by clock does not wait for the leases that the nodes forgot",
			Patches: []Patch{core("bootstrap", "b.phase, b.until = bootWaiting, now.Add(b.p.Outlive(b.p.MaxTTL))", "b.phase, b.until = bootWaiting, now")},
		},
	}
}
