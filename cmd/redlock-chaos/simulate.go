package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/chaos/campaign"
	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// setupFlags are the flags that, with a seed, decide what a simulated run does.
type setupFlags struct{ setup campaign.Setup }

func (f *setupFlags) register(fs *flag.FlagSet) {
	s := &f.setup
	fs.IntVar(&s.Nodes, "nodes", 0, "`number` of nodes, 1 to 15 (default: 3, 5 or 7, by the seed)")
	fs.IntVar(&s.Clients, "clients", 0, "`number` of clients, 1 to 64 (default: by the seed)")
	fs.IntVar(&s.Keys, "keys", 0, "`number` of locks, 1 to 64 (default: by the seed)")
	fs.StringVar(&s.Hint, "hint", string(scenario.HintMixed), "`which` locks aim at a token: on, off or mixed")
	fs.BoolVar(&s.Outside, "outside", false, "let clocks jump and run too fast, which the lock assumes they do not: exclusion may fall, token order and the fenced resource may not")
	fs.StringVar(&s.Story, "story", "", "tell this directed `story` alone, without random faults: "+strings.Join(scenario.StoryNames(), ", "))
	fs.Func("duration", "`length` of the faulted part, in simulated time (default: by the seed)", func(text string) error {
		d, err := time.ParseDuration(text)
		if err == nil && d <= 0 {
			err = errors.New("must be positive")
		}
		s.Duration = scenario.Duration(d)
		return err
	})
}

// simulateFlags are the flags of simulate.
type simulateFlags struct {
	setupFlags
	seeds, shard, json, out string
	jobs, stopAfter, shrink int
	merge, coverage         bool
}

const simulateSynopsis = `--seeds A..B [flags]
       redlock-chaos simulate --merge [--json FILE] RESULT…

Runs a simulated cluster once for each seed, with faults, judges every run, and
sums up. The same seed is always the same run. Ctrl-C ends it early and sums up
what was done. Runs in violation are shrunk to a story and saved.

--merge adds up the --json files of shards, and judges the sum.
`

func simulateCommand(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	var f simulateFlags
	fs := flags("simulate", simulateSynopsis, stdout)
	fs.StringVar(&f.seeds, "seeds", "", "the `seeds` to run: A..B, both included")
	fs.StringVar(&f.shard, "shard", "", "run only the i-th of n equal parts of the seeds: `i/n`")
	fs.IntVar(&f.jobs, "jobs", 0, "`number` of runs at once (default: one for each processor); it does not change the result")
	fs.IntVar(&f.stopAfter, "stop-after", 10, "stop once so `many` runs were in violation; 0 runs all seeds whatever happens")
	fs.IntVar(&f.shrink, "shrink", 5000, "spend so `many` runs on shrinking a violation, of each property the first; 0 shrinks nothing")
	fs.StringVar(&f.out, "out", "", "`folder` for shrunk stories (default runs/simulate-<time>); only made if there are any")
	fs.StringVar(&f.json, "json", "", "write the result to this `file`; - for standard output, with the summary on standard error")
	fs.BoolVar(&f.coverage, "coverage", false, "list how often each branch of the protocol, and each pair of a fault and a phase, was met")
	fs.BoolVar(&f.merge, "merge", false, "add up results of shards instead of running anything")
	f.register(fs)
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	summary := stdout
	if f.json == "-" {
		summary = stderr
	}
	var res *campaign.Result
	var err error
	if f.merge {
		res, err = f.mergeFiles(fs)
	} else {
		res, err = f.run(ctx, fs, stderr)
	}
	if err != nil {
		return 0, err
	}
	return res.ExitCode, errors.Join(f.write(res, stdout, summary), f.shrinkAll(ctx, res, summary, stderr))
}

// write writes the summary and, if asked for, the JSON.
func (f *simulateFlags) write(res *campaign.Result, stdout, summary io.Writer) error {
	if err := res.WriteSummary(summary); err != nil {
		return err
	}
	if f.coverage {
		fmt.Fprintln(summary)
		if err := res.WriteCoverage(summary); err != nil {
			return err
		}
	}
	if f.json == "" {
		return nil
	}
	data, err := res.JSON()
	switch {
	case err != nil:
		return err
	case f.json == "-":
		_, err = stdout.Write(data)
		return err
	}
	return os.WriteFile(f.json, data, 0o644)
}

