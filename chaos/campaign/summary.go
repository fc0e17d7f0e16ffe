package campaign

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
)

// maxTales is how many violations the summary tells of one by one.
const maxTales = 10

// WriteSummary tells the result to somebody who sees one for the first time:
// what fell first, then what was done, then what was never met.
func (r *Result) WriteSummary(out io.Writer) error {
	w := &errWriter{w: out}
	r.writeViolations(w)
	r.writeRuns(w)
	r.writeProperties(w)
	r.writeFaults(w)
	r.writeUnmet(w)
	r.writeWord(w)
	return w.err
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

func (r *Result) writeViolations(w io.Writer) {
	for i, v := range r.Violations {
		if i == maxTales {
			fmt.Fprintf(w, "\n… and %s more runs in violation\n", thousands(r.Violated-maxTales))
			break
		}
		var fallen []string
		for _, p := range v.Properties {
			fallen = append(fallen, string(p))
		}
		if v.Invariant != "" {
			fallen = append(fallen, "invariant "+v.Invariant)
		}
		fmt.Fprintf(w, "\nVIOLATED: %s, with seed %d\n  %s\n  to repeat it: %s\n", strings.Join(fallen, ", "), v.Seed, v.Story, v.Replay)
	}
}

func (r *Result) writeRuns(w io.Writer) {
	var seeds []string
	for _, s := range r.Seeds {
		seeds = append(seeds, s.String())
	}
	inside := "inside the lock's assumptions"
	if r.Setup.Outside {
		inside = "outside the lock's assumptions: clocks jump and run too fast"
	}
	what := "runs"
	if r.Setup.Story != "" {
		what = "runs of the story " + r.Setup.Story
	}
	fmt.Fprintf(w, "\n%s simulated %s, %s\n", thousands(r.Runs), what, inside)
	fmt.Fprintf(w, "  seeds %s; hint %s\n", strings.Join(seeds, ", "), r.Setup.Hint)
	if r.Early != "" {
		fmt.Fprintf(w, "  stopped before the last seed: %s\n", r.Early)
	}
	fmt.Fprintf(w, "  %s acquisitions: %s with the hint, %s without; %d %% returned while a fault was active; %s acquires had to wait\n",
		thousands(r.Acquired), thousands(r.HintOn), thousands(r.HintOff), r.Tally.UnderFault*100/max(1, r.Acquired), thousands(r.Tally.Waited))
	for _, c := range r.Clusters {
		fmt.Fprintf(w, "  %d nodes: %s acquisitions in %s runs\n", c.Nodes, thousands(c.Acquired), thousands(c.Runs))
	}
	fmt.Fprintf(w, "  %v of simulated time in %s events; %s lines of history, all of them judged\n",
		r.Simulated.D().Round(time.Second), thousands(r.Steps), thousands(r.Lines))
}

func (r *Result) writeProperties(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\n  property\tvalid\tfell\tunknown\tnot judged\tnot claimed: valid\tfell")
	for _, c := range r.Properties {
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Property, thousands(c.Claimed.Valid), thousands(c.Claimed.Invalid), thousands(c.Claimed.Unknown),
			thousands(c.Claimed.NotJudged), thousands(c.Unclaimed.Valid), thousands(c.Unclaimed.Invalid))
	}
	tw.Flush()
	fmt.Fprintln(w, "  (in so many runs; a property is not claimed in a run whose faults broke what it assumes)")
	for _, name := range slices.Sorted(keysOf(r.Invariants)) {
		fmt.Fprintf(w, "  invariant %s fell in %s runs\n", name, thousands(r.Invariants[name]))
	}
}

func (r *Result) writeFaults(w io.Writer) {
	counts := func(names []string, n func(string) int) string {
		var list []string
		for _, name := range names {
			list = append(list, fmt.Sprintf("%s %s", name, thousands(n(name))))
		}
		return strings.Join(list, ", ")
	}
	var faults []string
	for f := range r.Tally.Confirmed {
		faults = append(faults, string(f))
	}
	slices.Sort(faults)
	if len(faults) > 0 {
		fmt.Fprintf(w, "\n  faults that took effect: %s\n", counts(faults, func(f string) int { return r.Tally.Confirmed[linearizability.F(f)] }))
	}
	fmt.Fprintf(w, "  rarer ways the protocol took: %s\n", counts(slices.Sorted(keysOf(r.Tally.Paths)), func(p string) int { return r.Tally.Paths[p] }))
	if len(r.Stories) > 0 {
		fmt.Fprintf(w, "  stories told to their end: %s\n", counts(slices.Sorted(keysOf(r.Stories)), func(s string) int { return r.Stories[s].Told }))
	}
}

func (r *Result) writeUnmet(w io.Writer) {
	unmet := r.Coverage.Unmet()
	fmt.Fprintf(w, "  coverage: %d branches of the protocol; %d of %d pairs of a fault and what a client was about\n",
		len(r.Coverage.Branches), len(r.Coverage.Pairs)-len(unmet), len(r.Coverage.Pairs))
}

// WriteCoverage writes how often every branch and every pair was met, a line
// each; pairs as a table of faults and phases.
func (r *Result) WriteCoverage(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "branch of the protocol\tmet")
	for _, name := range slices.Sorted(keysOf(r.Coverage.Branches)) {
		fmt.Fprintf(w, "%s\t%s\n", name, thousands(r.Coverage.Branches[name]))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var faults, phases []string
	for p := range r.Coverage.Pairs {
		faults, phases = append(faults, p.Fault), append(phases, p.Phase)
	}
	faults, phases = inOrder(faults), inOrder(phases)
	fmt.Fprintf(w, "\nstruck while a client was …\t%s\n", strings.Join(phases, "\t"))
	for _, f := range faults {
		fmt.Fprint(w, f)
		for _, phase := range phases {
			n, ok := r.Coverage.Pairs[Pair{f, phase}]
			cell := thousands(n)
			if !ok {
				cell = ""
			}
			fmt.Fprintf(w, "\t%s", cell)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

func (r *Result) writeWord(w io.Writer) {
	fmt.Fprintf(w, "  %.1f s, %.1f s of processor time: %s acquisitions simulated and judged a second of it\n  digest of everything that happened: %x\n",
		r.Took.Seconds, r.Took.Processor, thousands(int(r.PerCore())), r.Digest[:8])
	fmt.Fprintf(w, "\n%s\n", r.Word)
	switch r.Word {
	case linearizability.WordNoViolation:
		fmt.Fprintln(w, "Nothing in these runs speaks against the lock. That is no proof: other seeds were not run, and no simulator is the world.")
	case linearizability.WordVacuous:
		fmt.Fprintln(w, "Too little happened for these runs to mean anything:")
	case linearizability.WordUnknown:
		fmt.Fprintf(w, "%d of %d runs could not be judged.\n", r.Undecided, r.Runs)
	case linearizability.WordViolated:
		fmt.Fprintln(w, "The lock broke what it claims; the runs that show it stand at the top.")
	}
	for _, reason := range r.Vacuous {
		fmt.Fprintf(w, "  - %s\n", reason)
	}
}

// thousands writes a number with commas.
func thousands[T int | uint64](n T) string {
	s := strconv.FormatUint(uint64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
