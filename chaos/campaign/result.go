package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/quorumlock/quorumlock/linearizability"
)

// Version is the version of a Result's JSON form, and of a Story's.
const Version = 1

// MaxViolations is how many violations a Result tells of one by one.
const MaxViolations = 100

// Result is what a campaign, or a part of one, came to.
type Result struct {
	Version  int      `json:"version"`
	Word     string   `json:"word"` // VIOLATED, NO VIOLATION OBSERVED, UNKNOWN or VACUOUS
	ExitCode int      `json:"exit_code"`
	Setup    Setup    `json:"options"`
	Build    Build    `json:"build"`
	Seeds    []Seeds  `json:"seeds"`                   // that were run, in order
	Early    string   `json:"stopped_early,omitempty"` // why, if not all were run that were asked for
	Vacuous  []string `json:"vacuous,omitempty"`       // why the runs mean nothing, taken together

	Violations []Violation `json:"violations"` // of the lowest seeds, in order
	Sum
	Took Took `json:"took"`
}

// Violation is one run in which a claimed property or an invariant fell.
type Violation struct {
	Seed       uint64                     `json:"seed"`
	Property   linearizability.Property   `json:"property,omitempty"` // the first of Properties
	Properties []linearizability.Property `json:"properties"`         // all claimed ones that fell
	Invariant  string                     `json:"invariant,omitempty"`
	Story      string                     `json:"story"`  // how the first fell, in a sentence
	Replay     string                     `json:"replay"` // the command that repeats the run
}

// What names what fell: the first property, or the invariant if none did.
func (v *Violation) What() string {
	if v.Property != "" {
		return string(v.Property)
	}
	return v.Invariant
}

// Build says which source was run.
type Build struct {
	Go       string `json:"go"`
	Revision string `json:"revision,omitempty"` // empty where the build does not know
	Modified bool   `json:"modified,omitempty"` // it had changes that no revision has
}

// Took is what a campaign cost; all else in a Result is the same whatever runs
// it.
type Took struct {
	Seconds   float64 `json:"seconds"`           // those of shards added up
	Processor float64 `json:"processor_seconds"` // of all jobs; 0 where it is not known
}

// PerCore is how many acquisitions were simulated and judged in a second of
// processor time; 0 where it is not known.
func (r *Result) PerCore() float64 {
	if r.Took.Processor == 0 {
		return 0
	}
	return float64(r.Acquired) / r.Took.Processor
}

func buildOf() Build {
	b := Build{Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// conclude sets what follows from the sum.
func (r *Result) conclude() {
	outcome := linearizability.Valid
	switch {
	case r.Violated > 0:
		outcome = linearizability.Invalid
	case r.Undecided > 0 || r.Runs == 0:
		outcome = linearizability.Unknown
	}
	r.Vacuous = r.vacuous()
	v := linearizability.Verdict{Outcome: outcome, Vacuous: r.Vacuous}
	r.Word, r.ExitCode = v.Word(), v.ExitCode()
}

// violationOf tells of a run in which something fell; nil if nothing did.
func violationOf(seed uint64, o *Outcome, replay string) *Violation {
	fallen := o.fallen()
	if len(fallen) == 0 && o.Invariant == "" {
		return nil
	}
	v := &Violation{Seed: seed, Properties: fallen, Invariant: o.Invariant, Story: o.Broken, Replay: replay}
	if len(fallen) > 0 {
		v.Property = fallen[0]
		verdict := o.Verdict.Property(v.Property)
		v.Story = verdict.Reason
		if verdict.Counterexample != nil {
			v.Story = verdict.Counterexample.Story
		}
	}
	return v
}

// JSON is the Result as files have it.
func (r *Result) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("campaign: encoding a result: %w", err)
	}
	return append(data, '\n'), nil
}

// ReadResult reads what JSON wrote. The error is a *FileError if the file
// cannot be read, is not a campaign's result, or is of another version.
func ReadResult(path string) (*Result, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	r := new(Result)
	if err := decode(path, data, r); err != nil {
		return nil, err
	}
	refuse := func(format string, args ...any) (*Result, error) {
		return nil, &FileError{File: path, Reason: fmt.Sprintf(format, args...)}
	}
	joined, overlap := union(r.Seeds)
	var runs uint64
	for _, s := range joined {
		if err := s.check(); err != nil {
			return refuse("field seeds: %v", err)
		}
		runs += s.N()
	}
	switch {
	case overlap != nil:
		return refuse("field seeds: the seeds %v stand twice", *overlap)
	case runs != uint64(r.Runs):
		return refuse("field runs: %d, but the seeds are %d", r.Runs, runs)
	}
	was := r.Word
	if r.conclude(); r.Word != was {
		return refuse("field word: %q, but the sums come to %q", was, r.Word)
	}
	return r, nil
}

func read(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FileError{File: path, Reason: "there is no such file", Cause: err}
	}
	if err != nil {
		return nil, &FileError{File: path, Reason: err.Error(), Cause: err}
	}
	return data, nil
}

// decode reads one JSON object. The version is looked at first: of another
// version nothing else can be relied on.
func decode(path string, data []byte, into any) error {
	var v struct {
		Version *int `json:"version"`
	}
	switch err := json.Unmarshal(data, &v); {
	case err != nil:
		return &FileError{File: path, Reason: fmt.Sprintf("not JSON, or cut off: %v", err), Cause: err}
	case v.Version == nil:
		return &FileError{File: path, Reason: "field version is missing"}
	case *v.Version != Version:
		return &FileError{File: path, Reason: fmt.Sprintf("field version is %d; only version %d can be read", *v.Version, Version)}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return &FileError{File: path, Reason: err.Error(), Cause: err}
	}
	return nil
}

func keysOf[K comparable, V any](m map[K]V) iter.Seq[K] { return maps.Keys(m) }

// lowest sorts violations by seed and keeps those that a Result tells of.
func lowest(list []Violation) []Violation {
	slices.SortStableFunc(list, func(a, b Violation) int {
		switch {
		case a.Seed < b.Seed:
			return -1
		case a.Seed > b.Seed:
			return 1
		}
		return 0
	})
	return list[:min(len(list), MaxViolations)]
}