func (f *simulateFlags) mergeFiles(fs *flag.FlagSet) (*campaign.Result, error) {
	var wrong error
	fs.Visit(func(fl *flag.Flag) {
		if n := fl.Name; wrong == nil && n != "merge" && n != "json" && n != "coverage" {
			wrong = &usageError{Value: "--" + n, Reason: "has no place beside --merge: the files say what was run"}
		}
	})
	if wrong != nil {
		return nil, wrong
	}
	f.shrink = 0
	var parts []campaign.Named
	for _, path := range fs.Args() {
		r, err := campaign.ReadResult(path)
		if err != nil {
			return nil, err
		}
		parts = append(parts, campaign.Named{File: path, Result: r})
	}
	return campaign.Merge(parts)
}

func (f *simulateFlags) run(ctx context.Context, fs *flag.FlagSet, stderr io.Writer) (*campaign.Result, error) {
	if fs.NArg() > 0 {
		return nil, &usageError{Value: fs.Arg(0), Reason: "simulate takes flags only, unless it merges"}
	}
	if f.seeds == "" {
		return nil, &usageError{Value: "simulate", Reason: "--seeds A..B is needed, or --merge with files"}
	}
	o := campaign.Options{Setup: f.setup, Jobs: f.jobs, StopAfter: f.stopAfter, Program: os.Args[0], Progress: progress(stderr)}
	var err error
	if o.Seeds, err = campaign.ParseSeeds(f.seeds); err != nil {
		return nil, err
	}
	if f.shard != "" {
		if o.Shard, err = campaign.ParseShard(f.shard); err != nil {
			return nil, err
		}
	}
	if err := f.refuse(fs); err != nil {
		return nil, err
	}
	res, err := campaign.Run(ctx, o)
	if isTerminal(stderr) {
		fmt.Fprint(stderr, "\r\x1b[K")
	}
	return res, err
}

// refuse finds flags that were given a zero, which would mean the default.
func (f *simulateFlags) refuse(fs *flag.FlagSet) (wrong error) {
	fs.Visit(func(fl *flag.Flag) {
		switch fl.Name {
		case "jobs", "nodes", "clients", "keys":
			if fl.Value.String() == "0" {
				wrong = &usageError{Value: "0", Reason: "--" + fl.Name + " must be positive"}
			}
		case "shrink":
			if f.shrink < 0 {
				wrong = &usageError{Value: fl.Value.String(), Reason: "--shrink must not be negative"}
			}
		}
	})
	return wrong
}

// progress shows how a campaign goes: on a terminal on one line, else every ten
// seconds on a new one.
func progress(stderr io.Writer) func(campaign.Progress) {
	terminal := isTerminal(stderr)
	var last time.Duration
	told := false
	return func(p campaign.Progress) {
		if p.First != nil && !told {
			told = true
			clear := ""
			if terminal {
				clear = "\r\x1b[K"
			}
			fmt.Fprintf(stderr, "%sVIOLATED: %s, with seed %d; to repeat it: %s\n", clear, p.First.What(), p.First.Seed, p.First.Replay)
		}
		if !terminal && p.SinceBegin-last < 10*time.Second {
			return
		}
		last = p.SinceBegin
		line := fmt.Sprintf("%d of %d seeds | %d acquired, %.0f/s, %d jobs | %d in violation | %v simulated",
			p.Done, p.Of, p.Acquired, p.Rate, p.Jobs, p.Violated, p.Simulated.Round(time.Second))
		if terminal {
			fmt.Fprintf(stderr, "\r\x1b[K%.79s", line)
		} else {
			fmt.Fprintln(stderr, line)
		}
	}
}

// shrinkAll shrinks the first violation of each property, and saves the stories.
func (f *simulateFlags) shrinkAll(ctx context.Context, res *campaign.Result, stdout, stderr io.Writer) error {
	if res.ExitCode != linearizability.ExitViolated || f.shrink == 0 {
		return nil
	}
	if f.out == "" {
		f.out = filepath.Join("runs", "simulate-"+time.Now().UTC().Format("20060102T150405Z"))
	}
	done := map[string]bool{}
	for _, v := range res.Violations {
		if done[v.What()] || ctx.Err() != nil {
			continue
		}
		done[v.What()] = true
		plan, err := f.setup.Plan(v.Seed)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%d-%s.json", v.Seed, strings.ReplaceAll(v.What(), " ", "-"))
		s := shrinking{plan: plan, what: v.What(), from: v.Replay, runs: f.shrink, path: filepath.Join(f.out, name)}
		if err := s.save(ctx, stdout, stderr); err != nil {
			return err
		}
	}
	return nil
}
