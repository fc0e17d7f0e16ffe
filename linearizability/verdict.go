package linearizability

import "slices"

// Outcome is what a check came to.
type Outcome string

// The outcomes.
const (
	Valid     Outcome = "valid"      // nothing against it was seen
	Invalid   Outcome = "invalid"    // broken, with a counterexample
	Unknown   Outcome = "unknown"    // the check could not tell
	NotJudged Outcome = "not-judged" // the history says too little
)

// Merge combines outcomes: invalid outranks unknown, which outranks valid.
// NotJudged does not count; it is returned when nothing else is there.
func Merge(outcomes ...Outcome) Outcome {
	for _, o := range []Outcome{Invalid, Unknown, Valid} {
		if slices.Contains(outcomes, o) {
			return o
		}
	}
	return NotJudged
}

// Property is something that a lock, or what surrounds it, should do. Each has
// a verdict of its own, because each blames something else.
type Property string

// The properties.
const (
	MutualExclusion  Property = "mutual exclusion"  // no two holds' claims overlap
	HonestValidity   Property = "honest validity"   // a hold is what it says while it says so
	TimelyLoss       Property = "timely loss"       // a holder is told in time that it is none any longer
	TokenOrder       Property = "token order"       // tokens are unique and grow
	FencedResource   Property = "fenced resource"   // the guard turns stale holders away
	Liveness         Property = "liveness"          // after faults, whoever waits acquires
	NoOrphans        Property = "no orphans"        // nothing is left behind on the nodes
	UnfencedResource Property = "unfenced resource" // the control: the same counter without a guard
	Overrun          Property = "overrun"           // the application stops when its claim ends
)

// Properties lists all properties in the order in which reports show them.
func Properties() []Property {
	return []Property{MutualExclusion, HonestValidity, TimelyLoss, TokenOrder, FencedResource,
		Liveness, NoOrphans, UnfencedResource, Overrun}
}

// Assumes returns the assumptions that p rests on, and whether it can be
// claimed at all: the unfenced resource and overrun never are.
func (p Property) Assumes() (assumptions []Assumption, claimable bool) {
	switch p {
	case MutualExclusion, HonestValidity, TimelyLoss, NoOrphans: // keys that clients could not delete expire by the nodes' clocks
		return []Assumption{C1, C2, C3}, true
	case TokenOrder, FencedResource:
		return []Assumption{C2, C3}, true
	case Liveness: // a dead holder's keys expire by the nodes' clocks
		return []Assumption{C1, C2, C3, C4}, true
	}
	return nil, false
}

// claimed tells whether p is claimed in a run that broke these assumptions.
func (p Property) claimed(broken []Assumption) bool {
	needs, claimable := p.Assumes()
	if !claimable {
		return false
	}
	return !slices.ContainsFunc(needs, func(a Assumption) bool { return slices.Contains(broken, a) })
}

// Counterexample shows a violation with as few lines as it takes.
type Counterexample struct {
	// Indices are those of the events that show it, ascending.
	Indices []int `json:"indices"`
	// Story tells it in a sentence, with times, clients, holds and tokens.
	Story string `json:"story"`
}

// Clause is one half of a property that has two, or all of it.
type Clause struct {
	Name           string          `json:"name"`
	Outcome        Outcome         `json:"verdict"`
	Judged         int             `json:"judged"` // how many cases were looked at
	Reason         string          `json:"reason"`
	Counterexample *Counterexample `json:"counterexample,omitempty"`
}

// PropertyVerdict is the verdict on one property. Outcome merges its clauses.
type PropertyVerdict struct {
	Property       Property        `json:"property"`
	Outcome        Outcome         `json:"verdict"`
	Claimed        bool            `json:"claimed"` // its assumptions held in the run
	Assumes        []Assumption    `json:"assumes"`
	Blame          string          `json:"blame,omitempty"` // whose fault it is, where invalid
	Reason         string          `json:"reason"`
	Counterexample *Counterexample `json:"counterexample,omitempty"`
	Clauses        []Clause        `json:"clauses"`
}

// Verdict is what Judge and Check return.
type Verdict struct {
	// Outcome merges those of the claimed properties. Where none of them was
	// judged it is Unknown.
	Outcome Outcome `json:"verdict"`
	// Model is the one that Check was asked for; empty from Judge.
	Model string `json:"model,omitempty"`
	// Events is the number of events that were judged.
	Events int `json:"events"`
	// Broken lists the assumptions that the run broke on purpose.
	Broken []Assumption `json:"broken,omitempty"`
	// Properties are in the order of the function of that name.
	Properties []PropertyVerdict `json:"properties"`
	// Vacuous says why the run means nothing although no violation was seen.
	// Judge leaves it empty: set it to what Plan.Vacuous returns.
	Vacuous []string `json:"vacuous,omitempty"`
}

// The words of a verdict. There is no word for a lock that is correct.
const (
	WordViolated    = "VIOLATED"
	WordNoViolation = "NO VIOLATION OBSERVED"
	WordUnknown     = "UNKNOWN"
	WordVacuous     = "VACUOUS"
)

// Exit codes of a program that ends in a verdict.
const (
	ExitNoViolation = 0
	ExitViolated    = 1
	ExitUnknown     = 2 // or vacuous
	ExitBadInput    = 3 // or the harness itself failed
)

// Word returns the verdict in a word or three.
func (v *Verdict) Word() string {
	switch {
	case v.Outcome == Invalid:
		return WordViolated
	case v.Outcome != Valid:
		return WordUnknown
	case len(v.Vacuous) > 0:
		return WordVacuous
	}
	return WordNoViolation
}

// ExitCode returns the exit code of a program that ends in this verdict.
func (v *Verdict) ExitCode() int {
	switch v.Word() {
	case WordViolated:
		return ExitViolated
	case WordNoViolation:
		return ExitNoViolation
	}
	return ExitUnknown
}

// Property returns the verdict on p, or nil if p was not judged here.
func (v *Verdict) Property(p Property) *PropertyVerdict {
	for i := range v.Properties {
		if v.Properties[i].Property == p {
			return &v.Properties[i]
		}
	}
	return nil
}

// merge sets the outcome from the claimed properties.
func (v *Verdict) merge() {
	var claimed []Outcome
	for _, p := range v.Properties {
		if p.Claimed {
			claimed = append(claimed, p.Outcome)
		}
	}
	if v.Outcome = Merge(claimed...); v.Outcome == NotJudged {
		v.Outcome = Unknown
	}
}
