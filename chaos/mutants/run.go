package mutants

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options say which mutants to convict and how.
type Options struct {
	_ struct{}

	Root    string    // the module's folder
	Dir     string    // receives a folder for each mutant; created if absent
	Only    []string  // names; nil means all
	Engines []Engine  // nil means all
	Jobs    int       // mutants at a time, but for live runs, which are one at a time; 0 means 1
	Runs    int       // of each mutant on real servers, with seeds Seed, Seed+1, …
	Needed  int       // so many of these must convict; 0 means as the mutant says, in proportion
	Seed    uint64    // of the first live run
	Out     io.Writer // is told what came of each mutant, in the catalogue's order
}

// Row is what came of one mutant, or, under the name "control", of a command
// on the lock as it is.
type Row struct {
	Name        string       `json:"name"`
	Property    string       `json:"property,omitempty"` // that must fall
	Mistake     string       `json:"mistake,omitempty"`
	Bug         int          `json:"bug,omitempty"`
	Variant     string       `json:"variant,omitempty"`
	Setup       string       `json:"setup,omitempty"`
	KnownDepth  int          `json:"known_depth,omitempty"` // see Explore.Known
	Build       float64      `json:"build_seconds"`
	Conformance *Conformance `json:"conformance,omitempty"` // nil where it is no pair
	StorySteps  int          `json:"story_steps,omitempty"` // of the shrunk story that is kept of it
	Findings    []*Finding   `json:"findings"`
	Failures    []string     `json:"failures,omitempty"` // why the row is not as it must be
}

// Control is the name of the rows that show the lock as it is.
const Control = "control"

// Result is what came of all.
type Result struct {
	Version int     `json:"version"`
	Rows    []*Row  `json:"rows"`
	Seconds float64 `json:"seconds"`
}

// Failed reports whether a mutant survived, fell without the property that was
// named for it, or differs between script and node; or whether the lock as it
// is was convicted.
func (r *Result) Failed() bool {
	return slices.ContainsFunc(r.Rows, func(w *Row) bool { return len(w.Failures) > 0 })
}

// UnknownError names a mutant or an engine that there is not.
type UnknownError struct {
	What, Name string
	Known      []string
}

// Error names it and what there is.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("mutants: no %s %q; there are %s", e.What, e.Name, strings.Join(e.Known, ", "))
}

// choose returns the mutants of the given names, or all.
func choose(only []string) ([]Mutant, error) {
	all := All()
	if len(only) == 0 {
		return all, nil
	}
	var list []Mutant
	for _, name := range only {
		i := slices.IndexFunc(all, func(m Mutant) bool { return m.Name == name })
		if i < 0 {
			err := &UnknownError{What: "mutant", Name: name}
			for _, m := range all {
				err.Known = append(err.Known, m.Name)
			}
			return nil, err
		}
		list = append(list, all[i])
	}
	return list, nil
}

// ParseEngines reads a comma-separated list of engines. The error is an
// *UnknownError.
func ParseEngines(list string) ([]Engine, error) {
	var engines []Engine
	for _, word := range strings.Split(list, ",") {
		e := Engine(strings.TrimSpace(word))
		if !slices.Contains(Engines(), e) {
			err := &UnknownError{What: "engine", Name: string(e)}
			for _, k := range Engines() {
				err.Known = append(err.Known, string(k))
			}
			return nil, err
		}
		engines = append(engines, e)
	}
	return engines, nil
}

