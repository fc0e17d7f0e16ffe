package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// chart is a drawing for the template. Across, everything is in percent of the
// width, so that a chart is zoomed by making it wider while its letters keep
// their size; down, in pixels.
type chart struct {
	Title  string
	Height int
	Zoomed bool // may be made wider
	Names  []name
	Grid   []line // behind everything
	Bars   []bar
	Lines  []line
	Texts  []mark
	Merged int // bars that stand for several
	Within int // how many these stand for
	Hidden int // rows for which there was no room
}

// name is a row's name, left of the drawing.
type name struct {
	Y     int
	Text  string
	Full  string
	Class string
}

// bar is a rectangle with a tooltip and perhaps a word in it.
type bar struct {
	X, W  string
	Y, H  int
	Class string
	Full  string // the tooltip
	Text  string // cut off where the bar is too short for it
}

// line is a straight line.
type line struct {
	X1, X2 string
	Y1, Y2 string // in pixels
	Class  string
	Full   string
}

// mark is a word in the drawing.
type mark struct {
	X      string
	Y      int
	Text   string
	Class  string
	Anchor string
}

// span is a time of the run in ns.
type span struct{ from, to int64 }

// meets tells whether two spans share more than a point.
func (s span) meets(o span) bool { return s.from < o.to && o.from < s.to || s == o }

// within cuts s off at the ends of o.
func (s span) within(o span) span { return span{max(s.from, o.from), min(s.to, o.to)} }

func (s span) length() int64 { return s.to - s.from }

// percent is where t stands in s.
func (s span) percent(t int64) string {
	if s.to <= s.from {
		return "0%"
	}
	return percent(float64(t-s.from) / float64(s.to-s.from))
}

func percent(share float64) string {
	return strconv.FormatFloat(100*min(max(share, 0), 1), 'f', 3, 64) + "%"
}

// stretch is a bar before it is drawn: a time in a row, in the class that it is
// drawn in.
type stretch struct {
	span
	row   int
	class string
	full  string
	text  string
	whole bool // never merged with others
}

// depth lists the classes of stretches from the one farthest behind.
var depth = []string{"vote", "mute", "down", "fault", "stands", "stands offends", "wait", "vain", "hold", "offender", "until"}

// barBudget is how many bars a drawing may have. More take a browser too long
// to open.
const barBudget = 6000

// draw puts the stretches into the chart, where rows begin at tops. Where there
// are too many, those that are too short to be seen apart are merged, and their
// bar says how many they are.
func (c *chart) draw(window span, list []stretch, tops []int, height int) {
	list = slices.DeleteFunc(slices.Clone(list), func(s stretch) bool { return !s.meets(window) })
	slices.SortStableFunc(list, func(a, b stretch) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(slices.Index(depth, a.class), slices.Index(depth, b.class)), cmp.Compare(a.from, b.from))
	})
	merged := merge(list, 0)
	for bins := int64(1 << 14); len(merged) > barBudget && bins >= 16; bins /= 2 {
		merged = merge(list, max(1, window.length()/bins))
	}
	for _, m := range merged {
		s := m.stretch.within(window)
		b := bar{X: window.percent(s.from), Y: tops[m.row], H: height, Class: m.class, Full: m.full, Text: m.text}
		b.W = percent(float64(s.length()) / float64(max(1, window.length())))
		if m.n > 1 {
			b.Full, b.Text = fmt.Sprintf("%d times %s between %s and %s", m.n, m.class, at(m.from), at(m.to)), ""
			c.Merged++
			c.Within += m.n
		}
		if s.length() < window.length()/400 {
			b.Text = ""
			if m.whole && m.text != "" && s.from == m.from {
				c.Texts = append(c.Texts, mark{X: b.X, Y: b.Y + 9, Text: "\u2002" + m.text, Class: "beside", Anchor: "start"})
			}
		}
		c.Bars = append(c.Bars, b)
	}
}

// run is one stretch, or several merged.
type run struct {
	stretch
	n int
}

// merge merges neighbours of one row and class that are shorter than bin and
// begin in the same bin.
func merge(list []stretch, bin int64) []run {
	var out []run
	for _, s := range list {
		if last := len(out) - 1; bin > 0 && last >= 0 {
			l := &out[last]
			if l.row == s.row && l.class == s.class && !l.whole && !s.whole &&
				l.length() < bin && s.length() < bin && l.from/bin == s.from/bin {
				l.to, l.n = max(l.to, s.to), l.n+1
				continue
			}
		}
		out = append(out, run{s, 1})
	}
	return out
}

// axis draws the time at the chart's top, with finer steps that show when it is
// zoomed.
func (c *chart) axis(window span) {
	drawn := map[int64]bool{}
	for _, level := range []struct {
		class string
		steps int64 // at most, across the window
	}{{"t1", 8}, {"t4", 32}, {"t16", 128}} {
		if level.class != "t1" && !c.Zoomed {
			return
		}
		step := niceStep(max(1, window.length()/level.steps))
		for t := (window.from + step - 1) / step * step; t <= window.to; t += step {
			if !drawn[t] {
				drawn[t] = true
				c.tick(window, t, step, level.class)
			}
		}
	}
}

// tick draws one time of an axis.
func (c *chart) tick(window span, t, step int64, class string) {
	x, anchor := window.percent(t), "middle"
	switch share := float64(t-window.from) / float64(max(1, window.length())); {
	case share < 0.02:
		anchor = "start"
	case share > 0.98:
		anchor = "end"
	}
	digits := 0
	for s := step; s < 1e9 && digits < 9; s *= 10 {
		digits++
	}
	text := strconv.FormatFloat(float64(t)/1e9, 'f', digits, 64) + " s"
	c.Grid = append(c.Grid, line{X1: x, X2: x, Y1: "14", Y2: strconv.Itoa(c.Height), Class: "grid " + class})
	c.Texts = append(c.Texts, mark{X: x, Y: 11, Text: text, Class: "tick " + class, Anchor: anchor})
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(d int64) int64 {
	for p := int64(1); p < math.MaxInt64/10; p *= 10 {
		for _, m := range []int64{1, 2, 5} {
			if m*p >= d {
				return m * p
			}
		}
	}
	return max(1, d)
}
