package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/quorumlock/quorumlock/chaos/campaign"
	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// shrinking is a failing plan that is to be shrunk and saved as a story.
type shrinking struct {
	plan   *scenario.Plan
	what   string // the property or invariant that falls
	from   string // the command that repeats the run, beginning with os.Args[0]
	mutant string // the planted mistake, if it is one
	runs   int
	path   string // of the story
}

// save shrinks, saves and tells the story.
func (s shrinking) save(ctx context.Context, stdout, stderr io.Writer) error {
	o := campaign.ShrinkOptions{Plan: s.plan, What: s.what, Runs: s.runs}
	if isTerminal(stderr) {
		o.Progress = func(runs, steps int) { fmt.Fprintf(stderr, "\r\x1b[Kshrinking: %d steps after %d runs", steps, runs) }
	}
	small, err := campaign.Shrink(ctx, o)
	if isTerminal(stderr) {
		fmt.Fprint(stderr, "\r\x1b[K")
	}
	if err != nil {
		return err
	}
	story, err := campaign.Tell(campaign.NewSimulator(), small.Plan, s.what)
	if err != nil {
		return err
	}
	// A story is kept where this program's place means nothing.
	story.From = filepath.Base(os.Args[0]) + strings.TrimPrefix(s.from, os.Args[0])
	story.Mutant, story.Minimal = s.mutant, small.Minimal
	if err := os.MkdirAll(filepath.Dir(s.path), 0o755); err != nil {
		return err
	}
	if err := story.Save(s.path); err != nil {
		return err
	}
	minimal := "nothing more can be left out"
	if !small.Minimal {
		minimal = "not to the end: more runs may find a shorter one"
	}
	fmt.Fprintf(stdout, "\n%s: shrunk from %d steps to %d in %d runs; %s\n  told in %s\n  to repeat it: %s replay %s\n",
		s.what, small.Before, small.Steps, small.Runs, minimal, campaign.TextPath(s.path), os.Args[0], s.path)
	return nil
}
