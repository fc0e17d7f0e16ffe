package measure

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Key names a series: what was measured, how, of whom.
type Key struct {
	Case   string // "Pair"
	Config string // "nodes=5"; may be empty
	Lock   string // the subject
	Unit   string // "p50-ns", "pairs/s", …
}

// Table collects figures, in the order in which their keys came. The zero value
// is empty and ready for use. It is not for use by several goroutines.
type Table struct {
	keys   []Key
	values map[Key][]float64
}

// Add appends one repetition's figure.
func (t *Table) Add(k Key, v float64) {
	if t.values == nil {
		t.values = make(map[Key][]float64)
	}
	if _, ok := t.values[k]; !ok {
		t.keys = append(t.keys, k)
	}
	t.values[k] = append(t.values[k], v)
}

// Get returns all repetitions, nil where there are none.
func (t *Table) Get(k Key) []float64 { return t.values[k] }

// Keys returns all keys in order.
func (t *Table) Keys() []Key { return t.keys }

// distinct returns what f makes of the keys for which it is not empty, each
// once, in order.
func (t *Table) distinct(f func(Key) string) []string {
	var list []string
	seen := map[string]bool{"": true}
	for _, k := range t.keys {
		if s := f(k); !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	return list
}

// group is the part of a benchmark's name that its subjects share.
func (k Key) group() string {
	if k.Config == "" {
		return k.Case
	}
	return k.Case + "/" + k.Config
}

// WriteBench prints Go's benchmark format, which benchstat reads: a line per
// subject and repetition. Figures that it cannot read (none, endless) are left
// out.
func (t *Table) WriteBench(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, name := range t.distinct(func(k Key) string { return k.group() + "/lock=" + k.Lock }) {
		var keys []Key
		reps := 0
		for _, k := range t.keys {
			if k.group()+"/lock="+k.Lock == name {
				keys = append(keys, k)
				reps = max(reps, len(t.values[k]))
			}
		}
		for i := range reps {
			line := "Benchmark" + name + "\t1"
			for _, k := range keys {
				if v := t.values[k]; i < len(v) && !math.IsNaN(v[i]) && !math.IsInf(v[i], 0) {
					line += "\t" + strconv.FormatFloat(v[i], 'g', 6, 64) + " " + k.Unit
				}
			}
			fmt.Fprintln(b, line)
		}
	}
	return b.Flush()
}

// WriteText prints a table per case and configuration: a row per subject, a
// column per unit, in Markdown that is aligned for reading as it is.
func (t *Table) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, group := range t.distinct(Key.group) {
		t.writeGroup(b, group)
	}
	return b.Flush()
}

func (t *Table) writeGroup(w io.Writer, group string) {
	in := func(k Key) bool { return k.group() == group }
	units := t.distinct(func(k Key) string {
		if in(k) {
			return k.Unit
		}
		return ""
	})
	locks := t.distinct(func(k Key) string {
		if in(k) {
			return k.Lock
		}
		return ""
	})
	rows := [][]string{{""}, {"---"}}
	for _, u := range units {
		rows[0] = append(rows[0], shownUnit(u))
		rows[1] = append(rows[1], "---")
	}
	caseName, config, _ := strings.Cut(group, "/")
	for _, l := range locks {
		row := []string{l}
		for _, u := range units {
			row = append(row, shown(u, Over(t.Get(Key{caseName, config, l, u}))))
		}
		rows = append(rows, row)
	}
	fmt.Fprintf(w, "### %s\n\n", strings.ReplaceAll(group, "/", ", "))
	writeRows(w, rows)
	fmt.Fprintln(w)
}

// writeRows prints a Markdown table whose columns are aligned.
func writeRows(w io.Writer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for _, r := range rows {
		for i, cell := range r {
			fill := " "
			if strings.Trim(cell, "-") == "" && cell != "" {
				fill = "-"
			}
			fmt.Fprintf(w, "| %s%s ", cell, strings.Repeat(fill, width[i]-len([]rune(cell))))
		}
		fmt.Fprintln(w, "|")
	}
}

// Nanoseconds are shown as microseconds: that is the scale of a lock.

func shownUnit(unit string) string {
	if u, ok := strings.CutSuffix(unit, "-ns"); ok {
		return u + ", µs"
	}
	return unit
}

func shown(unit string, s Spread) string {
	if strings.HasSuffix(unit, "-ns") {
		s.Median, s.Low, s.High = s.Median/1e3, s.Low/1e3, s.High/1e3
	}
	return s.String()
}
