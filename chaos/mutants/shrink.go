package mutants

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// Shrunk is the shortest story that was found of a mutant.
type Shrunk struct {
	Name     string
	Property string
	From     string // the flags of the run that it was shrunk from
	Steps    int    // operations, faults and steps of stories; 0 if nothing was found
	File     string
}

// The seeds among which a mutant is looked for that does not say where the
// simulator convicts it, and how many of the runs that convict are shrunk.
var shrinkSeeds = []string{"--seeds", "1..400", "--stop-after", "8"}

const shrinkTries = 3

// Shrink has the simulator convict each mutant of the property that is named for
// it, and shrinks some of the runs that do. The shortest story is saved in dir
// under the mutant's name. A mutant that no run convicts has no story; an error
// means that the harness could not do its work.
func Shrink(ctx context.Context, o Options, dir string) ([]Shrunk, error) {
	list, err := choose(o.Only)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("mutants: %w", err)
	}
	var all []Shrunk
	for i := range list {
		s, err := o.shrink(ctx, &list[i], dir)
		if err != nil {
			return all, errors.Join(err, ctx.Err())
		}
		all = append(all, s)
		fmt.Fprintf(o.Out, "%s: %s\n", s.Name, s.what())
	}
	return all, nil
}

func (s *Shrunk) what() string {
	if s.Steps == 0 {
		return "the simulator does not convict it of " + s.Property
	}
	return fmt.Sprintf("%s falls in %d steps: %s", s.Property, s.Steps, s.File)
}

// shrink does one mutant.
func (o *Options) shrink(ctx context.Context, m *Mutant, dir string) (Shrunk, error) {
	best := Shrunk{Name: m.Name, Property: m.Property}
	work := filepath.Join(o.Dir, m.Name)
	program, _, err := o.build(ctx, m, work)
	if err != nil {
		return best, err
	}
	replays, err := convictions(ctx, program, work, m)
	if err != nil {
		return best, err
	}
	for i, replay := range replays {
		file := filepath.Join(work, fmt.Sprintf("story-%d.json", i))
		args := slices.Concat([]string{"replay"}, replay, []string{"--quiet", "--shrink", "--shrink-runs", "4000", "--property", m.Property, "--mutant", m.Name, "--save", file})
		if err := verdict(ctx, program, args); err != nil {
			return best, err
		}
		var story struct {
			Steps int `json:"steps"`
		}
		if err := readJSON(file, &story); err != nil {
			return best, err
		}
		if best.Steps == 0 || story.Steps < best.Steps {
			best.Steps, best.From, best.File = story.Steps, strings.Join(replay, " "), file
		}
	}
	if best.Steps == 0 {
		return best, nil
	}
	from := best.File
	best.File = filepath.Join(dir, m.Name+".json")
	return best, errors.Join(copyFile(from, best.File), copyFile(textOf(from), textOf(best.File)))
}

// convictions are the arguments that repeat runs in which the mutant's property
// falls, the first few of them.
func convictions(ctx context.Context, program, work string, m *Mutant) ([][]string, error) {
	args := shrinkSeeds
	if m.Simulate != nil {
		args = m.Simulate.Args
	}
	path := filepath.Join(work, "shrink.json")
	if err := verdict(ctx, program, slices.Concat([]string{"simulate", "--shrink", "0", "--json", path}, args)); err != nil {
		return nil, err
	}
	var r struct {
		Violations []struct {
			Properties []string `json:"properties"`
			Replay     string   `json:"replay"`
		} `json:"violations"`
	}
	if err := readJSON(path, &r); err != nil {
		return nil, err
	}
	var list [][]string
	for _, v := range r.Violations {
		_, replay, ok := strings.Cut(strings.TrimPrefix(v.Replay, program), " replay ")
		if ok && slices.Contains(v.Properties, m.Property) && len(list) < shrinkTries {
			list = append(list, strings.Fields(replay))
		}
	}
	return list, nil
}

func textOf(story string) string { return strings.TrimSuffix(story, ".json") + ".txt" }

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("mutants: %w", err)
	}
	return os.WriteFile(to, data, 0o644)
}

// WriteShrunk writes what was shrunk to how much, a line each.
func (o *Options) WriteShrunk(all []Shrunk) error {
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "mutant\tproperty\tsteps\tshrunk from")
	for _, s := range all {
		steps := fmt.Sprint(s.Steps)
		if s.Steps == 0 {
			steps = "not convicted"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, s.Property, steps, s.From)
	}
	return w.Flush()
}
