package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/quorumlock/quorumlock/chaos/explore"
	"github.com/quorumlock/quorumlock/linearizability"
)

// exploreCommand visits every interleaving of small scopes of the protocol. It
// ends in 0 if all were explored to the end, or to the limit that was asked
// for, and in 1 after a violation.
func exploreCommand(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	var name, file string
	var list, quiet bool
	o := explore.Options{}
	fs := flags("explore", "[flags]", stdout)
	fs.StringVar(&name, "scope", "ci", "`name` of a scope, or all, or ci for the ones that take a minute together")
	fs.BoolVar(&list, "list", false, "list the scopes")
	fs.BoolVar(&quiet, "quiet", false, "show no progress")
	fs.IntVar(&o.Limit, "limit", 0, "stop a scope after so many `states` (default: none)")
	fs.IntVar(&o.Jobs, "jobs", runtime.GOMAXPROCS(0), "`number` of scopes to explore at the same time")
	fs.StringVar(&o.Property, "property", "", "judge this `property` alone (default: all)")
	fs.StringVar(&file, "json", "", "write the results to `file`, - for the standard output")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	switch {
	case fs.NArg() > 0:
		return 0, &usageError{Value: fs.Arg(0), Reason: "explore takes no arguments, only flags"}
	case o.Limit < 0:
		return 0, &usageError{Value: strconv.Itoa(o.Limit), Reason: "--limit must be a number of states, or 0 for none"}
	case o.Jobs < 1:
		return 0, &usageError{Value: strconv.Itoa(o.Jobs), Reason: "--jobs must be positive"}
	case list:
		return 0, listScopes(stdout)
	}
	scopes, err := explore.Choose(name)
	if err != nil {
		return 0, err
	}
	out := stdout
	if file == "-" {
		out = stderr // the results have the standard output to themselves
	}
	if !quiet {
		o.Progress = func(p explore.Progress) {
			fmt.Fprintf(stderr, "%-16s depth %2d: %d states, %d waiting, %.0f states/s, %d MiB\n",
				p.Scope, p.Depth, p.States, p.Waiting, float64(p.States)/p.Elapsed.Seconds(), p.Bytes>>20)
		}
	}
	began := time.Now()
	report, err := explore.All(ctx, scopes, o, func(s *explore.Scope, r *explore.Result) { tellResult(out, s, r) })
	if err != nil {
		return 0, err
	}
	tellSum(out, report, time.Since(began))
	if file != "" {
		if err := writeReport(file, stdout, report); err != nil {
			return 0, err
		}
	}
	return exploreExit(report), nil
}

func listScopes(out io.Writer) error {
	for _, s := range explore.Scopes() {
		note := ""
		switch {
		case s.CI:
			note = " [ci]"
		case s.Directed:
			note = " [directed: not in all]"
		}
		if _, err := fmt.Fprintf(out, "%-16s %s%s\n", s.Name, s.Covers, note); err != nil {
			return err
		}
	}
	return nil
}

// tellResult says what came of a scope.
func tellResult(out io.Writer, s *explore.Scope, r *explore.Result) {
	word := "explored to the end, no violation"
	switch {
	case r.Violation != nil:
		word = fmt.Sprintf("VIOLATION of %s after %d steps", r.Violation.Property, r.Violation.Depth)
	case r.Limited:
		word = "stopped at the limit, no violation so far"
	case !r.Complete:
		word = "interrupted, no violation so far; it cannot be resumed"
	}
	fmt.Fprintf(out, "%-16s %s: %d states, %d steps between them, depth %d, %.1f s, %.0f states/s\n",
		r.Scope, word, r.States, r.Transitions, r.Depth, r.Seconds, r.Rate)
	if r.Violation == nil {
		return
	}
	fmt.Fprintf(out, "  %s\n", s.Covers)
	for _, line := range r.Violation.Story {
		fmt.Fprintf(out, "  %s\n", line)
	}
}

func tellSum(out io.Writer, report *explore.Report, took time.Duration) {
	states, complete, peak := 0, 0, uint64(0)
	for _, r := range report.Scopes {
		states += r.States
		peak = max(peak, r.PeakBytes)
		if r.Complete {
			complete++
		}
	}
	fmt.Fprintf(out, "%d of %d scopes explored to the end: %d states in %.1f s, %.0f states/s, at most %d MiB of memory\n",
		complete, len(report.Scopes), states, took.Seconds(), float64(states)/took.Seconds(), peak>>20)
}

func writeReport(file string, stdout io.Writer, report *explore.Report) error {
	if file == "-" {
		return report.WriteJSON(stdout)
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("--json: %w", err)
	}
	return errors.Join(report.WriteJSON(f), f.Close())
}

func exploreExit(report *explore.Report) int {
	code := 0
	for _, r := range report.Scopes {
		switch {
		case r.Violation != nil:
			return linearizability.ExitViolated
		case !r.Complete && !r.Limited:
			code = linearizability.ExitUnknown
		}
	}
	return code
}
