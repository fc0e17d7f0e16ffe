package linearizability

import (
	"context"
	"fmt"
	"time"
)

// Method is how a key was judged.
type Method string

// The methods. Sweep is the fast one; it judges where it is exact. Search
// judges the rest, as long as its limits allow.
const (
	MethodSweep     Method = "sweep"
	MethodSearch    Method = "search"
	MethodPorcupine Method = "porcupine" // only where asked for
)

// Defaults of CheckOptions.
const (
	DefaultSearchSteps  = 20_000_000
	DefaultSearchMemory = 256 << 20
	DefaultCheckLimit   = time.Minute
)

// CheckOptions change how Check judges. The zero value is what most want.
type CheckOptions struct {
	_ struct{}

	// Limit is how long the searches may take in all; zero means
	// DefaultCheckLimit. Sweeps do not count.
	Limit time.Duration

	// Steps is how many steps of the model the search of one key may take; zero
	// means DefaultSearchSteps.
	Steps int

	// Memory is how many bytes one search may keep, roughly; zero means
	// DefaultSearchMemory.
	Memory int

	// Method has every key judged by this one, to compare them. Empty means
	// the sweep where it is exact, and the search elsewhere. The sweep alone
	// leaves keys Unknown where it is not exact.
	Method Method
}

// HoldsEnd says what ended holds in a verdict.
type HoldsEnd string

// What ends holds: their claims, where any line of the history has a deadline,
// and for the lease; otherwise the releases as they were called.
const (
	HoldsEndWithClaims   HoldsEnd = "claims"
	HoldsEndWithReleases HoldsEnd = "releases"
)

// KeyVerdict is the verdict on one lock.
type KeyVerdict struct {
	Key        string  `json:"key"`
	Outcome    Outcome `json:"verdict"` // Valid, Invalid or Unknown
	Method     Method  `json:"method"`
	Reason     string  `json:"reason"`
	Operations int     `json:"operations"` // acquires and releases invoked

	// Counterexample is set where Outcome is Invalid: as few operations as
	// could be found that no order makes legal, even if all others that were
	// invoked since had happened or not as it suits.
	Counterexample *Counterexample `json:"counterexample,omitempty"`

	// Since is an index before which nothing matters to the counterexample: the
	// lock was as new, but for its fence. It is zero where everything counts.
	Since int `json:"since,omitempty"`
}

// ModelVerdict is what Check returns.
type ModelVerdict struct {
	Model    string   `json:"model"`
	Outcome  Outcome  `json:"verdict"`   // merges those of the keys; Unknown of an empty history
	HoldsEnd HoldsEnd `json:"holds_end"` // what ended holds
	Events   int      `json:"events"`

	Operations int          `json:"operations"` // acquires and releases invoked
	Keys       []KeyVerdict `json:"keys"`       // by name
}

// ExitCode returns the exit code of a program that ends in this verdict.
func (v *ModelVerdict) ExitCode() int { return (&Verdict{Outcome: v.Outcome}).ExitCode() }

// Word returns the verdict in a word or three.
func (v *ModelVerdict) Word() string { return (&Verdict{Outcome: v.Outcome}).Word() }

// Counterexample returns that of the first key that is invalid, or nil.
func (v *ModelVerdict) Counterexample() *Counterexample {
	for i := range v.Keys {
		if v.Keys[i].Outcome == Invalid {
			return v.Keys[i].Counterexample
		}
	}
	return nil
}

// Check judges the events against one model alone, key by key. It returns an
// *UnknownModelError for a model that it does not know, a *ParamsError for
// options that make no sense, and a *HistoryError if the events break the rules
// of histories. When ctx is done, keys that are still being searched are
// Unknown.
func Check(ctx context.Context, events []Event, model string, opts CheckOptions) (*ModelVerdict, error) {
	c, err := NewChecker(model, opts)
	if err != nil {
		return nil, err
	}
	if err := Validate(events); err != nil {
		return nil, err
	}
	for i := range events {
		c.Add(&events[i])
	}
	return c.Verdict(ctx), nil
}

// Checker judges a history against one model without keeping its events: what
// it keeps is about 100 bytes an acquire or release and 8 bytes an event. It is
// not safe for use by several goroutines at once.
type Checker struct {
	model string
	m     machine
	opts  CheckOptions
	r     *recorder
}

