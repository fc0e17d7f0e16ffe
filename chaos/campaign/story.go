package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// Story is a failing run that was shrunk, as files have it. It is replayed for
// ever after: with the mistake it fails, without it it must not.
type Story struct {
	Version  int            `json:"version"`
	Property string         `json:"property"`         // the property, or the invariant, that falls
	Mutant   string         `json:"mutant,omitempty"` // the planted mistake it falls with; empty: the lock's own
	From     string         `json:"from"`             // the command that repeats the run before it was shrunk
	Steps    int            `json:"steps"`
	Minimal  bool           `json:"minimal"` // no single part can be left out
	How      string         `json:"how"`     // it fell, in a sentence
	Told     []string       `json:"told"`    // the steps in plain English
	Plan     *scenario.Plan `json:"plan"`

	happened []string // message by message; the text has it
}

// maxTold is how many lines about what happened the text has.
const maxTold = 150

// Tell makes a Story of a plan by running it and writing down what happens. The
// error is a *NotFailingError if what does not fall, or the Runner's.
func Tell(r Runner, p *scenario.Plan, what string) (*Story, error) {
	var lines []string
	o, err := r.guarded(context.Background(), p, func(line string) { lines = append(lines, line) })
	if err != nil {
		return nil, err
	}
	if !o.Fell(what) {
		return nil, &NotFailingError{what}
	}
	s := &Story{Version: Version, Property: what, Steps: Steps(p), Plan: p, How: o.Broken, Told: Describe(p)}
	for i := range o.Verdict.Properties {
		if v := &o.Verdict.Properties[i]; string(v.Property) == what {
			if s.How = v.Reason; v.Counterexample != nil {
				s.How = v.Counterexample.Story
			}
		}
	}
	if gone := len(lines) - maxTold; gone > 0 {
		// What matters most comes last.
		lines = slices.Concat(lines[:maxTold/4], []string{fmt.Sprintf("… %d lines are left out …", gone)}, lines[len(lines)-maxTold*3/4:])
	}
	s.happened = lines
	return s, nil
}

// Text tells the story to a person.
func (s *Story) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s falls", s.Property)
	if s.Mutant != "" {
		fmt.Fprintf(&b, " with the planted mistake %q", s.Mutant)
	}
	fmt.Fprintf(&b, ", in %s:\n%s\n\n", count(s.Steps, "step"), s.How)
	for _, line := range World(s.Plan) {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b)
	for i, line := range s.Told {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, line)
	}
	if len(s.happened) > 0 {
		fmt.Fprintf(&b, "\nWhat happens:\n\n%s\n", strings.Join(s.happened, "\n"))
	}
	return b.String()
}

// JSON is the Story as files have it.
func (s *Story) JSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("campaign: encoding a story: %w", err)
	}
	return b.Bytes(), nil
}

// Save writes the story as JSON to path, and as text beside it: the same name
// with .txt.
func (s *Story) Save(path string) error {
	data, err := s.JSON()
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path, data, 0o644), os.WriteFile(TextPath(path), []byte(s.Text()), 0o644))
}

// TextPath is where Save puts the text of a story.
func TextPath(path string) string { return strings.TrimSuffix(path, ".json") + ".txt" }

// ReadStory reads a file that Save wrote, or a plan as scenario writes it, which
// gives a Story of a plan alone. The error is a *FileError if the file cannot be
// read, is neither, is of another version, or holds a plan that no run can do.
func ReadStory(path string) (*Story, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	var form struct {
		Plan json.RawMessage `json:"plan"`
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return nil, &FileError{File: path, Reason: fmt.Sprintf("not JSON, or cut off: %v", err), Cause: err}
	}
	s := &Story{Version: Version}
	text := data
	if form.Plan != nil {
		if err := decode(path, data, s); err != nil {
			return nil, err
		}
		text = form.Plan
	}
	if s.Plan, err = scenario.Parse(text); err == nil {
		err = s.Plan.Validate()
	}
	if err != nil {
		return nil, &FileError{File: path, Reason: err.Error(), Cause: err}
	}
	s.Steps = Steps(s.Plan)
	return s, nil
}