// Run convicts the mutants: those that need no real server Jobs at a time, the
// others after them, one by one, since load makes them miss. Each command is run
// on the lock as it is first. An error means that the harness could not do its
// work; a mutant that survives is none: see Result.Failed.
func Run(ctx context.Context, o Options) (*Result, error) {
	list, err := choose(o.Only)
	if err != nil {
		return nil, err
	}
	if len(o.Engines) == 0 {
		o.Engines = Engines()
	}
	began := time.Now()
	r := &Result{Version: 1}
	defer func() { r.Seconds = time.Since(began).Seconds() }()
	quiet, loud := o.split()
	for _, engines := range [][]Engine{quiet, loud} {
		work := o.work(ctx, list, engines)
		jobs := max(1, o.Jobs)
		if slices.Contains(engines, OnServers) {
			jobs = 1
		}
		rows, err := inOrder(ctx, work, jobs, func(w *Row) { o.tell(w) })
		for _, row := range rows {
			r.add(row)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// split parts the engines into those that may share the machine and the one
// that may not.
func (o *Options) split() (quiet, loud []Engine) {
	for _, e := range o.Engines {
		if e == OnServers {
			loud = append(loud, e)
		} else {
			quiet = append(quiet, e)
		}
	}
	return quiet, loud
}

// add joins what different engines made of the same mutant.
func (r *Result) add(row *Row) {
	i := slices.IndexFunc(r.Rows, func(w *Row) bool { return w.Name == row.Name && w.Name != Control })
	if i < 0 {
		r.Rows = append(r.Rows, row)
		return
	}
	w := r.Rows[i]
	w.Build += row.Build
	w.Findings = append(w.Findings, row.Findings...)
	w.Failures = append(w.Failures, row.Failures...)
}

// job does one row.
type job func(context.Context) (*Row, error)

// inOrder does the jobs, some at a time, and hands on each row once all before
// it are done: the report does not depend on which was quickest. After an error
// no more is begun.
func inOrder(ctx context.Context, work []job, jobs int, done func(*Row)) ([]*Row, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type outcome struct {
		row *Row
		err error
	}
	outcomes := make([]chan outcome, len(work))
	free := make(chan struct{}, jobs)
	var all sync.WaitGroup
	for i := range work {
		outcomes[i] = make(chan outcome, 1)
	}
	all.Go(func() {
		for i, w := range work {
			free <- struct{}{}
			all.Go(func() {
				defer func() { <-free }()
				if err := ctx.Err(); err != nil {
					outcomes[i] <- outcome{nil, err}
					return
				}
				row, err := w(ctx)
				if err != nil {
					cancel(err) // the others end at once, and this is why
				}
				outcomes[i] <- outcome{row, err}
			})
		}
	})
	defer all.Wait()
	var rows []*Row
	for _, c := range outcomes {
		o := <-c
		if o.row != nil {
			rows = append(rows, o.row)
			done(o.row)
		}
		if o.err != nil {
			return rows, context.Cause(ctx)
		}
	}
	return rows, nil
}

// work lists the jobs: each command on the lock as it is, then each mutant.
func (o *Options) work(ctx context.Context, list []Mutant, engines []Engine) []job {
	var work []job
	var commands []string
	// All controls run one program: it is built once.
	program := sync.OnceValues(func() (string, error) {
		path, _, err := o.build(ctx, nil, filepath.Join(o.Dir, Control))
		return path, err
	})
	for i := range list {
		for _, e := range engines {
			args := list[i].controls(e)
			if name := strings.Join(args, " "); args != nil && !slices.Contains(commands, name) {
				commands = append(commands, name)
				number := len(commands)
				work = append(work, func(ctx context.Context) (*Row, error) {
					path, err := program()
					if err != nil {
						return nil, err
					}
					return o.control(ctx, e, path, args, number)
				})
			}
		}
	}
	for i := range list {
		m := &list[i]
		if !slices.ContainsFunc(engines, func(e Engine) bool { return m.convicts(e) != nil }) {
			continue
		}
		work = append(work, func(ctx context.Context) (*Row, error) { return o.convict(ctx, m, engines) })
	}
	return work
}

// control runs a command on the lock as it is, which must pass it; on real
// servers once.
func (o *Options) control(ctx context.Context, e Engine, program string, args []string, number int) (*Row, error) {
	row := &Row{Name: Control}
	once := *o
	once.Runs = min(1, o.Runs)
	f, err := once.find(ctx, e, program, filepath.Join(o.Dir, Control, fmt.Sprint(number)), args, "")
	if err != nil {
		return nil, err
	}
	row.Findings = []*Finding{f}
	if len(f.Properties) > 0 {
		row.Failures = []string{"the lock as it is was convicted of " + strings.Join(f.Properties, ", ")}
	}
	return row, nil
}

// convict plants one mistake and has the engines look for it.
func (o *Options) convict(ctx context.Context, m *Mutant, engines []Engine) (*Row, error) {
	dir := filepath.Join(o.Dir, m.Name)
	row := &Row{Name: m.Name, Property: m.Property, Mistake: m.Mistake, Bug: m.Bug, Variant: m.Variant, Setup: m.Setup}
	if m.Explore != nil {
		row.KnownDepth = m.Explore.Known
	}
	began := time.Now()
	program, overlay, err := o.build(ctx, m, dir)
	if err != nil {
		return nil, err
	}
	row.Build = time.Since(began).Seconds()
	if m.Pair() && !slices.Contains(engines, OnServers) {
		if row.Conformance, err = o.conform(ctx, m, overlay); err != nil {
			return nil, err
		}
		if !row.Conformance.Agrees {
			row.fail("the script and the node in memory do not make the same mistake")
		}
	}
	for _, e := range engines {
		args := m.convicts(e)
		if args == nil {
			continue
		}
		f, err := o.find(ctx, e, program, dir, args, m.Property)
		if err != nil {
			return row, errors.Join(err, ctx.Err())
		}
		if e == OnServers {
			f.Convicted = f.RunsFound >= o.needed(m.Live)
		}
		row.Findings = append(row.Findings, f)
		switch {
		case f.Convicted:
		case len(f.Properties) > 0:
			row.fail("%s: convicted of %s, not of %s", e, strings.Join(f.Properties, ", "), m.Property)
		default:
			row.fail("%s: survived", e)
		}
	}
	if slices.Contains(engines, BySimulating) {
		if err := o.replayStory(ctx, m, program, row); err != nil {
			return row, errors.Join(err, ctx.Err())
		}
	}
	return row, nil
}

// needed is how many live runs must convict.
func (o *Options) needed(l *Live) int {
	if o.Needed > 0 {
		return o.Needed
	}
	return max(1, l.Needed*o.Runs/5)
}

func (r *Row) fail(format string, args ...any) {
	r.Failures = append(r.Failures, fmt.Sprintf(format, args...))
}
