package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"
)

// Options say which mutants to convict and how.
type Options struct {
	_ struct{}

	Root   string    // the module's folder
	Dir    string    // receives a folder for each run; created if absent
	Only   []string  // names; nil means all
	Runs   int       // of each mutant, with seeds Seed, Seed+1, …
	Seed   uint64    // of the first run
	Needed int       // so many of the runs must convict
	Out    io.Writer // is told each run's outcome
}

// Conviction is what came of one mutant.
type Conviction struct {
	Mutant    Mutant
	Runs      int
	Convicted int           // runs that ended in a violation of the mutant's property
	Others    int           // runs that ended in a violation of other properties only
	Survived  int           // runs that ended otherwise
	Took      time.Duration // all runs
	Story     string        // the first counterexample
}

// UnknownError names a mutant that there is not.
type UnknownError struct{ Name string }

// Error names it and what there is.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("mutants: no mutant %q; there are %v", e.Name, names())
}

func names() []string {
	var list []string
	for _, m := range All() {
		list = append(list, m.Name)
	}
	return list
}

// choose returns the mutants of the given names, or all.
func choose(only []string) ([]Mutant, error) {
	if len(only) == 0 {
		return All(), nil
	}
	var list []Mutant
	for _, name := range only {
		found := false
		for _, m := range All() {
			if m.Name == name {
				list, found = append(list, m), true
			}
		}
		if !found {
			return nil, &UnknownError{name}
		}
	}
	return list, nil
}

// Run convicts the mutants one after the other. An error means that the harness
// could not do its work, a mutant that survives does not: see Survivors.
func Run(ctx context.Context, o Options) ([]Conviction, error) {
	list, err := choose(o.Only)
	if err != nil {
		return nil, err
	}
	var all []Conviction
	for _, m := range list {
		c, err := o.convict(ctx, m)
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Survivors returns the mutants that were convicted in too few runs.
func (o Options) Survivors(all []Conviction) []Conviction {
	var list []Conviction
	for _, c := range all {
		if c.Convicted < o.Needed {
			list = append(list, c)
		}
	}
	return list
}

// convict builds the harness with one mistake and runs it.
func (o Options) convict(ctx context.Context, m Mutant) (Conviction, error) {
	dir := filepath.Join(o.Dir, m.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Conviction{}, fmt.Errorf("mutants: %w", err)
	}
	overlay, err := m.Overlay(o.Root, dir)
	if err != nil {
		return Conviction{}, err
	}
	binary := filepath.Join(dir, "redlock-chaos")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./cmd/redlock-chaos")
	build.Dir = o.Root
	if out, err := build.CombinedOutput(); err != nil {
		return Conviction{}, fmt.Errorf("mutants: %s does not build: %w\n%s", m.Name, err, out)
	}
	c := Conviction{Mutant: m, Runs: o.Runs}
	began := time.Now()
	for i := range o.Runs {
		seed := o.Seed + uint64(i)
		r, err := m.run(ctx, binary, filepath.Join(dir, strconv.FormatUint(seed, 10)), seed)
		if err != nil {
			return c, err
		}
		verdict := c.count(r)
		fmt.Fprintf(o.Out, "%-14s seed %d: %s\n", m.Name, seed, verdict)
	}
	c.Took = time.Since(began)
	return c, nil
}

// result is the part of results.json that matters here.
type result struct {
	Word    string `json:"word"`
	Verdict struct {
		Properties []property `json:"properties"`
		Vacuous    []string   `json:"vacuous"`
	} `json:"verdict"`
}

type property struct {
	Property       string `json:"property"`
	Verdict        string `json:"verdict"`
	Claimed        bool   `json:"claimed"`
	Counterexample *struct {
		Story string `json:"story"`
	} `json:"counterexample"`
}

// run runs the mutated harness once.
func (m Mutant) run(ctx context.Context, binary, dir string, seed uint64) (result, error) {
	args := []string{"run", "--seed", strconv.FormatUint(seed, 10), "--out", dir}
	if m.Story != "" { // it is told again and again for so long
		args = append(args, "--story", m.Story, "--duration", "10s")
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it heals and stops its servers
	cmd.WaitDelay = time.Minute
	// A violation that was ordered does not belong on a job's page.
	cmd.Env = append(os.Environ(), "GITHUB_STEP_SUMMARY=")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() < 3 && exit.ExitCode() > 0 {
		err = nil // a verdict
	}
	if err != nil {
		return result{}, fmt.Errorf("mutants: %s, seed %d: %w\n%s", m.Name, seed, err, output.Bytes())
	}
	data, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		return result{}, fmt.Errorf("mutants: %s, seed %d: %w", m.Name, seed, err)
	}
	var r result
	if err := json.Unmarshal(data, &r); err != nil {
		return result{}, fmt.Errorf("mutants: %s, seed %d: results.json: %w", m.Name, seed, err)
	}
	return r, nil
}

// count files a run under its outcome and says it.
func (c *Conviction) count(r result) string {
	others := ""
	for _, p := range r.Verdict.Properties {
		if p.Verdict != "invalid" || !p.Claimed {
			continue
		}
		if p.Property == c.Mutant.Property {
			c.Convicted++
			story := ""
			if p.Counterexample != nil {
				story = p.Counterexample.Story
			}
			if c.Story == "" {
				c.Story = story
			}
			return "convicted of " + p.Property + ": " + story
		}
		others += " " + p.Property
	}
	if others != "" {
		c.Others++
		return "convicted of other properties only:" + others
	}
	c.Survived++
	return fmt.Sprintf("survived: %s %v", r.Word, r.Verdict.Vacuous)
}

// WriteTable writes what came of each mutant, a line each.
func WriteTable(out io.Writer, all []Conviction) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "mutant\tproperty\tconvicted\tother property\tsurvived\tseconds a run\tmistake")
	for _, c := range all {
		fmt.Fprintf(w, "%s\t%s\t%d of %d\t%d\t%d\t%.0f\t%s\n", c.Mutant.Name, c.Mutant.Property,
			c.Convicted, c.Runs, c.Others, c.Survived, c.Took.Seconds()/float64(max(1, c.Runs)), c.Mutant.Mistake)
	}
	return w.Flush()
}
