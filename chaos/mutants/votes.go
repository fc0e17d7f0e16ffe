package mutants

// votesMutants let nodes vote that must not: that lost their memory, or whose
// name has gone to another.
func votesMutants() []Mutant {
	return []Mutant{
		{
			Name: "votes-at-once", Bug: 13, Property: exclusion,
			Variant: "no quarantine",
			Mistake: "a node that lost its memory is admitted without waiting for the leases that it forgot",
			Patches: []Patch{core("rejoin", "rejoinWaiting, now.Add(j.p.Outlive(j.p.MaxTTL))", "rejoinWaiting, now")},
		},
		{
			Name: "short-quarantine", Property: exclusion,
			Variant: "quarantine shorter than maxttl",
			Mistake: "a node that lost its memory is kept from voting for half of what a lease may live",
			Patches: []Patch{core("rejoin", "rejoinWaiting, now.Add(j.p.Outlive(j.p.MaxTTL))", "rejoinWaiting, now.Add(j.p.MaxTTL/2)")},
		},
		{
			Name: "incarnation-ignored", Bug: 17, Property: exclusion,
			Mistake: "nodes do not compare their incarnation, so a replica that was promoted, or a node restarted from an old file, votes on",
			Patches: []Patch{
				lua("head", " or not string.find(info,'master_replid:'..inc..'\\r',1,true) then", " then"),
				lua("node", "local admitted = inc == rid", "local admitted = inc and inc ~= ''"),
				memory("admission", "return rec.inc != \"\" && rec.inc == s.inc", "return rec.inc != \"\""),
			},
		},
		{
			Name: "wait-before-seal", Property: exclusion,
			Variant: "wait before the seal",
			Mistake: "a node is kept from voting first and sealed afterwards, so leases granted meanwhile under the old view are not waited for",
			Patches: []Patch{
				core("rejoin", "j.inc, j.pair = r.Inc, r.Nonce\n\t\tj.seal(now, out)", "j.inc, j.pair = r.Inc, r.Nonce\n\t\tj.phase, j.until = rejoinWaiting, now.Add(j.p.Outlive(j.p.MaxTTL))"),
				core("rejoin", "case j.phase == rejoinWaiting:\n\t\tj.admit(now, out)", "case j.phase == rejoinWaiting:\n\t\tj.seal(now, out)"),
				core("rejoin", "j.phase, j.until = rejoinWaiting, now.Add(j.p.Outlive(j.p.MaxTTL))\n\t\tout.event(Event{Kind: Sealed, Node: j.target, Deadline: j.until})", "out.event(Event{Kind: Sealed, Node: j.target, Deadline: now})\n\t\tj.admit(now, out)"),
			},
		},
		{
			Name: "no-nonce", Property: exclusion,
			Variant: "ADMIT without nonce",
			Mistake: "an ADMIT meant for one life of a node takes effect in a later one",
			Patches: []Patch{
				lua("admit", "qrid ~= rid or nonce ~= ARGV[2] or boot ~= ARGV[6]", "qrid ~= rid or boot ~= ARGV[6]"),
				memory("admission", "if !s.pair(rec, c) || rec.boot != c.Mark {", "if c.Inc != s.inc || rec.qrid != s.inc || rec.boot != c.Mark {"),
			},
		},
		{
			Name: "nonce-without-time", Property: exclusion,
			Mistake: "a PROBE that is executed twice, a loss of memory in between, gives both lives of the node the same nonce",
			Patches: []Patch{
				lua("probe", "nonce, boot = ARGV[1]..'.'..string.format('%.0f',now), ''", "nonce, boot = ARGV[1], ''"),
				memory("admission", "c.Nonce+\".\"+strconv.FormatInt(now, 10), s.inc", "c.Nonce, s.inc"),
			},
		},
		{
			Name: "no-view-check", Property: exclusion,
			Variant: "no view check",
			Mistake: "nodes compare the static part of the configuration alone, so votes from before and after a replacement add up",
			Patches: []Patch{
				lua("head", "if string.sub(adm,at) ~= ARGV[1] then", "if string.match(adm,'[^|]*',at) ~= string.match(ARGV[1],'[^|]*') then"),
				memory("vote", "if rec.cfg != c.Cfg || rec.self != c.Self {", "static := func(cfg string) string { return cfg[:max(0, slices.Index([]byte(cfg), '|'))] }\n\tif static(rec.cfg) != static(c.Cfg) || rec.self != c.Self {"),
			},
		},
		{
			Name: "own-seal-taken", Property: exclusion,
			Variant: "a SEAL accepted for one's own name",
			Mistake: "a server that learns that its name went to another writes that down and votes on",
			Patches: []Patch{
				lua("seal", "if self == ARGV[2] then", "if false then"),
				memory("admission", "if rec.self == c.Index {", "if false {"),
			},
		},
		{
			Name: "own-seal-tie", Property: exclusion,
			Variant: "a SEAL accepted for one's own name in a tie",
			Mistake: "a server that learns that its name went to another as often as to itself votes on",
			Patches: []Patch{
				lua("seal", "if self == ARGV[2] then", "if self == ARGV[2] and k > oldk then"),
				memory("admission", "if rec.self == c.Index {", "if rec.self == c.Index && c.K > oldK {"),
			},
		},
		{
			Name: "last-seal-wins", Property: exclusion,
			Variant: "in a tie the last writer wins",
			Mistake: "of two newcomers under one name that counted alike, each node follows the one it heard of last",
			Patches: []Patch{
				lua("seal", "if k > oldk or k == oldk and id > oldid then", "if k > oldk or k == oldk and id ~= oldid then"),
				memory("admission", "case c.K > oldK || c.K == oldK && c.Entry > oldID:", "case c.K > oldK || c.K == oldK && c.Entry != oldID:"),
			},
		},
		{
			Name: "two-views", Property: exclusion,
			Variant: "votes of EXTEND counted over two views",
			Mistake: "an extension that meets a newer view asks the node again and keeps the votes that it has",
			Patches: []Patch{core("lease", "if h.round.open {\n\t\t\t\th.sendExtend(now, out)\n\t\t\t}", "n.extend = h.nextTag()\n\t\t\tout.call(Call{Ref: Ref{ref.Node, OpExtend, n.extend}, ID: h.req.ID, Cfg: h.req.Cfg, Token: h.token, TTL: h.round.ttl})")},
		},
		{
			Name: "view-not-joined", Property: exclusion,
			Variant: "admitted view not the join of all seals",
			Mistake: "a node is admitted under a view that knows its own replacement alone",
			Patches: []Patch{core("rejoin", "func (j *Rejoin) config() string { return Config{j.static, j.view}.String() }", "func (j *Rejoin) config() string {\n\tv := View{N: j.p.N}\n\tv.Entries[j.target] = j.entry\n\treturn Config{j.static, v}.String()\n}")},
		},
		{
			Name: "retired-seal", Property: exclusion,
			Variant: "a retired server's seal counted",
			Mistake: "the seal of a server whose name has gone to another counts",
			Patches: []Patch{core("rejoin", "s.ok && s.self == i+1 && s.entry == j.view.Entries[i]", "s.ok && s.self == i+1")},
		},
		{
			Name: "few-seals", Property: exclusion,
			Variant: "N−q+1 seals at N=4",
			Mistake: "as many seals as meet every majority are enough, where a majority is needed",
			Patches: []Patch{core("rejoin", "if count >= j.p.Quorum() && j.view", "if count >= j.p.N-j.p.Quorum()+1 && j.view")},
		},
	}
}
