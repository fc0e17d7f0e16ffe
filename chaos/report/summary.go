package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// WriteSummary tells the result to somebody who sees such a run for the first
// time. dir is where the files are.
func (r *Result) WriteSummary(out io.Writer, dir string) error {
	w := &errWriter{w: out}
	r.writeViolations(w)
	r.writeTraffic(w)
	r.writeFaults(w)
	r.writeStories(w)
	if r.Verdict != nil {
		writeProperties(w, r.Verdict)
	}
	r.writeOpinion(w)
	fmt.Fprintf(w, "\n%s\n", r.Word)
	switch r.Word {
	case linearizability.WordNoViolation:
		fmt.Fprintf(w, "Nothing in this run speaks against the lock. %s\n", r.luck())
	case linearizability.WordVacuous:
		fmt.Fprintln(w, "Too little happened for this run to mean anything:")
	case linearizability.WordUnknown:
		fmt.Fprintln(w, "The run could not be judged.")
	case linearizability.WordViolated:
		fmt.Fprintln(w, "The lock broke a property that it claims; the operations that show it stand at the top.")
	case WordFailed:
		fmt.Fprintf(w, "The run says nothing about the lock: %s\n", r.Error)
	}
	if r.Verdict != nil {
		for _, reason := range r.Verdict.Vacuous {
			fmt.Fprintf(w, "  - %s\n", reason)
		}
	}
	fmt.Fprintf(w, "\nthe run as a page: %s\n", filepath.Join(dir, PageFile))
	fmt.Fprintf(w, "%s: %s\n", r.beside(), dir)
	if r.Replay != "" {
		fmt.Fprintf(w, "%s: %s\n", r.repeats(), r.Replay)
	}
	return w.err
}

// writeOpinion says what porcupine thinks of the history, beside our verdict.
func (r *Result) writeOpinion(w io.Writer) {
	o := r.SecondOpinion
	if o == nil {
		return
	}
	fmt.Fprintf(w, "\n  second opinion of %s on %d locks%s: %s\n", o.Checker, len(o.Keys), took(o.Took), o.Agreement)
	for _, k := range o.Keys {
		if k.Agreement != linearizability.Agrees {
			fmt.Fprintf(w, "  %s on %s\n    ours: %s: %s\n    porcupine: %s: %s\n", k.Agreement, k.Key, k.Ours.Outcome, k.Ours.Reason, k.Porcupine.Outcome, k.Porcupine.Reason)
		}
	}
}

// errWriter keeps the first error, so that a page of output needs one check.
type errWriter struct {
	w   io.Writer
	err error
}

func (w *errWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(p)
	w.err = err
	return n, err
}

// writeViolations puts what matters most first.
func (r *Result) writeViolations(w io.Writer) {
	if r.Invariant != "" {
		fmt.Fprintf(w, "\nVIOLATED: invariant %s of the protocol\n  %s\n", r.Invariant, r.InvariantHow)
	}
	for _, p := range r.violated() {
		fmt.Fprintf(w, "\nVIOLATED: %s (%s is to blame)\n", p.Property, p.Blame)
		if c := p.Counterexample; c != nil {
			fmt.Fprintf(w, "  %s\n  lines of history.jsonl, counted from 0: %s\n", c.Story, numbers(c.Indices))
		}
	}
}

func numbers(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = fmt.Sprint(n)
	}
	return strings.Join(words, ", ")
}

func (r *Result) writeTraffic(w io.Writer) {
	t := r.Tally
	fmt.Fprintf(w, "\n%s\n", r.setting())
	if r.Early {
		fmt.Fprintln(w, "The run was stopped before its time.")
	}
	fmt.Fprintf(w, "  %d acquisitions, %d %% of them while a fault was active; %d acquires had to wait for another holder\n", t.Acquired, r.share(), t.Waited)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "  operation\tok\tfailed\tunknown")
	for _, f := range []linearizability.F{
		linearizability.Acquire, linearizability.Extend, linearizability.Release, linearizability.Stamp, linearizability.Read, linearizability.Write,
	} {
		fmt.Fprintf(tw, "  %s\t%d\t%d\t%d\n", f, t.Succeeded[f], t.Failed[f], t.Unknown[f])
	}
	tw.Flush()
	fmt.Fprintf(w, "  %d operations of holders that were too late were refused by the fence\n", r.Refused)
	who, times := r.stillness()
	fmt.Fprintf(w, "  %s %s\n", who, times)
}

func (r *Result) writeFaults(w io.Writer) {
	total := 0
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\n  fault\tplanned\tseen to take effect")
	for _, k := range r.Kinds {
		fmt.Fprintf(tw, "  %s\t%d\t%d\n", k.Kind, k.Planned, k.Confirmed)
		total += k.Confirmed
	}
	tw.Flush()
	fmt.Fprintf(w, "  %d faults took effect\n", total)
	var paths []string
	for name, n := range r.Tally.Paths {
		paths = append(paths, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(paths)
	fmt.Fprintf(w, "  rarer ways the protocol took: %s\n", strings.Join(paths, ", "))
}

func (r *Result) writeStories(w io.Writer) {
	if len(r.Stories) == 0 {
		return
	}
	list := slices.Clone(r.Stories)
	slices.SortFunc(list, func(a, b StoryOutcome) int {
		return slices.Index(scenario.AllStoryNames(), a.Name) - slices.Index(scenario.AllStoryNames(), b.Name)
	})
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\n  directed story\t\ttries")
	for _, s := range list {
		how := "told"
		if !s.Told {
			how = "not told"
		}
		fmt.Fprintf(tw, "  %s\t%s\t%d\n", s.Name, how, s.Tries)
	}
	tw.Flush()
}

// writeProperties is the table of verdicts. A property that is not claimed is
// shown with what happened all the same.
func writeProperties(w io.Writer, v *linearizability.Verdict) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\n  property\tverdict\t")
	for _, p := range v.Properties {
		outcome := string(p.Outcome)
		if !p.Claimed {
			outcome += " (not claimed)"
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", p.Property, outcome, p.Reason)
	}
	tw.Flush()
	fmt.Fprintln(w, "  overrun and the unfenced resource blame no lock: they show what a holder does that does not look at its lease, and what the fence is for.")
}
