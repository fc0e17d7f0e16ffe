package measure

import (
	"fmt"
	"io"
)

// Target is a figure that must not be passed, beside what was observed.
type Target struct {
	What    string  // what it is about, in words
	Got     Spread  // a ratio, or a figure in the unit that What names
	Bound   float64 // what Got's median must not pass
	Aim     float64 // what one would like it to be; 0 for none
	AtLeast bool    // Bound is a least rather than a greatest
}

// Met reports whether the median keeps the bound. Without an observation it
// does not.
func (t Target) Met() bool {
	if t.AtLeast {
		return t.Got.Median >= t.Bound
	}
	return t.Got.Median <= t.Bound
}

// Row is the target as cells: what, bound, observed, and whether it was met.
func (t Target) Row() []string {
	sign := "≤"
	if t.AtLeast {
		sign = "≥"
	}
	bound := sign + " " + Digits(t.Bound)
	if t.Aim != 0 {
		bound += fmt.Sprintf(" (aim %s)", Digits(t.Aim))
	}
	met := "NOT MET"
	switch {
	case t.Got.N == 0:
		met = "not measured"
	case t.Met():
		met = "met"
	}
	return []string{t.What, bound, t.Got.String(), met}
}

// WriteTargets prints a table of them.
func WriteTargets(w io.Writer, targets []Target) error {
	rows := [][]string{{"what", "target", "observed", ""}, {"---", "---", "---", "---"}}
	for _, t := range targets {
		rows = append(rows, t.Row())
	}
	writeRows(w, rows)
	_, err := fmt.Fprintln(w)
	return err
}