// NewChecker returns a Checker for the model. It returns an *UnknownModelError
// or a *ParamsError, as Check does.
func NewChecker(model string, opts CheckOptions) (*Checker, error) {
	m, err := machineOf(model)
	if err != nil {
		return nil, err
	}
	bad := func(field string, value any) error {
		return &ParamsError{Field: field, Value: fmt.Sprint(value), Reason: "must not be negative"}
	}
	switch {
	case opts.Limit < 0:
		return nil, bad("Limit", opts.Limit)
	case opts.Steps < 0:
		return nil, bad("Steps", opts.Steps)
	case opts.Memory < 0:
		return nil, bad("Memory", opts.Memory)
	}
	switch opts.Method {
	case "", MethodSweep, MethodSearch, MethodPorcupine:
	default:
		return nil, &ParamsError{Field: "Method", Value: string(opts.Method), Reason: "there is no such method"}
	}
	opts.Limit = orDefault(opts.Limit, DefaultCheckLimit)
	opts.Steps = orDefault(opts.Steps, DefaultSearchSteps)
	opts.Memory = orDefault(opts.Memory, DefaultSearchMemory)
	return &Checker{model: model, m: m, opts: opts, r: newRecorder()}, nil
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Add takes the next event. Together the events must be valid: Reader sees to
// that, and Validate.
func (c *Checker) Add(e *Event) { c.r.add(e) }

// Verdict judges the events that were added. It must be called once, after the
// last of them.
func (c *Checker) Verdict(ctx context.Context) *ModelVerdict {
	r := c.r
	r.finish()
	claims := r.deadlines || c.model == ModelLease
	v := &ModelVerdict{Model: c.model, HoldsEnd: HoldsEndWithReleases, Events: len(r.times), Operations: len(r.ops), Keys: []KeyVerdict{}}
	if claims {
		v.HoldsEnd = HoldsEndWithClaims
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Limit)
	defer cancel()
	j := &judging{Checker: c, claims: claims, ctx: ctx, operations: make([]int, len(r.keys.list))}
	for i := range r.ops {
		j.operations[r.ops[i].key]++
	}
	if m := c.opts.Method; m == "" || m == MethodSweep {
		j.swept = r.sweep(c.m, claims)
	}
	outcomes := []Outcome{Valid}
	if len(r.times) == 0 {
		outcomes = []Outcome{Unknown}
	}
	for _, key := range r.sortedKeys() {
		k := j.judge(key)
		v.Keys, outcomes = append(v.Keys, k), append(outcomes, k.Outcome)
	}
	v.Outcome = Merge(outcomes...)
	return v
}

// judging is one call of Verdict.
type judging struct {
	*Checker
	ctx        context.Context
	claims     bool
	operations []int
	swept      []sweepKey // or nil
	odd        []string   // made on demand
	windows    [][]window // made on demand
}

// judge gives the verdict on one key.
func (j *judging) judge(key int32) KeyVerdict {
	v := KeyVerdict{Key: j.r.keys.list[key], Operations: j.operations[key], Method: MethodSweep}
	if j.swept != nil {
		k := &j.swept[key]
		if k.why == legal {
			v.Outcome, v.Reason = Valid, "each acquire at its return and each hold's end at its first moment make a legal order"
			return v
		}
		if j.odd == nil {
			j.odd = j.r.odd(j.model, j.claims)
		}
		if odd := j.odd[key]; odd == "" {
			v.Outcome = Invalid
			v.Counterexample = j.conviction(k)
			v.Reason = v.Counterexample.Story
			return v
		} else if j.opts.Method == MethodSweep {
			v.Outcome, v.Reason = Unknown, "the sweep is not exact here: "+odd
			return v
		}
	}
	if j.windows == nil {
		j.windows = j.r.windows(j.claims)
	}
	windows := j.windows[key]
	if j.opts.Method == MethodPorcupine {
		v.Method = MethodPorcupine
		v.Outcome, v.Reason = j.porcupine(windows)
		if v.Outcome != Invalid {
			return v
		}
	} else {
		v.Method = MethodSearch
	}
	found := search(j.ctx, j.m, windows, &limits{j.opts.Steps, j.opts.Memory})
	if v.Method == MethodPorcupine && found.outcome != Invalid {
		return v
	}
	switch v.Outcome, v.Reason = found.outcome, found.reason; v.Outcome {
	case Valid:
		v.Reason = "there is a legal order"
	case Invalid:
		v.Counterexample, v.Since = j.minimal(windows, found)
		v.Reason = v.Counterexample.Story
	}
	return v
}
