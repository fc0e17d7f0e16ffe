package mutants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Engine is a way to convict a mutant.
type Engine string

// The engines.
const (
	ByExploring  Engine = "explore"  // every interleaving of a small scope
	BySimulating Engine = "simulate" // seeded runs of a simulated cluster
	OnServers    Engine = "live"     // runs on real servers
)

// Engines lists the engines in the order in which they are used.
func Engines() []Engine { return []Engine{ByExploring, BySimulating, OnServers} }

// Finding is what an engine made of a mutant, or of the lock as it is.
type Finding struct {
	Engine     Engine   `json:"engine"`
	Command    string   `json:"command"`
	Convicted  bool     `json:"convicted"`            // the property that was named fell
	Properties []string `json:"properties,omitempty"` // that fell
	Story      []string `json:"story,omitempty"`      // how

	Depth    int  `json:"depth,omitempty"`    // explore: steps to the violation, those of the prefix included
	Prefix   int  `json:"prefix,omitempty"`   // explore: steps of a story with which the scope begins
	States   int  `json:"states,omitempty"`   // explore: distinct states visited
	Complete bool `json:"complete,omitempty"` // explore: no state was left

	Seed  uint64 `json:"seed,omitempty"`  // simulate: the first that convicts
	Seeds int    `json:"seeds,omitempty"` // simulate: how many ran up to it, or at all

	Runs      int `json:"runs,omitempty"`       // live
	RunsFound int `json:"runs_found,omitempty"` // live: runs that convict

	Seconds float64 `json:"seconds"` // without the build
}

// convicts returns the arguments by which the engine convicts the mutant; nil
// if it is not meant to.
func (m *Mutant) convicts(e Engine) []string {
	switch {
	case e == ByExploring && m.Explore != nil:
		return []string{"explore", "--quiet", "--scope", m.Explore.Scope, "--property", m.Property}
	case e == BySimulating && m.Simulate != nil:
		return append(simulateArgs(), m.Simulate.Args...)
	case e == OnServers && m.Live != nil:
		args := []string{"run"}
		if m.Live.Story != "" { // it is told again and again for so long
			args = append(args, "--story", m.Live.Story)
		}
		if m.Live.Duration != 0 {
			args = append(args, "--duration", m.Live.Duration.String())
		}
		return args
	}
	return nil
}

// controlStates bounds how many states of a scope are visited for a control. It
// is more than any mutant needs there; explore --scope all visits the rest.
const controlStates = "2500000"

// controls returns the arguments under which the lock as it is must pass: those
// of the mutant, and judged for every property. Where the mistake is in how the
// lock is set up, they are those of the same story without it.
func (m *Mutant) controls(e Engine) []string {
	switch args := m.convicts(e); {
	case args == nil:
		return nil
	case e == ByExploring:
		return []string{"explore", "--quiet", "--scope", m.Explore.Scope, "--limit", controlStates}
	case e == BySimulating && m.Simulate.Control != nil:
		return append(simulateArgs(), m.Simulate.Control...)
	default:
		return args
	}
}

// simulateArgs begin every command of the simulator: mutants are convicted side
// by side, each on one processor.
func simulateArgs() []string { return []string{"simulate", "--shrink", "0", "--jobs", "1"} }

// find runs one command of a program and says what fell. property is the one
// that convicts; of the lock as it is none does.
func (o *Options) find(ctx context.Context, e Engine, program, dir string, args []string, property string) (*Finding, error) {
	f := &Finding{Engine: e, Command: "redlock-chaos " + strings.Join(args, " ")}
	err := os.MkdirAll(dir, 0o755)
	if err != nil {
		return nil, fmt.Errorf("mutants: %w", err)
	}
	began := time.Now()
	switch e {
	case ByExploring:
		err = f.explored(ctx, program, dir, args)
	case BySimulating:
		err = f.simulated(ctx, program, dir, args, property)
	case OnServers:
		err = o.lived(ctx, f, program, dir, args, property)
	}
	f.Seconds = time.Since(began).Seconds()
	if e != OnServers {
		f.Convicted = slices.Contains(f.Properties, property)
	}
	return f, err
}

