package mutants

// exclusionMutants let two leases of one lock be valid at once, with all nodes
// keeping their memory.
func exclusionMutants() []Mutant {
	return []Mutant{
		{
			Name: "blind-del", Bug: 2, Property: exclusion,
			Mistake: "release deletes the key whoever it belongs to",
			Patches: []Patch{
				lua("release", "if pcall('GET',key) == id then", "if pcall('GET',key) then"),
				memory("vote", "if !found || s.keys[i].list || s.keys[i].value != c.ID {", "if !found {"),
			},
		},
		{
			Name: "no-drift", Bug: 3, Property: exclusion,
			Mistake: "no drift is subtracted from the validity",
			Patches: []Patch{core("params", "return ttl - p.drift(ttl) - Delta", "return ttl - Delta")},
		},
		{
			Name: "naive-deadline", Property: exclusion,
			Mistake: "the deadline counts from the reply, and no drift is subtracted: large enough for real servers to show it",
			Patches: []Patch{
				core("params", "return ttl - p.drift(ttl) - Delta", "return ttl"),
				core("attempt", "h.deadline = h.start.Add(h.p.Validity(h.req.TTL))", "h.deadline = now.Add(h.p.Validity(h.req.TTL) + LossMargin)"),
			},
		},
		{
			Name: "half-quorum", Bug: 9, Property: exclusion,
			Mistake: "half of the nodes, rounded down, count as a majority",
			Patches: []Patch{core("params", "return p.N/2 + 1", "return p.N / 2")},
		},
		{
			Name: "extend-minority", Bug: 7, Property: exclusion,
			Mistake: "an extension succeeds on one node",
			Patches: []Patch{core("lease", "case r.ok >= q:", "case r.ok >= 1:")},
		},
		{
			Name: "extend-resurrects", Bug: 8, Property: exclusion,
			Mistake: "a lease whose deadline passed lives on when a renewal, or an extension that was under way, succeeds, and nodes let it stand after another owner came and went",
			Patches: append(recreates(),
				core("hold", "if h.phase == Holding && now >= h.lossAt() {", "if h.phase == Holding && now >= h.lossAt() && !h.round.open && !h.req.Auto {"),
				core("hold", "next := min(h.lossAt(), h.renewAt)", "next := h.renewAt\n\t\tif !h.round.open && !h.req.Auto {\n\t\t\tnext = min(next, h.lossAt())\n\t\t}"),
			),
		},
		{
			Name: "extend-from-reply", Property: exclusion,
			Variant: "deadline from the reply's time",
			Mistake: "an extension's deadline counts from the reply rather than from the request",
			Patches: []Patch{core("lease", "r.start.Add(h.p.Validity(r.ttl))", "now.Add(h.p.Validity(r.ttl))")},
		},
		{
			Name: "no-elapsed-check", Property: exclusion,
			Variant: "no elapsed check",
			Mistake: "an acquire that took longer than the lease lives is returned as if it had been instantaneous",
			Patches: []Patch{noElapsedCheck},
		},
		{
			Name: "extend-deletes", Property: exclusion,
			Variant: "EXTEND deletes its key when c > T",
			Mistake: "an extension that comes below the counter deletes the holder's own key, which may be its vote still",
			Patches: []Patch{
				lua("extend", "if c > v then return {-4,c} end", "if c > v then\n  for i = 4,#KEYS do redis.call('DEL',KEYS[i]) end\n  return {-4,c}\nend"),
				memory("vote", "case b.c > token:\n\t\treturn script.Reply{Code: script.Superseded", "case b.c > token:\n\t\tfor _, name := range b.call.Names {\n\t\t\tb.s.Del(b.call.Prefix+name, b.now)\n\t\t}\n\t\treturn script.Reply{Code: script.Superseded"),
			},
		},
		{
			Name: "names-in-part", Property: exclusion,
			Variant: "several names granted in part",
			Mistake: "of several names asked for at once, those that are free are granted",
			Patches: []Patch{
				lua("acquire", "if taken then return {0,c,wait,now} end", "local free = 0\nfor i = 4,#KEYS do free = free+1-redis.call('EXISTS',KEYS[i]) end\nif free == 0 then return {0,c,wait,now} end"),
				lua("acquire", "call('SET',KEYS[i],id,'PX',ARGV[3])", "call('SET',KEYS[i],id,'PX',ARGV[3],'NX')"),
				memory("vote", "case b.taken:\n\t\treturn", "case b.taken && !slices.ContainsFunc(b.call.Names, func(n string) bool { _, ok := b.s.Get(b.call.Prefix+n, b.now); return !ok }):\n\t\treturn"),
				memory("vote", "\t\tb.lock(name, ttl)\n\t}\n\treturn script.Reply{Code: script.OK, Token: token, Now: b.now}", "\t\tif _, ok := b.s.Get(b.call.Prefix+name, b.now); !ok {\n\t\t\tb.lock(name, ttl)\n\t\t}\n\t}\n\treturn script.Reply{Code: script.OK, Token: token, Now: b.now}"),
			},
		},
		{
			Name: "server-twice", Bug: 22, Property: exclusion,
			Mistake: "a node does not compare under which name it was asked, so one server under two names votes twice",
			Patches: []Patch{
				lua("head", "if string.sub(adm,at) ~= ARGV[1] then", "if string.match(adm,' .*',at) ~= string.match(ARGV[1],' .*') then"),
				memory("vote", "if rec.cfg != c.Cfg || rec.self != c.Self {", "if rec.cfg != c.Cfg {"),
			},
		},
	}
}
