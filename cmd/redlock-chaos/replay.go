package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/chaos"
	"github.com/quorumlock/quorumlock/chaos/campaign"
)

const replaySynopsis = `SEED|FILE [flags]

Repeats one simulated run, to the byte, and writes its folder: history, results,
schedule, report and story. SEED needs the flags of the campaign that it is from.
FILE is a story that was shrunk, or the schedule.json of a simulated run.
`

// replayFlags are the flags of replay.
type replayFlags struct {
	setupFlags
	out, property, save, mutant string
	shrink, quiet               bool
	runs                        int
}

func replayCommand(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	var f replayFlags
	fs := flags("replay", replaySynopsis, stdout)
	f.register(fs)
	fs.StringVar(&f.out, "out", "", "`folder` for the run (default runs/<time>-replay-<seed>)")
	fs.BoolVar(&f.quiet, "quiet", false, "print the verdict alone, and write no folder unless --out says where")
	fs.BoolVar(&f.shrink, "shrink", false, "shrink the run to a story, if something falls in it")
	fs.IntVar(&f.runs, "shrink-runs", campaign.DefaultShrinkRuns, "spend so `many` runs on shrinking at most")
	fs.StringVar(&f.property, "property", "", "with --shrink: the `property` or invariant that must go on falling (default: the first that falls)")
	fs.StringVar(&f.save, "save", "", "with --shrink: `file` for the story (default: shrunk.json in the run's folder)")
	fs.StringVar(&f.mutant, "mutant", "", "with --shrink: the `name` of the planted mistake that this program was built with, for the story")
	args, what, err := oneArgument(fs, args)
	if err != nil {
		return 0, err
	}
	if what == "" || len(args) > 0 {
		return 0, &usageError{Value: strings.Join(append([]string{what}, args...), " "), Reason: "replay takes one SEED or FILE, and flags"}
	}
	if f.runs < 1 {
		return 0, &usageError{Value: fmt.Sprint(f.runs), Reason: "--shrink-runs must be positive"}
	}
	story, err := f.find(fs, what)
	if err != nil {
		return 0, err
	}
	return f.replay(ctx, story, stdout, stderr)
}

// oneArgument parses flags before and after the first argument that is none.
func oneArgument(fs *flag.FlagSet, args []string) (rest []string, first string, err error) {
	if err := parse(fs, args); err != nil {
		return nil, "", err
	}
	if fs.NArg() == 0 {
		return nil, "", nil
	}
	first = fs.Arg(0)
	if err := parse(fs, fs.Args()[1:]); err != nil {
		return nil, "", err
	}
	return fs.Args(), first, nil
}

// find makes a plan of a seed, or reads one.
func (f *replayFlags) find(fs *flag.FlagSet, what string) (*campaign.Story, error) {
	if seed, err := strconv.ParseUint(what, 10, 64); err == nil {
		plan, err := f.setup.Plan(seed)
		if err != nil {
			return nil, err
		}
		return &campaign.Story{Plan: plan, From: f.setup.Replay(os.Args[0], seed)}, nil
	}
	var wrong error
	fs.Visit(func(fl *flag.Flag) {
		switch fl.Name {
		case "nodes", "clients", "keys", "hint", "outside", "story", "duration":
			wrong = &usageError{Value: "--" + fl.Name, Reason: "has no place beside a FILE, which says it all"}
		}
	})
	if wrong != nil {
		return nil, wrong
	}
	s, err := campaign.ReadStory(what)
	if err != nil {
		return nil, err
	}
	s.From = fmt.Sprintf("%s replay %s", os.Args[0], what)
	return s, nil
}

func (f *replayFlags) replay(ctx context.Context, s *campaign.Story, stdout, stderr io.Writer) (int, error) {
	if f.out == "" && !f.quiet {
		f.out = filepath.Join("runs", fmt.Sprintf("%s-replay-%d", time.Now().UTC().Format("20060102T150405Z"), s.Plan.Seed))
	}
	res, err := chaos.Simulate(ctx, chaos.SimulateOptions{Plan: s.Plan, Dir: f.out, Replay: s.From})
	if err != nil {
		return 0, err
	}
	if s.Property != "" && s.Mutant != "" {
		fmt.Fprintf(stdout, "the story of the planted mistake %s, with which %s falls\n", s.Mutant, s.Property)
	}
	if f.quiet {
		fmt.Fprintln(stdout, res.Word)
		for _, p := range res.Fallen() {
			fmt.Fprintf(stdout, "  %s\n", p)
		}
	} else if err := tellPlan(stdout, s, f.out); err != nil {
		return 0, err
	} else if err := errors.Join(res.WriteSummary(stdout, f.out), stepSummary(res)); err != nil {
		return 0, err
	}
	return res.ExitCode, f.shrinkIt(ctx, s, res, stdout, stderr)
}

// maxPlanned is up to how many steps a plan is told on standard output.
const maxPlanned = 40

// tellPlan says where, and if it is short what, the run was to do.
func tellPlan(stdout io.Writer, s *campaign.Story, dir string) error {
	var b strings.Builder
	for _, line := range campaign.World(s.Plan) {
		fmt.Fprintln(&b, line)
	}
	if steps := campaign.Describe(s.Plan); len(steps) <= maxPlanned {
		fmt.Fprintln(&b)
		for i, line := range steps {
			fmt.Fprintf(&b, "%3d. %s\n", i+1, line)
		}
	}
	fmt.Fprintf(&b, "\nwhat happened, message by message: %s\n", filepath.Join(dir, chaos.StoryFile))
	_, err := io.WriteString(stdout, b.String())
	return err
}

// shrinkIt shrinks the run, if it was asked to and there is anything to shrink.
func (f *replayFlags) shrinkIt(ctx context.Context, s *campaign.Story, res *chaos.Result, stdout, stderr io.Writer) error {
	if !f.shrink {
		return nil
	}
	what := f.property
	if fallen := res.Fallen(); what == "" && len(fallen) > 0 {
		what = fallen[0]
	}
	if what == "" {
		_, err := fmt.Fprintln(stdout, "nothing fell, so there is nothing to shrink")
		return err
	}
	path := f.save
	if path == "" {
		path = filepath.Join(f.out, "shrunk.json")
	}
	return shrinking{plan: s.Plan, what: what, from: s.From, mutant: f.mutant, runs: f.runs, path: path}.save(ctx, stdout, stderr)
}