// verdict runs a command that ends in a verdict. Exit codes above 2 say that
// there is none.
func verdict(ctx context.Context, program string, args []string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it heals and stops its servers
	cmd.WaitDelay = time.Minute
	// A violation that was ordered does not belong on a job's page.
	cmd.Env = append(os.Environ(), "GITHUB_STEP_SUMMARY=")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() < 3 && exit.ExitCode() > 0 && ctx.Err() == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mutants: %s %s: %w\n%s", program, strings.Join(args, " "), err, out[max(0, len(out)-4000):])
	}
	return nil
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("mutants: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("mutants: %s: %w", path, err)
	}
	return nil
}

// explored runs the explorer on one scope.
func (f *Finding) explored(ctx context.Context, program, dir string, args []string) error {
	path := filepath.Join(dir, "explore.json")
	if err := verdict(ctx, program, append(args, "--json", path)); err != nil {
		return err
	}
	var r struct {
		Scopes []struct {
			States    int  `json:"states"`
			Depth     int  `json:"depth"`
			Prefix    int  `json:"prefix"`
			Complete  bool `json:"complete"`
			Violation *struct {
				Property string   `json:"property"`
				Depth    int      `json:"depth"`
				Story    []string `json:"story"`
			} `json:"violation"`
		} `json:"scopes"`
	}
	if err := readJSON(path, &r); err != nil {
		return err
	}
	if len(r.Scopes) != 1 {
		return fmt.Errorf("mutants: %s tells of %d scopes, want 1", path, len(r.Scopes))
	}
	s := r.Scopes[0]
	f.States, f.Depth, f.Prefix, f.Complete = s.States, s.Prefix+s.Depth, s.Prefix, s.Complete
	if v := s.Violation; v != nil {
		f.Depth, f.Properties, f.Story = v.Depth, []string{v.Property}, v.Story
	}
	return nil
}

// simulated runs seeds until one convicts.
func (f *Finding) simulated(ctx context.Context, program, dir string, args []string, property string) error {
	path := filepath.Join(dir, "simulate.json")
	if err := verdict(ctx, program, append(args, "--json", path)); err != nil {
		return err
	}
	var r struct {
		Runs  int `json:"runs"`
		Seeds []struct {
			From uint64 `json:"from"`
		} `json:"seeds"`
		Violations []struct {
			Seed       uint64   `json:"seed"`
			Properties []string `json:"properties"`
			Invariant  string   `json:"invariant"`
			Story      string   `json:"story"`
		} `json:"violations"`
	}
	if err := readJSON(path, &r); err != nil {
		return err
	}
	f.Seeds = r.Runs
	for _, v := range r.Violations {
		fell := v.Properties
		if v.Invariant != "" {
			fell = append(fell, v.Invariant)
		}
		if len(f.Properties) == 0 {
			f.Properties, f.Story, f.Seed = fell, []string{v.Story}, v.Seed
		}
		if slices.Contains(fell, property) {
			f.Properties, f.Story, f.Seed = fell, []string{v.Story}, v.Seed
			break
		}
	}
	if len(f.Properties) > 0 && len(r.Seeds) > 0 {
		f.Seeds = int(f.Seed-r.Seeds[0].From) + 1
	}
	return nil
}

// lived runs the harness on real servers, once for each seed.
func (o *Options) lived(ctx context.Context, f *Finding, program, dir string, args []string, property string) error {
	for i := range o.Runs {
		seed := strconv.FormatUint(o.Seed+uint64(i), 10)
		run := filepath.Join(dir, seed)
		if err := verdict(ctx, program, append(args, "--seed", seed, "--out", run)); err != nil {
			return err
		}
		var r struct {
			Verdict struct {
				Properties []struct {
					Property       string `json:"property"`
					Verdict        string `json:"verdict"`
					Claimed        bool   `json:"claimed"`
					Counterexample *struct {
						Story string `json:"story"`
					} `json:"counterexample"`
				} `json:"properties"`
			} `json:"verdict"`
		}
		if err := readJSON(filepath.Join(run, "results.json"), &r); err != nil {
			return err
		}
		f.Runs++
		for _, p := range r.Verdict.Properties {
			if p.Verdict != "invalid" || !p.Claimed {
				continue
			}
			if !slices.Contains(f.Properties, p.Property) {
				f.Properties = append(f.Properties, p.Property)
			}
			if p.Property == property {
				if f.RunsFound++; p.Counterexample != nil && f.Story == nil {
					f.Story = []string{p.Counterexample.Story}
				}
			}
		}
	}
	return nil
}
