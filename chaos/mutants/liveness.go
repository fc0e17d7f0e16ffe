package mutants

// livenessMutants keep those who wait from ever getting the lock.
func livenessMutants() []Mutant {
	return []Mutant{
		{
			Name: "setnx-then-expire", Bug: 1, Property: liveness,
			Mistake: "the key is set without a ttl, which follows in a second call: a client that dies in between blocks the lock for ever",
			Patches: []Patch{
				lua("acquire", "call('SET',KEYS[i],id,'PX',ARGV[3])", "call('SET',KEYS[i],id)"),
				lua("head", "if left < 0 then return {-5,i-3} end", ""),
				memory("vote", "\t\tb.lock(name, ttl)\n\t}\n\treturn script.Reply{Code: script.OK, Token: token, Now: b.now}", "\t\tb.lock(name, 0)\n\t}\n\treturn script.Reply{Code: script.OK, Token: token, Now: b.now}"),
				memory("vote", "if k.list || k.expire == 0 {", "if k.list {"),
				core("attempt", "out.event(Event{Kind: Won, Token: token, Deadline: h.deadline})", "out.event(Event{Kind: Won, Token: token, Deadline: h.deadline})\n\th.beginExtend(now, h.req.TTL, true, out)"),
			},
		},
		{
			Name: "turn-never-ends", Property: liveness,
			Mistake: "a lock is kept for whose turn it is until it comes, and who died does not come",
			Patches: []Patch{
				lua("queue", "if ms and left > 0 and left <= ms*1000 then", "if ms then"),
				lua("queue", "return math.ceil(left/1000)", "return tonumber(ms)"),
				memory("line", "if left > 0 && left <= first.place.Millis()*1000 {\n\t\t\tif again {\n\t\t\t\ts.woken = first.place\n\t\t\t}\n\t\t\treturn (left + 999) / 1000", "if left != 0 || again {\n\t\t\tif again {\n\t\t\t\ts.woken = first.place\n\t\t\t}\n\t\t\treturn first.place.Millis()"),
			},
		},
		{
			Name: "own-key-blocks", Bug: 11, Property: liveness,
			Mistake: "a failed attempt leaves its keys, and the next one of the same client is refused by them",
			Patches: []Patch{core("attempt", "\th.beginRelease(now, out)\n}\n\n// Cancel", "\th.phase, h.renewAt = Done, Never\n\tout.event(Event{Kind: Over})\n}\n\n// Cancel")},
		},
	}
}
