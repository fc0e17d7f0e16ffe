// Package mutants plants mistakes in the lock and has the harness convict them.
//
// A harness that finds nothing shows something only if it would find what is
// there. So each mutant is one small change to the source that is shipped: it
// is applied to a copy of the file, the whole harness is built with that copy
// in its place (go build -overlay), and the live run must end in a violation
// of the property that the mistake breaks. The library has no hook for it.
//
// A mutant that no longer applies is an error, never a skip. The package
// imports nothing of the project: it drives the built command as a person
// would, and reads the results that it leaves.
package mutants

// Mutant is one planted mistake.
type Mutant struct {
	Name     string
	Mistake  string  // what it does wrong
	Property string  // the property that must fall, as results.json names it
	Story    string  // the directed story that shows it; empty for a whole run
	Patches  []Patch // applied in order
}

// Patch replaces the one place in a file where Old stands by New.
type Patch struct {
	File string // slash-separated, from the module's root
	Old  string
	New  string
}

// All lists the mutants.
func All() []Mutant {
	return []Mutant{
		{
			Name:     "no-drift",
			Mistake:  "the deadline counts from the reply, and no drift is subtracted",
			Property: "mutual exclusion",
			Story:    "drift-1",
			Patches: []Patch{
				{"redlock/quorum/params.go", "return ttl - p.drift(ttl) - Delta", "return ttl"},
				{"redlock/quorum/attempt.go", "h.deadline = h.start.Add(h.p.Validity(h.req.TTL))", "h.deadline = now.Add(h.p.Validity(h.req.TTL) + LossMargin)"},
			},
		},
		{
			Name:     "blind-del",
			Mistake:  "release deletes the key whoever it belongs to",
			Property: "mutual exclusion",
			Story:    "late-unlock",
			Patches: []Patch{
				{"redlock/script/release.lua", "if redis.pcall('GET',KEYS[i]) == id then", "if redis.pcall('GET',KEYS[i]) then"},
			},
		},
		{
			Name:     "votes-at-once",
			Mistake:  "a node that lost its memory is admitted without waiting for the leases that it forgot",
			Property: "mutual exclusion",
			Story:    "amnesia",
			Patches: []Patch{
				{"redlock/quorum/rejoin.go", "rejoinWaiting, now.Add(j.p.Outlive(j.p.MaxTTL))", "rejoinWaiting, now"},
			},
		},
		{
			Name:     "plain-maximum",
			Mistake:  "the token is the largest that was granted, without a majority that assigned it",
			Property: "token order",
			Story:    "raise",
			Patches: []Patch{
				{"redlock/quorum/attempt.go", "n.token >= h.token || n.raise != 0 {", "n.raise == 0 {"},
				{"redlock/quorum/attempt.go", "h.phase, h.until = Raising, now.Add(h.p.NodeDeadline)", "h.win(now, h.token, out)\n\treturn"},
			},
		},
	}
}
