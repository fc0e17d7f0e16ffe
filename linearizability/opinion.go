package linearizability

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// DefaultOpinionLimit is how long Opine searches where no limit is given.
const DefaultOpinionLimit = 10 * time.Second

// Agreement says how porcupine's verdict stands to ours.
type Agreement string

// The agreements. Undecided is never read as Agrees.
const (
	Agrees    Agreement = "agrees"
	Disagrees Agreement = "disagrees" // one of the two checkers is wrong
	Undecided Agreement = "unknown"   // one of the two could not tell
)

// Argument is one checker's verdict on one key, and why.
type Argument struct {
	Outcome Outcome `json:"verdict"`
	Reason  string  `json:"reason"`
	// Indices are those of the events that show it, ascending. There are none
	// where nothing speaks against the lock.
	Indices []int `json:"indices,omitempty"`
}

// KeyOpinion is the opinion on one lock.
type KeyOpinion struct {
	Key       string    `json:"key"`
	Agreement Agreement `json:"agreement"`

	// Porcupine is its verdict on the fenced mutex: Valid, Invalid or Unknown.
	Porcupine Argument `json:"porcupine"`

	// Ours is what this package's sweeps say of the same: Valid, Invalid, or
	// NotJudged where they are not exact. See KeyOpinion.Fallen.
	Ours Argument `json:"ours"`

	// Fallen lists which of MutualExclusion and TokenOrder fell on this key. It
	// is empty where Ours is Invalid and neither did: then tokens fell from one
	// claim to the next although the two acquires were open at once, which a
	// fenced mutex forbids and TokenOrder does not look at.
	Fallen []Property `json:"fallen,omitempty"`

	Holds      int `json:"holds"`      // acquires that returned ok
	Operations int `json:"operations"` // what porcupine was given
	Segments   int `json:"segments"`   // in how many parts

	drawing *drawing // of a key to be drawn, or nil
}

// Opinion is what porcupine thinks of a history, lock by lock, beside what this
// package thinks of it.
type Opinion struct {
	Checker   string        `json:"checker"` // with its version
	Model     string        `json:"model"`
	Limit     time.Duration `json:"limit"` // of the search, ns
	Took      time.Duration `json:"took"`  // ns
	Agreement Agreement     `json:"agreement"`
	// Outcome merges porcupine's verdicts on the keys.
	Outcome Outcome      `json:"verdict"`
	Keys    []KeyOpinion `json:"keys"` // by name
}

// DisagreementError says that this package and porcupine came to different
// verdicts on one lock. One of them is wrong, so neither can be trusted.
type DisagreementError struct {
	Key             string
	Ours, Porcupine Argument
}

// Error gives both arguments.
func (e *DisagreementError) Error() string {
	return fmt.Sprintf("linearizability: two checkers disagree on %q: ours says %s: %s; porcupine says %s: %s",
		e.Key, e.Ours.Outcome, e.Ours.Reason, e.Porcupine.Outcome, e.Porcupine.Reason)
}

// Err returns a *DisagreementError for the first key on which the checkers
// disagree, or nil.
func (o *Opinion) Err() error {
	for i := range o.Keys {
		if k := &o.Keys[i]; k.Agreement == Disagrees {
			return &DisagreementError{Key: k.Key, Ours: k.Ours, Porcupine: k.Porcupine}
		}
	}
	return nil
}

// Beyond returns the keys on which both checkers convict and no property fell:
// see KeyOpinion.Fallen.
func (o *Opinion) Beyond() []*KeyOpinion {
	var keys []*KeyOpinion
	for i := range o.Keys {
		if k := &o.Keys[i]; k.Ours.Outcome == Invalid && k.Porcupine.Outcome == Invalid && len(k.Fallen) == 0 {
			keys = append(keys, k)
		}
	}
	return keys
}

