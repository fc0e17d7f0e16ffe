package mutants

// seedMutants let tokens fall when nodes lose their memory.
func seedMutants() []Mutant {
	return []Mutant{
		{
			Name: "no-seed", Property: order,
			Variant: "quarantine without re-seeding",
			Mistake: "a node that lost its memory counts on from nothing after its quarantine",
			Patches: []Patch{core("rejoin", "\tj.floor = max(j.floor, r.HW)\n", "")},
		},
		{
			Name: "seed-without-seal", Property: order,
			Variant: "seed read before the wait, without seal",
			Mistake: "the tokens of the others are read before the quarantine, and nothing keeps them from voting with whoever stands behind the name meanwhile",
			Patches: []Patch{core("rejoin", "if top.ID != id {", "if false && top.ID != id {")},
		},
		{
			Name: "seed-from-one", Property: order,
			Variant: "seed from fewer than N−q+1",
			Mistake: "the floor of a node that lost its memory comes from one other node, which need not know the last token",
			Patches: []Patch{core("rejoin", "\tj.floor = max(j.floor, r.HW)\n", "\tif j.sealed == [MaxNodes]sealReply{} {\n\t\tj.floor = r.HW\n\t}\n")},
		},
		{
			Name: "incarnation-run-id", Property: order,
			Mistake: "the incarnation is the run_id, which a demotion and return leaves as it was",
			Setup:   "only real servers have both a run_id and a replication id",
			Patches: []Patch{
				lua("head", "redis.call('INFO','replication')", "redis.call('INFO','replication')..redis.call('INFO','server')"),
				lua("head", "'master_replid:'..inc..'\\r'", "'run_id:'..inc..'\\r'"),
				lua("node", "local info = redis.call('INFO','replication')", "local info = redis.call('INFO','replication')..redis.call('INFO','server')"),
				lua("node", "'master_replid:(%x+)'", "'run_id:(%x+)'"),
			},
		},
		{
			Name: "bootstrap-at-now", Property: order,
			Mistake: "after a bootstrap tokens begin at the nodes' time, below those whose hints ran ahead of it",
			Patches: []Patch{core("bootstrap", "uint64(n.us)+uint64(ClockMargin/time.Microsecond)", "uint64(n.us)")},
		},
	}
}
