package dial

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
	"github.com/quorumlock/quorumlock/linearizability"
)

// Sweep turns one assumption through its settings.
type Sweep struct {
	Name     string    // for command lines
	Title    string    // what is turned
	Unit     string    // of the settings
	Theory   string    // where violations should begin, and why
	Settings []float64 // in units, ascending
	Arms     []Arm     // with and without each defence
}

// Arm is one defence, or its lack.
type Arm struct {
	Name   string // for command lines
	Title  string
	Mutant string // built into whoever measures this arm; empty: the lock as it is

	plan func(setting float64, seed uint64) *scenario.Plan
}

// Point is what a number of runs at one setting came to: in how many of them
// each property fell, claimed or not.
type Point struct {
	Setting   float64 `json:"setting"`
	Runs      int     `json:"runs"`
	Exclusion int     `json:"mutual_exclusion"`
	Order     int     `json:"token_order"`
	Fenced    int     `json:"fenced_resource"`
	Unfenced  int     `json:"unfenced_resource"`
}

// Curve is an arm's points.
type Curve struct {
	Sweep  string  `json:"sweep"`
	Arm    string  `json:"arm"`
	Mutant string  `json:"mutant,omitempty"`
	Points []Point `json:"points"`
}

// UnknownError says that there is no sweep, or no arm, of a name.
type UnknownError struct {
	Field string // sweep or arm
	Value string
	Known []string
}

// Error names the field, the value, and what there is.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("dial: %s %q: there is none; there are %s", e.Field, e.Value, strings.Join(e.Known, ", "))
}

// Find returns the sweep and the arm of these names, or an *UnknownError.
func Find(sweep, arm string) (Sweep, Arm, error) {
	all := Sweeps()
	i := slices.IndexFunc(all, func(s Sweep) bool { return s.Name == sweep })
	if i < 0 {
		return Sweep{}, Arm{}, &UnknownError{"sweep", sweep, names(all, func(s Sweep) string { return s.Name })}
	}
	arms := all[i].Arms
	j := slices.IndexFunc(arms, func(a Arm) bool { return a.Name == arm })
	if j < 0 {
		return Sweep{}, Arm{}, &UnknownError{"arm", arm, names(arms, func(a Arm) string { return a.Name })}
	}
	return all[i], arms[j], nil
}

func names[T any](list []T, name func(T) string) []string {
	var all []string
	for _, x := range list {
		all = append(all, name(x))
	}
	return all
}

// Measure runs each setting of the arm with the seeds 1 to seeds, on as many
// processors as there are. The program must have been built with the arm's
// mutant, if it has one. An error says that a plan is impossible or that ctx
// ended.
func Measure(ctx context.Context, s Sweep, a Arm, seeds int) (Curve, error) {
	c := Curve{Sweep: s.Name, Arm: a.Name, Mutant: a.Mutant, Points: make([]Point, len(s.Settings))}
	jobs := make(chan int)
	errs := make([]error, len(s.Settings))
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			var runner sim.Runner
			for i := range jobs {
				c.Points[i], errs[i] = measure(ctx, &runner, a, s.Settings[i], seeds)
			}
		})
	}
	for i := range s.Settings {
		jobs <- i
	}
	close(jobs)
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return Curve{}, fmt.Errorf("dial: %s, %s: %w", s.Name, a.Name, err)
		}
	}
	return c, nil
}

func measure(ctx context.Context, runner *sim.Runner, a Arm, setting float64, seeds int) (Point, error) {
	p := Point{Setting: setting}
	for seed := range seeds {
		o, err := runner.Run(ctx, sim.Options{Plan: a.plan(setting, uint64(seed)+1)})
		if err != nil {
			return p, err
		}
		if o.Acquired == 0 {
			return p, fmt.Errorf("at %v, seed %d: nothing was acquired, so the run shows nothing", setting, seed+1)
		}
		p.Runs++
		for _, v := range o.Verdict.Properties {
			if v.Outcome != linearizability.Invalid {
				continue
			}
			switch v.Property {
			case linearizability.MutualExclusion:
				p.Exclusion++
			case linearizability.TokenOrder:
				p.Order++
			case linearizability.FencedResource:
				p.Fenced++
			case linearizability.UnfencedResource:
				p.Unfenced++
			}
		}
	}
	return p, nil
}
