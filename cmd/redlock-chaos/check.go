package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/quorumlock/quorumlock/linearizability"
)

// checkFlags are the flags of check.
type checkFlags struct {
	model string
	json  bool
	draw  string
	source
}

func checkCommand(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	f := checkFlags{source: source{stdin: stdin}}
	fs := flags("check", "[flags] FILE…\n\nA FILE is a history as JSON lines or Jepsen's EDN, maybe packed with gzip; a run's folder; or - for standard input.\nThe exit code is the worst of all: 3, 1, 2, 0.\n", stdout)
	fs.StringVar(&f.model, "model", "", "judge against this `model` alone: "+strings.Join(linearizability.Models(), ", ")+" (default: every property that the history says enough about)")
	fs.BoolVar(&f.json, "json", false, "write one JSON object for each file")
	fs.StringVar(&f.draw, "draw", "", "with --model: write porcupine's drawing of each lock that is convicted into this `folder`")
	fs.BoolVar(&f.dropTorn, "drop-torn", false, "pass over a last line that a crash cut off")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	if f.draw != "" && f.model == "" {
		return 0, &usageError{Value: f.draw, Reason: "--draw needs a --model"}
	}
	if fs.NArg() == 0 {
		return 0, &usageError{Value: "check", Reason: "at least one file is needed"}
	}
	if isTerminal(stderr) {
		f.progress = stderr
	}
	worst := linearizability.ExitNoViolation
	for _, name := range fs.Args() {
		r := f.check(ctx, name)
		var unknown *linearizability.UnknownModelError
		if errors.As(r.err, &unknown) {
			return 0, r.err
		}
		if r.err != nil {
			fmt.Fprintf(stderr, "redlock-chaos: %v\n", r.err)
		}
		if err := r.write(stdout, f.json); err != nil {
			return 0, err
		}
		worst = worse(worst, r.Exit)
	}
	return worst, nil
}

// worse returns the worse of two exit codes.
func worse(a, b int) int {
	rank := map[int]int{linearizability.ExitUnknown: 1, linearizability.ExitViolated: 2, linearizability.ExitBadInput: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// checked is what became of one file, as --json shows it.
type checked struct {
	File     string                        `json:"file"`
	Word     string                        `json:"word,omitempty"` // empty if there is no verdict
	Exit     int                           `json:"exit"`
	Dropped  bool                          `json:"dropped_torn,omitempty"`
	Verdict  *linearizability.Verdict      `json:"verdict,omitempty"`  // on all properties
	Model    *linearizability.ModelVerdict `json:"model,omitempty"`    // on one model
	Drawings []string                      `json:"drawings,omitempty"` // files in the folder of --draw
	Error    string                        `json:"error,omitempty"`
	Refused  *refusal                      `json:"refused,omitempty"` // where the history breaks its own rules

	err error
}

// refusal is a linearizability.HistoryError, as --json shows it.
type refusal struct {
	Line   int                    `json:"line"`
	Reason linearizability.Reason `json:"reason"`
	Detail string                 `json:"detail"`
}

// check judges one history.
func (f *checkFlags) check(ctx context.Context, name string) *checked {
	r := &checked{File: name}
	if r.err = f.judge(ctx, name, r); r.err == nil {
		return r
	}
	r.Exit, r.Error = linearizability.ExitBadInput, r.err.Error()
	var bad *linearizability.HistoryError
	if errors.As(r.err, &bad) {
		r.Refused = &refusal{bad.Line, bad.Reason, bad.Detail}
	}
	return r
}

func (f *checkFlags) judge(ctx context.Context, name string, r *checked) error {
	in, err := f.open(ctx, name)
	if err != nil {
		return err
	}
	defer in.close()
	judge := judgeAll
	if f.model != "" {
		judge = f.judgeModel
	}
	err = judge(ctx, in, r)
	var unknown *linearizability.UnknownModelError
	if err != nil && !errors.As(err, &unknown) {
		err = fmt.Errorf("%s: %w", name, err)
	}
	r.Dropped = in.DroppedTorn()
	return err
}

// judgeAll gives every property its verdict. The events are kept meanwhile; it
// is for their number that garbage is collected early.
func judgeAll(_ context.Context, in *input, r *checked) error {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	events, err := in.ReadAll()
	if err != nil {
		return err
	}
	v, err := linearizability.Judge(events, linearizability.Params{})
	if err != nil {
		return err
	}
	r.Verdict, r.Word, r.Exit = v, v.Word(), v.ExitCode()
	return nil
}

// judgeModel judges against one model. It keeps no events.
func (f *checkFlags) judgeModel(ctx context.Context, in *input, r *checked) error {
	c, err := linearizability.NewChecker(f.model, linearizability.CheckOptions{})
	if err != nil {
		return err
	}
	for {
		e, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		c.Add(&e)
	}
	r.Model = c.Verdict(ctx)
	r.Word, r.Exit = r.Model.Word(), r.Model.ExitCode()
	if f.draw == "" {
		return nil
	}
	r.Drawings, err = c.Visualize(ctx, r.Model, f.draw)
	return err
}

// write shows what became of the file.
func (r *checked) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	dropped := ""
	if r.Dropped {
		dropped = ", torn last line dropped"
	}
	switch {
	case r.Verdict != nil:
		fmt.Fprintf(w, "%s: %s (%d events%s)\n", r.File, r.Word, r.Verdict.Events, dropped)
		writeVerdict(w, r.Verdict)
	case r.Model != nil:
		fmt.Fprintf(w, "%s: %s (%d events%s)\n", r.File, r.Word, r.Model.Events, dropped)
		writeModelVerdict(w, r.Model)
	}
	return nil
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

// maxKeysShown is how many keys are shown in full.
const maxKeysShown = 20

// writeModelVerdict shows how many keys were judged by which method, and every
// key that is not valid.
func writeModelVerdict(w io.Writer, v *linearizability.ModelVerdict) {
	methods := map[linearizability.Method]int{}
	var shown []linearizability.KeyVerdict
	for _, k := range v.Keys {
		methods[k.Method]++
		if k.Outcome != linearizability.Valid {
			shown = append(shown, k)
		}
	}
	fmt.Fprintf(w, "  %s: %d operations on %d keys; holds end with %s; judged by sweep: %d, by search: %d\n",
		v.Model, v.Operations, len(v.Keys), v.HoldsEnd, methods[linearizability.MethodSweep], methods[linearizability.MethodSearch])
	for i, k := range shown {
		if i == maxKeysShown {
			fmt.Fprintf(w, "  and %d more keys (--json shows all)\n", len(shown)-i)
			return
		}
		fmt.Fprintf(w, "  %q %s (%s): %s\n", k.Key, k.Outcome, k.Method, k.Reason)
		if c := k.Counterexample; c != nil {
			if c.Story != k.Reason {
				fmt.Fprintf(w, "    %s\n", c.Story)
			}
			fmt.Fprintf(w, "    lines %v, counted from 0\n", c.Indices)
		}
	}
}
