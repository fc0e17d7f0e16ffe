package mutants

// orphansMutants leave keys behind that nobody will delete.
func orphansMutants() []Mutant {
	return []Mutant{
		{
			Name: "release-where-granted", Bug: 10, Property: orphans,
			Mistake: "only nodes whose grant arrived are released",
			Patches: []Patch{core("release", "if !n.reached && n.acquire == 0 && n.extend == 0 {", "if n.vote != granted && n.member != keeps {")},
		},
		{
			Name: "renewer-outlives", Bug: 20, Property: orphans,
			Mistake: "a renewal goes out after the release",
			Patches: []Patch{core("release", "h.waiting = true\n\th.beginRelease(now, out)", "h.waiting = true\n\th.beginRelease(now, out)\n\tif h.req.Auto {\n\t\th.beginExtend(now, h.req.TTL, true, out)\n\t}")},
		},
		{
			Name: "late-set", Bug: 21, Property: orphans,
			Mistake: "an ACQUIRE that arrives long after it was sent takes the lock for an attempt that is over",
			Patches: []Patch{
				lua("acquire", "if ARGV[5] ~= '0' and now > ARGV[5]+0 then return {-6,now} end", ""),
				memory("vote", "case b.call.NotAfter != 0 && b.now > b.call.NotAfter:", "case false:"),
			},
		},
		{
			Name: "fence-where-key-stood", Property: orphans,
			Variant: "RELEASE raises the fence only where its key stood",
			Mistake: "a release raises the fence only where it found the key, so a late EXTEND sets it again elsewhere",
			Patches: []Patch{
				lua("release", "if not fence or fence+0 < next then", "if n > 0 and (not fence or fence+0 < next) then"),
				memory("vote", "fence <= c.Token {", "fence <= c.Token && r.Deleted > 0 {"),
			},
		},
		{
			Name: "extend-recreates", Property: orphans,
			Variant: "EXTEND re-creates without c ≤ T",
			Mistake: "an EXTEND sets the key again where it is absent, whatever the counter says",
			Patches: recreates(),
		},
		{
			Name: "publish-first", Property: orphans,
			Mistake: "a release tells the waiters first, and a user who may not publish deletes nothing",
			Setup:   "only real servers have users: it falls with one that lacks the channel",
			Patches: []Patch{
				lua("release", "local pcall, id, T, names, n, bad =", "redis.call('PUBLISH',ARGV[4] or '',ARGV[1])\nlocal pcall, id, T, names, n, bad ="),
			},
		},
	}
}

// recreates makes EXTEND set absent keys whatever the counter says. It does not
// lower the counter, which would be another mistake.
func recreates() []Patch {
	return []Patch{
		lua("extend", "if c > v then return {-4,c} end", `if c > v and mine then return {-4,c} end
if c > v then
  for i = 4,#KEYS do call('SET',KEYS[i],id,'PX',ARGV[4],'NX') end
  return {2,v}
end`),
		memory("vote", "case b.c > token:\n\t\treturn script.Reply{Code: script.Superseded", `case b.c > token && !b.mine:
		for _, name := range b.call.Names {
			b.s.SetNX(b.call.Prefix+name, b.call.ID, ttl, b.now)
		}
		return script.Reply{Code: script.Already, Token: token}
	case b.c > token:
		return script.Reply{Code: script.Superseded`),
	}
}
