package mutants

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// tell says what came of one row.
func (o *Options) tell(row *Row) {
	for _, f := range row.Findings {
		fmt.Fprintf(o.Out, "%-22s %-8s %s in %.1f s\n", row.Name, f.Engine, f.outcome(), f.Seconds)
	}
	for _, failure := range row.Failures {
		fmt.Fprintf(o.Out, "%-22s FAILED: %s\n", row.Name, failure)
	}
}

// outcome says in a few words what an engine found.
func (f *Finding) outcome() string {
	var b strings.Builder
	fell := strings.Join(f.Properties, ", ")
	switch f.Engine {
	case ByExploring:
		switch {
		case fell != "":
			fmt.Fprintf(&b, "%s at depth %d, %d states", fell, f.Depth, f.States)
		case f.Complete:
			fmt.Fprintf(&b, "nothing, all %d states to depth %d", f.States, f.Depth)
		default:
			fmt.Fprintf(&b, "nothing in %d states to depth %d, not all", f.States, f.Depth)
		}
	case BySimulating:
		if fell != "" {
			fmt.Fprintf(&b, "%s by seed %d, the %d. run", fell, f.Seed, f.Seeds)
		} else {
			fmt.Fprintf(&b, "nothing in %d runs", f.Seeds)
		}
	case OnServers:
		if fell != "" {
			fmt.Fprintf(&b, "%s; %d of %d runs convict", fell, f.RunsFound, f.Runs)
		} else {
			fmt.Fprintf(&b, "nothing in %d runs", f.Runs)
		}
	}
	return b.String()
}

// WriteTable writes bug × engine: at which depth the explorer convicts it and
// after how many states, after how many seeds the simulator does, in how many
// runs real servers do, and how long each took.
func (r *Result) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "mutant\tbug\tproperty\texplored: depth (known)\tsimulated: seeds\tlive: runs\tpair\tbuild\tverdict")
	for _, row := range r.Rows {
		if row.Name == Control {
			continue
		}
		cell := map[Engine]string{}
		for _, f := range row.Findings {
			cell[f.Engine] = row.cell(f)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.1f s\t%s\n", row.Name, number(row.Bug), row.Property,
			dash(cell[ByExploring]), dash(cell[BySimulating]), dash(cell[OnServers]), row.pair(), row.Build, row.verdict())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe lock as it is, under the same commands:")
	for _, row := range r.Rows {
		if row.Name != Control {
			continue
		}
		for _, f := range row.Findings {
			fmt.Fprintf(w, "%s\t%s\t%.1f s\t%s\n", f.Command, f.outcome(), f.Seconds, row.verdict())
		}
	}
	return w.Flush()
}

func (r *Row) cell(f *Finding) string {
	if !f.Convicted {
		return "not: " + f.outcome()
	}
	switch f.Engine {
	case ByExploring:
		known := ""
		if f.Prefix != 0 {
			known = fmt.Sprintf(", %d of them given", f.Prefix)
		}
		if r.KnownDepth != 0 {
			known += fmt.Sprintf(" (%d)", r.KnownDepth)
		}
		return fmt.Sprintf("%d%s, %d states, %.1f s", f.Depth, known, f.States, f.Seconds)
	case BySimulating:
		return fmt.Sprintf("%d, %.1f s", f.Seeds, f.Seconds)
	}
	return fmt.Sprintf("%d of %d, %.0f s a run", f.RunsFound, f.Runs, f.Seconds/float64(max(1, f.Runs)))
}

func (r *Row) pair() string {
	switch {
	case r.Conformance == nil:
		return "-"
	case r.Conformance.Agrees:
		return fmt.Sprintf("agrees, %.1f s", r.Conformance.Seconds)
	}
	return "DIFFERS"
}

func (r *Row) verdict() string {
	if len(r.Failures) > 0 {
		return "FAILED: " + strings.Join(r.Failures, "; ")
	}
	if r.Name == Control {
		return "passes"
	}
	return "convicted"
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// JSON is the result as files have it.
func (r *Result) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("mutants: encoding the result: %w", err)
	}
	return append(data, '\n'), nil
}

// WriteCatalogue lists the mutants: what each does wrong, what must fall, and
// which engines must show it.
func WriteCatalogue(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "mutant\tbug\tproperty\tengines\tmistake")
	for _, m := range All() {
		var by []string
		for _, e := range Engines() {
			if m.convicts(e) != nil {
				by = append(by, string(e))
			}
		}
		mistake := m.Mistake
		if m.Setup != "" {
			mistake += " (" + m.Setup + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.Name, number(m.Bug), m.Property, dash(strings.Join(by, ", ")), mistake)
	}
	return w.Flush()
}
