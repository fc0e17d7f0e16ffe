package dial

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// property is one of the counts of a Point.
type property struct {
	title string
	of    func(p *Point) int
}

var properties = []property{
	{"mutual exclusion", func(p *Point) int { return p.Exclusion }},
	{"token order", func(p *Point) int { return p.Order }},
	{"resource with fence", func(p *Point) int { return p.Fenced }},
	{"resource without", func(p *Point) int { return p.Unfenced }},
}

// onset tells from which setting on a property fell: in any run, and in all.
func onset(points []Point, of func(*Point) int) string {
	first, all, last := -1, -1, -1
	for i := range points {
		n := of(&points[i])
		if n == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		if n == points[i].Runs && all < 0 {
			all = i
		}
		last = i
	}
	if first < 0 {
		return "never"
	}
	text := "from " + number(points[first].Setting)
	if last < len(points)-1 {
		text += " to " + number(points[last].Setting)
	}
	switch {
	case all < 0:
		text += ", never in all runs"
	case all > first:
		text += ", in all from " + number(points[all].Setting)
	}
	return text
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// WriteTable writes from which setting on each property fell, a line for each
// arm. The curves are those of Sweeps, in any order; arms without one are left
// out.
func WriteTable(out io.Writer, curves []Curve) error {
	for _, s := range Sweeps() {
		if !measured(curves, s) {
			continue
		}
		fmt.Fprintf(out, "\n%s (%s, %s to %s): %s\n", s.Title, s.Unit, number(s.Settings[0]), number(s.Settings[len(s.Settings)-1]), s.Theory)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprint(w, "  ")
		for _, p := range properties {
			fmt.Fprint(w, "\t", p.title)
		}
		fmt.Fprintln(w)
		for _, a := range s.Arms {
			c := find(curves, s, a)
			if c == nil {
				continue
			}
			fmt.Fprint(w, "  ", a.Title)
			for _, p := range properties {
				fmt.Fprint(w, "\t", onset(c.Points, p.of))
			}
			fmt.Fprintln(w)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func measured(curves []Curve, s Sweep) bool {
	for _, c := range curves {
		if c.Sweep == s.Name {
			return true
		}
	}
	return false
}

func find(curves []Curve, s Sweep, a Arm) *Curve {
	for i := range curves {
		if curves[i].Sweep == s.Name && curves[i].Arm == a.Name {
			return &curves[i]
		}
	}
	return nil
}
