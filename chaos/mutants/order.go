package mutants

// orderMutants hand out a token twice, or one below an earlier one, with all
// nodes keeping their memory.
func orderMutants() []Mutant {
	return []Mutant{
		{
			Name: "plain-maximum", Bug: 18, Property: order,
			Variant: "plain maximum",
			Mistake: "the token is the largest that was granted, without a majority that assigned it",
			Patches: []Patch{
				core("attempt", "n.token >= h.token || n.raise != 0 {", "n.raise == 0 {"),
				core("attempt", "\th.decideRaising(now, out)\n}\n\n// raiseNode", "\th.win(now, h.token, out)\n}\n\n// raiseNode"),
			},
		},
		{
			Name: "raise-not-awaited", Property: order,
			Variant: "RAISE not awaited",
			Mistake: "the attempt has won once the RAISEs are sent",
			Patches: []Patch{core("attempt", "\th.decideRaising(now, out)\n}\n\n// raiseNode", "\th.win(now, h.token, out)\n}\n\n// raiseNode")},
		},
		{
			Name: "raise-any", Property: order,
			Variant: "RAISE as max(c,T) without the holder check",
			Mistake: "a node takes a RAISE of an attempt that does not hold the lock there, and one below its counter counts as well",
			Patches: []Patch{
				lua("raise", "if not (mine and live) or c > v then return {0,c} end\n--- assign\n", "if c > v then return {1,v} end\n--- assign\n"),
				memory("vote", "case !b.mine || !b.live || b.c > token:", "case b.c > token:\n\t\treturn script.Reply{Code: script.OK, Token: token}\n\tcase false:"),
			},
		},
		{
			Name: "raise-not-mine", Property: order,
			Variant: "RAISE strict without it",
			Mistake: "a node takes a RAISE above its counter from an attempt that does not hold the lock there",
			Patches: []Patch{
				lua("raise", "if not (mine and live) or c > v then", "if c >= v then"),
				memory("vote", "case !b.mine || !b.live || b.c > token:", "case b.c >= token:"),
			},
		},
		{
			Name: "counter-deleted", Bug: 25, Property: order,
			Variant: "counter removed with the lock",
			Mistake: "the counter of a lock is deleted with its key, and tokens start again",
			Patches: []Patch{
				{"redlock/script/args.go", "if c.Token > 0 {", "if true {"}, // every call brings the tables along
				lua("release", "if T ~= '0' then names = names-3 end", "names = names-3"),
				lua("release", "else n = n+1 end", "else n = n+1; pcall('HDEL',KEYS[names+2],key); pcall('HDEL',KEYS[names+3],key) end"),
				memory("vote", "\t\tr.Deleted++\n", "\t\tr.Deleted++\n\t\tgone, sp := func(f fence) bool { return f.name == c.Prefix+name }, s.space(c.Prefix)\n\t\tsp.young, sp.old = slices.DeleteFunc(sp.young, gone), slices.DeleteFunc(sp.old, gone)\n"),
			},
		},
		{
			Name: "absent-is-zero", Property: order,
			Variant: "absent fence read as 0",
			Mistake: "a fence that was dropped reads as 0 rather than as the mark that covers it",
			Patches: []Patch{
				lua("head", "local v = (fence or call('HGET',KEYS[1],'mark'))+0", "local v = (fence or 0)+0"),
				memory("vote", "\t\tb.live = b.live && kept && fence > rec.floor\n", "\t\tif !kept {\n\t\t\tfence = 0\n\t\t}\n\t\tb.live = b.live && kept && fence > rec.floor\n"),
			},
		},
		{
			Name: "turn-without-mark", Property: order,
			Variant: "absent fence read without its turn",
			Mistake: "the fence tables turn and the marks that must cover what was dropped stay",
			Patches: []Patch{
				lua("assign", "'mark',call('HGET',KEYS[1],'omark'),'omark',hw,'turned'", "'turned'"),
				memory("vote", "rec.mark, rec.omark, rec.turned = rec.omark, rec.hw, now", "rec.turned = now"),
			},
		},
		{
			Name: "raise-forgets-hw", Property: order,
			Variant: "RAISE that forgets hw",
			Mistake: "RAISE leaves the record of the highest token as it was",
			Patches: []Patch{
				lua("raise", "--- assign\nreturn", "--- assign\ncall('HSET',KEYS[1],'hw',hw)\nreturn"),
				memory("vote", "\tb.assign(token)\n\treturn script.Reply{Code: script.OK, Token: token}\n}\n\nfunc (b *ballot) extend()", "\thw := b.sp.rec.hw\n\tb.assign(token)\n\tb.sp.rec.hw = hw\n\treturn script.Reply{Code: script.OK, Token: token}\n}\n\nfunc (b *ballot) extend()"),
			},
		},
		{
			Name: "hint-not-above", Property: order,
			Variant: "hint taken as v = max(c, hint)",
			Mistake: "the new token need not lie above the counter",
			Patches: []Patch{
				lua("acquire", "local v, s, hint = c+1, nil, ARGV[4]+0", "local v, s, hint = math.max(c,1), nil, ARGV[4]+0"),
				memory("vote", "token := b.c + 1", "token := max(b.c, 1)"),
			},
		},
		{
			Name: "extend-own-key", Property: order,
			Variant: "EXTEND counts its own key without c ≤ T",
			Mistake: "where the holder's key stands, an extension writes its token whatever the counter says",
			Patches: []Patch{
				lua("extend", "if c > v then return {-4,c} end", "if c > v and not mine then return {-4,c} end"),
				memory("vote", "case b.c > token:\n\t\treturn script.Reply{Code: script.Superseded", "case b.c > token && !b.mine:\n\t\treturn script.Reply{Code: script.Superseded"),
			},
		},
		{
			Name: "first-name-only", Property: order,
			Variant: "several names, token from the first only",
			Mistake: "the token for several names lies above the counter of the first alone",
			Patches: []Patch{
				lua("head", "if v > c then c = v end", "if v > c and i == 4 then c = v end"),
				memory("vote", "b.c = max(b.c, fence)", "if i == 0 {\n\t\t\tb.c = max(b.c, fence)\n\t\t}"),
			},
		},
		{
			Name: "token-truncated", Bug: 19, Property: order,
			Mistake: "a token goes through a number format of 14 digits, so large ones lose their end",
			Patches: []Patch{
				lua("acquire", "  s = string.format('%.0f',v)", "  v = tonumber(tostring(v))\n  s = string.format('%.0f',v)"),
				memory("vote", "\tif token > script.MaxToken {", "\tif token == b.c+1 {\n\t\tvar digits float64\n\t\tfmt.Sscan(fmt.Sprintf(\"%.14g\", float64(token)), &digits)\n\t\ttoken = uint64(digits)\n\t}\n\tif token > script.MaxToken {"),
				memory("vote", "import (\n", "import (\n\t\"fmt\"\n"),
			},
		},
	}
}
