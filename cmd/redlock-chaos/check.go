package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/quorumlock/quorumlock/linearizability"
)

func checkCommand(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("check", "[flags] FILE…", stdout)
	model := fs.String("model", "", "judge against this `model` alone: "+strings.Join(linearizability.Models(), ", ")+" (default: every property that the history says enough about)")
	torn := fs.Bool("drop-torn", false, "pass over a last line that a crash cut off")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	if fs.NArg() == 0 {
		return 0, &usageError{Value: "check", Reason: "at least one file is needed"}
	}
	var outcomes []linearizability.Outcome
	for _, path := range fs.Args() {
		v, err := checkFile(path, *model, *torn)
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(stdout, "%s: %s (%d events)\n", path, v.Word(), v.Events)
		writeVerdict(stdout, v)
		outcomes = append(outcomes, v.Outcome)
	}
	all := linearizability.Verdict{Outcome: linearizability.Merge(outcomes...)}
	return all.ExitCode(), nil
}

// checkFile judges one history.
func checkFile(path, model string, torn bool) (*linearizability.Verdict, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	events, err := linearizability.ReadAll(f, linearizability.ReaderOptions{DropTorn: torn})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var v *linearizability.Verdict
	if model != "" {
		v, err = linearizability.Check(events, model)
	} else {
		v, err = linearizability.Judge(events, linearizability.Params{})
	}
	var unknown *linearizability.UnknownModelError
	if err != nil && !errors.As(err, &unknown) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return v, err
}

// writeVerdict shows each property, and what breaks it.
func writeVerdict(w io.Writer, v *linearizability.Verdict) {
	for _, p := range v.Properties {
		claimed := ""
		if !p.Claimed {
			claimed = " (not claimed)"
		}
		fmt.Fprintf(w, "  %-18s %s%s: %s\n", p.Property, p.Outcome, claimed, p.Reason)
		if c := p.Counterexample; c != nil && p.Outcome == linearizability.Invalid {
			fmt.Fprintf(w, "  %-18s lines %v, counted from 0\n", "", c.Indices)
		}
	}
}
