package campaign

import "fmt"

// MergeError says why two results cannot be added up.
type MergeError struct {
	Files  [2]string
	Field  string // what does not fit, as results have it
	Values [2]string
	Reason string
}

// Error names both files, the field and both values.
func (e *MergeError) Error() string {
	return fmt.Sprintf("campaign: %s and %s cannot be merged: %s = %s and %s: %s",
		e.Files[0], e.Files[1], e.Field, e.Values[0], e.Values[1], e.Reason)
}

// Named is a Result and where it is from.
type Named struct {
	File string
	*Result
}

// Merge adds up results of parts of one campaign: the sum is what one machine
// would have come to. Whether enough happened is judged on the sum. The error
// is a *MergeError where two were of different options or sources, or have
// seeds in common, and an *InputError where there is nothing to merge.
func Merge(parts []Named) (*Result, error) {
	if len(parts) == 0 {
		return nil, bad("files", "none", "at least one result is needed")
	}
	first := parts[0]
	sum := &Result{Version: Version, Setup: first.Setup, Build: first.Build, Violations: []Violation{}}
	for i, p := range parts {
		if err := fit(first, p); err != nil {
			return nil, err
		}
		for _, q := range parts[:i] {
			if err := disjoint(q, p); err != nil {
				return nil, err
			}
		}
		sum.Seeds = append(sum.Seeds, p.Seeds...)
		sum.add(&p.Sum)
		sum.Violations = append(sum.Violations, p.Violations...)
		sum.Took.Seconds += p.Took.Seconds
		sum.Took.Processor += p.Took.Processor
		if sum.Early == "" && p.Early != "" {
			sum.Early = p.Early
		}
	}
	sum.Seeds, _ = union(sum.Seeds)
	sum.Violations = lowest(sum.Violations)
	sum.conclude()
	return sum, nil
}

// fit tells whether two results are of one campaign. Go's version may differ:
// what a run does hangs on the source alone.
func fit(a, b Named) error {
	for _, f := range []struct {
		field  string
		va, vb any
		reason string
	}{
		{"version", a.Version, b.Version, "results of different versions do not compare"},
		{"build.revision", a.Build.Revision, b.Build.Revision, "they ran different source"},
		{"build.modified", a.Build.Modified, b.Build.Modified, "they ran different source"},
		{"options.nodes", a.Setup.Nodes, b.Setup.Nodes, "they ran different plans"},
		{"options.clients", a.Setup.Clients, b.Setup.Clients, "they ran different plans"},
		{"options.keys", a.Setup.Keys, b.Setup.Keys, "they ran different plans"},
		{"options.hint", a.Setup.Hint, b.Setup.Hint, "they ran different plans"},
		{"options.outside", a.Setup.Outside, b.Setup.Outside, "they ran different plans"},
		{"options.story", a.Setup.Story, b.Setup.Story, "they ran different plans"},
		{"options.duration", a.Setup.Duration, b.Setup.Duration, "they ran different plans"},
	} {
		if f.va != f.vb {
			return &MergeError{[2]string{a.File, b.File}, f.field, [2]string{fmt.Sprintf("%v", f.va), fmt.Sprintf("%v", f.vb)}, f.reason}
		}
	}
	return nil
}

func disjoint(a, b Named) error {
	for _, x := range a.Seeds {
		for _, y := range b.Seeds {
			if x.From <= y.To && y.From <= x.To {
				return &MergeError{[2]string{a.File, b.File}, "seeds", [2]string{x.String(), y.String()}, "they have seeds in common, which would count twice"}
			}
		}
	}
	return nil
}
