package mutants

import (
	"slices"
	"strings"
	"time"
)

// The properties, as histories' verdicts and the explorer name them.
const (
	exclusion = "mutual exclusion"
	validity  = "honest validity"
	loss      = "timely loss"
	order     = "token order"
	orphans   = "no orphans"
	fenced    = "fenced resource"
	liveness  = "liveness"
)

// Mutant is one planted mistake.
type Mutant struct {
	Name     string
	Mistake  string // what it does wrong
	Property string // the property that must fall, as verdicts name it

	// Bug is its number in the list of bugs that locks are known for, 0 if it
	// is not on it: 1 SETNX, then EXPIRE; 2 unconditional DEL; 3 no drift
	// subtracted; 4 validity counted from the end of the acquire; 5 a lock
	// returned already expired; 6 "still valid" answered from memory; 7 extend
	// on a minority; 8 extend that resurrects; 9 quorum of half; 10 clean-up
	// only where the reply was OK; 11 a retry blocked by its own key; 12 wall
	// clock on the client; 13 restarted node votes at once; 14 jumped node
	// clock believed; 15 paused holder, no fence; 16 lease not re-checked after
	// waiting; 17 asynchronous replica promoted; 18 token = plain maximum;
	// 19 token truncated; 20 renewer outlives release; 21 late SET lands after
	// release; 22 one server counted twice; 23 guard accepts another holder's
	// equal token; 24 cancelled acquire reported as held; 25 tokens restart
	// when the key is deleted; 26 loss told only when the renewal fails.
	Bug int

	// Variant is the rule of the protocol that it breaks, in a few words, where
	// the protocol without that rule is known to be wrong; else empty.
	Variant string

	// Setup says how it is planted where it is no change of the source, or what
	// a change of the source needs besides.
	Setup string

	Patches []Patch // applied in order

	Explore  *Explore  // how the explorer convicts it; nil: it cannot
	Simulate *Simulate // how the simulator convicts it; nil: it cannot
	Live     *Live     // how real servers convict it; nil: they need not
}

// Explore is how the explorer convicts a mutant.
type Explore struct {
	Scope string
	// Known is the depth at which an independent model of the protocol
	// convicted the same mistake, 0 if there is none. Steps are cut
	// differently, so the two depths need not be equal.
	Known int
}

// Simulate is how the simulator convicts a mutant.
type Simulate struct {
	Args    []string // of the command simulate
	Control []string // what the lock as it is must pass; nil means Args
}

// Live is how real servers convict a mutant.
type Live struct {
	Story    string        // the directed story that shows it; empty for a whole run
	Duration time.Duration // of the run; 0: as long as run takes by itself
	Needed   int           // so many of five runs must convict
}

// Patch replaces the one place in a file where Old stands by New.
type Patch struct {
	File string // slash-separated, from the module's root
	Old  string
	New  string
}

// The files that most mistakes are made in.
func core(file, old, new string) Patch { return Patch{"redlock/quorum/" + file + ".go", old, new} }
func lua(file, old, new string) Patch  { return Patch{"redlock/script/" + file + ".lua", old, new} }
func memory(file, old, new string) Patch {
	return Patch{"redlock/redlocktest/" + file + ".go", old, new}
}
func guard(old, new string) Patch { return Patch{"fencing/guard.go", old, new} }

// Pair reports whether the mistake is made both in a script and in the node in
// memory, which must then agree.
func (m Mutant) Pair() bool { return m.touches("redlock/script/") && m.touches("redlock/redlocktest/") }

func (m Mutant) touches(folder string) bool {
	return slices.ContainsFunc(m.Patches, func(p Patch) bool { return strings.HasPrefix(p.File, folder) })
}

// All lists the mutants, by the property that they break.
func All() []Mutant {
	all := slices.Concat(
		exclusionMutants(), votesMutants(), bootstrapMutants(), validityMutants(), lossMutants(),
		orderMutants(), seedMutants(), orphansMutants(), resourceMutants(), livenessMutants(), setupMutants(),
	)
	for i := range all {
		if x, ok := explored[all[i].Name]; ok {
			all[i].Explore = &x
		}
		if s, ok := simulated[all[i].Name]; ok {
			all[i].Simulate = &s
		}
		if l, ok := live[all[i].Name]; ok {
			all[i].Live = &l
		}
	}
	return all
}
