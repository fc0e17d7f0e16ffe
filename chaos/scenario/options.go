package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Defaults of Options.
const (
	DefaultDuration     = time.Minute
	DefaultNodes        = 5
	DefaultClients      = 8
	DefaultKeys         = 4
	DefaultTTL          = 2 * time.Second
	DefaultNodeDeadline = 50 * time.Millisecond
	DefaultDrift        = 0.16
)

// Options say what to plan. Equal options give equal plans.
type Options struct {
	_ struct{}

	// Duration of the faulted part. Zero means a minute. A duration too short
	// for the stories and for one fault of each kind is refused with a
	// TooShortError, which names the shortest that will do.
	Duration time.Duration

	// Nodes is how many nodes there are, 3 to 15: with fewer no fault leaves a
	// majority. Zero means 5.
	Nodes int

	// Clients is how many clients work, 1 to 64. Zero means 8. Stories bring
	// their own.
	Clients int

	// Keys is how many locks they fight over, 1 to 64. Zero means 4. Every
	// second one runs with the hint off.
	Keys int

	// Seed decides everything random. Zero is a seed like any other.
	Seed uint64

	// Faults limits which kinds strike at random. Nil means all of Kinds; an
	// empty, non-nil slice means no fault at all, and no story either.
	Faults []Kind

	// Story, if set, plans that story alone, without random faults. Some stories
	// have defaults of their own for the fields below.
	Story string

	// TTL of every lease, and the cluster's largest. Zero means 2 s.
	TTL time.Duration

	// NodeDeadline is how long a client waits for a node. Zero means 50 ms.
	NodeDeadline time.Duration

	// Drift is ρ, by how much clock rates may differ. Zero means 0.16.
	Drift float64
}

// OptionError says which option is wrong, and why.
type OptionError struct {
	Field  string
	Value  string
	Reason string
}

// Error names the field, the value and the reason.
func (e *OptionError) Error() string {
	return fmt.Sprintf("scenario: %s = %s: %s", e.Field, e.Value, e.Reason)
}

// TooShortError says that the duration cannot hold what the plan must show.
type TooShortError struct {
	Duration time.Duration // what was asked for
	Minimum  time.Duration // what is needed
}

// Error names both durations.
func (e *TooShortError) Error() string {
	return fmt.Sprintf("scenario: duration = %v: too short for the directed stories and one fault of each kind; the minimum is %v", e.Duration, e.Minimum)
}

// ParseKinds reads a comma-separated list of kinds; "all" gives nil and "none"
// an empty slice, as Options.Faults has them.
func ParseKinds(list string) ([]Kind, error) {
	switch strings.TrimSpace(list) {
	case "all":
		return nil, nil
	case "none":
		return []Kind{}, nil
	}
	kinds := []Kind{}
	for _, word := range strings.Split(list, ",") {
		k := Kind(strings.TrimSpace(word))
		if !slices.Contains(Kinds(), k) {
			return nil, &OptionError{Field: "faults", Value: fmt.Sprintf("%q", word), Reason: "not a kind of fault; there are " + joinKinds(Kinds()) + ", and all or none"}
		}
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds, nil
}

func joinKinds(kinds []Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// withDefaults replaces zero fields and checks everything but the duration.
func (o Options) withDefaults() (Options, error) {
	setups()[o.Story].adopt(&o)
	setDefault(&o.Duration, DefaultDuration)
	setDefault(&o.Nodes, DefaultNodes)
	setDefault(&o.Clients, DefaultClients)
	setDefault(&o.Keys, DefaultKeys)
	setDefault(&o.TTL, DefaultTTL)
	setDefault(&o.NodeDeadline, DefaultNodeDeadline)
	setDefault(&o.Drift, DefaultDrift)
	bad := func(field string, value any, reason string) (Options, error) {
		return o, &OptionError{Field: field, Value: fmt.Sprint(value), Reason: reason}
	}
	switch {
	case o.Duration < 0 || o.Duration > 24*time.Hour:
		return bad("duration", o.Duration, "must be positive and at most 24h")
	case o.Nodes < 3 || o.Nodes > 15:
		return bad("nodes", o.Nodes, "must be 3 to 15: with fewer than 3 no fault leaves a majority")
	case o.Clients < 1 || o.Clients > 64:
		return bad("clients", o.Clients, "must be 1 to 64")
	case o.Keys < 1 || o.Keys > 64:
		return bad("keys", o.Keys, "must be 1 to 64")
	case o.NodeDeadline < time.Millisecond || o.NodeDeadline > time.Second:
		return bad("node deadline", o.NodeDeadline, "must be 1ms to 1s")
	case o.TTL < 20*o.NodeDeadline || o.TTL > time.Minute || o.TTL%time.Millisecond != 0:
		return bad("ttl", o.TTL, fmt.Sprintf("must be whole milliseconds, at least 20 node deadlines (%v) and at most 1m", 20*o.NodeDeadline))
	case !(o.Drift >= 0.001 && o.Drift <= 0.5):
		return bad("drift", o.Drift, "must be 0.001 to 0.5")
	}
	for _, k := range o.Faults {
		if !slices.Contains(Kinds(), k) {
			return bad("faults", k, "not a kind of fault; there are "+joinKinds(Kinds()))
		}
	}
	if o.Story != "" && !slices.Contains(AllStoryNames(), o.Story) {
		return bad("story", o.Story, "no such story; there are "+strings.Join(AllStoryNames(), ", "))
	}
	return o, nil
}
