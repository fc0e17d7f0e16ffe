package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/quorumlock/quorumlock/chaos/report"
	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
	"github.com/quorumlock/quorumlock/linearizability"
)

// StoryFile is where Simulate writes what happened, message by message.
const StoryFile = "story.txt"

// SimulateOptions say what to simulate and where its files go.
type SimulateOptions struct {
	_ struct{}

	// Plan is the run, from scenario.NewSimulated, scenario.New or a file.
	Plan *scenario.Plan

	// Dir receives what a live run's folder holds, but for the nodes' logs, and
	// the story. It is created if absent and must be empty. Empty means that
	// nothing is written.
	Dir string

	// Replay is the command that repeats the run, for the report.
	Replay string
}

// Simulate runs the plan in a simulated world and judges what happened. Equal
// options give equal files, byte for byte. Whether enough happened for the run
// to mean anything is not judged: it is one of many, or shrunk to next to
// nothing.
//
// An error means that the plan is impossible, a *scenario.OptionError, or that
// the harness could not do its work; a violation is a Result.
func Simulate(ctx context.Context, o SimulateOptions) (*Result, error) {
	if o.Plan == nil {
		return nil, errors.New("chaos: a plan is needed")
	}
	if o.Dir != "" {
		if err := prepare(o.Dir, o.Plan); err != nil {
			return nil, err
		}
	}
	out, err := o.run(ctx)
	if err != nil {
		return nil, err
	}
	res := o.outline(out)
	return res, o.conclude(res, out)
}

// run simulates the plan, and tells the story if there is a place for it.
func (o *SimulateOptions) run(ctx context.Context) (*sim.Outcome, error) {
	opts := sim.Options{Plan: o.Plan}
	if o.Dir == "" {
		return sim.Run(ctx, opts)
	}
	f, err := os.Create(filepath.Join(o.Dir, StoryFile))
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	w := bufio.NewWriter(f)
	opts.Narrate = func(line string) { w.WriteString(line); w.WriteByte('\n') }
	out, err := sim.Run(ctx, opts)
	// The writer keeps its first error until it is flushed.
	return out, errors.Join(err, w.Flush(), f.Close())
}

// outline is what is known without a look at the history.
func (o *SimulateOptions) outline(out *sim.Outcome) *Result {
	p := o.Plan
	res := &Result{
		Version: report.Version, Replay: o.Replay, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Seed: p.Seed, Duration: p.Duration, Healed: scenario.Duration(out.Healed), Backend: report.BackendSimulated,
		Nodes: len(p.Nodes), Clients: len(p.Clients), Keys: len(p.Keys), Versions: buildVersions(),
		Files:  []string{report.HistoryName, scheduleFile, report.ResultsFile, StoryFile},
		Params: out.Params, Verdict: out.Verdict, Refused: out.Refused(), NodeLog: []string{},
		Stories: []StoryOutcome{}, Faults: []Entry{}, Limits: simulatedLimits(),
	}
	for _, s := range out.Stories {
		res.Stories = append(res.Stories, StoryOutcome{
			Name: s.Name, Why: s.Why, Tries: s.Tries, Told: s.Told, Error: s.Error,
			Begin: scenario.Duration(s.Begin), End: scenario.Duration(s.End),
		})
	}
	for _, s := range out.Faults {
		f := s.Fault
		res.Faults = append(res.Faults, Entry{
			ID: int64(f.ID), Kind: f.Kind, Story: s.Story, Planned: f.At, Begin: scenario.Duration(s.Begin), End: scenario.Duration(s.End),
			Nodes: f.Nodes, Clients: f.Clients, Direction: f.Direction, Confirmed: s.Confirmed, Reason: s.Reason,
		})
	}
	return res
}

// simulatedLimits is what no simulated run can show.
func simulatedLimits() []string {
	return []string{
		"no violation observed means that this run shows nothing against the lock; it is no proof",
		"the protocol's shipped state machines were run, and nodes in memory that conform to real Redis; sockets, goroutines, the library's own glue and Redis itself were not: live runs show those",
		"time passes between events only; a client's step takes none unless a fault has it stand still",
		"whether enough happened to mean anything is judged on the sum of a campaign, not on one run",
	}
}

// conclude judges on and writes the files.
func (o *SimulateOptions) conclude(res *Result, out *sim.Outcome) error {
	res.Tally = linearizability.TallyOf(out.Events)
	var counted linearizability.Tally
	out.AddTo(&counted)
	res.Tally.Paths = counted.Paths
	res.Kinds = kindCounts(o.Plan, res.Faults)
	res.Stalls = stalls(out.Events)
	// A simulator sees more than a history tells.
	var broken *sim.InvariantError
	if errors.As(out.Broken, &broken) {
		res.Invariant, res.InvariantHow = string(broken.Invariant), broken.Error()
	}
	if o.Dir == "" {
		res.Word, res.ExitCode = res.Verdict.Word(), res.Verdict.ExitCode()
		convict(res)
		return nil
	}
	var err error
	if res.History, err = writeHistory(filepath.Join(o.Dir, report.HistoryName), out.Events); err != nil {
		return err
	}
	if err := opine(o.Dir, res, out.Events); err != nil {
		return err
	}
	// How long it took to judge is no part of the run.
	res.SecondOpinion.Took = 0
	convict(res)
	if err := report.WriteResults(o.Dir, res); err != nil {
		return err
	}
	_, err = report.Build(o.Dir)
	return err
}

// convict sets the word of a run in which an invariant fell.
func convict(res *Result) {
	if res.Invariant != "" && res.Word != report.WordFailed {
		res.Word, res.ExitCode = linearizability.WordViolated, linearizability.ExitViolated
	}
}