// ExitCode returns the exit code of a program that ends in the verdict v on the
// same history and in this opinion.
//
// A disagreement outranks everything. What the verdict says comes next. Of a
// history against which v has nothing, keys in Beyond make a violation if
// mutual exclusion is claimed there, whose assumptions are what rules them
// out; otherwise an opinion that is unknown makes it unknown.
func (o *Opinion) ExitCode(v *Verdict) int {
	code := v.ExitCode()
	claimed := MutualExclusion.claimed(v.Broken)
	switch {
	case o.Agreement == Disagrees:
		return ExitBadInput
	case code == ExitViolated:
		return code
	case claimed && len(o.Beyond()) > 0:
		return ExitViolated
	case code == ExitNoViolation && o.Agreement != Agrees:
		return ExitUnknown
	}
	return code
}

// Word returns the word for what ExitCode returns. After a disagreement it is
// WordUnknown: nothing can be said of the lock.
func (o *Opinion) Word(v *Verdict) string {
	switch o.ExitCode(v) {
	case ExitViolated:
		return WordViolated
	case ExitNoViolation:
		return WordNoViolation
	}
	if v.ExitCode() == ExitUnknown && o.Agreement != Disagrees {
		return v.Word()
	}
	return WordUnknown
}

// Opine has porcupine, a checker of linearizability that shares no code with
// this package, judge every lock of the history as a fenced mutex, and sets its
// verdict beside ours. Zero limit means DefaultOpinionLimit; the search is over
// when it has passed or ctx is done, and the keys not decided by then are
// Unknown, as is a history without any key. Finding words for a conviction may
// take 0.2 s more.
//
// Opine returns a *HistoryError if the events break the rules of histories. A
// disagreement is no error of Opine's: see Opinion.Err.
func Opine(ctx context.Context, events []Event, limit time.Duration) (*Opinion, error) {
	return opine(ctx, events, limit, (*byKey).ours)
}

// judgeKey gives our verdict on one key. It is byKey.ours, but for tests.
type judgeKey func(b *byKey, key string) (Argument, []Property)

func opine(ctx context.Context, events []Event, limit time.Duration, ours judgeKey) (*Opinion, error) {
	began := time.Now()
	if limit < 0 {
		return nil, &ParamsError{Field: "limit", Value: limit.String(), Reason: "must not be negative"}
	}
	if limit == 0 {
		limit = DefaultOpinionLimit
	}
	if err := Validate(events); err != nil {
		return nil, err
	}
	o := &Opinion{Checker: porcupineVersion, Model: "fenced-mutex", Limit: limit, Keys: []KeyOpinion{}}
	tasks := porcupineTasks(events)
	mine := holdsByKey(newHistory(events, Params{}))
	deadline := began.Add(limit)
	for i, task := range tasks {
		// An equal share of what is left, so that one hard key cannot starve the rest.
		share := time.Until(deadline) / time.Duration(len(tasks)-i)
		k := KeyOpinion{Key: task.key, Holds: task.holds, Operations: len(task.ops)}
		k.Ours, k.Fallen = ours(mine, task.key)
		found := task.search(ctx, share)
		k.Segments = found.segments
		k.Agreement = agreement(k.Ours.Outcome, found.outcome)
		k.Porcupine, k.drawing = task.argue(ctx, found, k.Ours.Outcome == Invalid, time.Until(deadline))
		o.Keys = append(o.Keys, k)
	}
	o.merge()
	o.Took = time.Since(began)
	return o, nil
}

// agreement compares our verdict with porcupine's.
func agreement(ours, theirs Outcome) Agreement {
	decided := []Outcome{Valid, Invalid}
	switch {
	case !slices.Contains(decided, ours) || !slices.Contains(decided, theirs):
		return Undecided
	case ours != theirs:
		return Disagrees
	}
	return Agrees
}

// merge sets the opinion on the whole from those on the keys.
func (o *Opinion) merge() {
	has := func(a Agreement) bool {
		return slices.ContainsFunc(o.Keys, func(k KeyOpinion) bool { return k.Agreement == a })
	}
	switch {
	case has(Disagrees):
		o.Agreement = Disagrees
	case has(Undecided) || len(o.Keys) == 0:
		o.Agreement = Undecided
	default:
		o.Agreement = Agrees
	}
	var outcomes []Outcome
	for _, k := range o.Keys {
		outcomes = append(outcomes, k.Porcupine.Outcome)
	}
	if o.Outcome = Merge(outcomes...); o.Outcome == NotJudged {
		o.Outcome = Unknown
	}
}
