package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/quorumlock/quorumlock/linearizability"
)

// The measures of a plot in pixels.
const (
	plotTop    = axisHeight + 6
	plotHeight = 150
)

// bins is into how many parts a plot divides the run.
const bins = 100

// binned are the operations of each part of the run, by their completion.
type binned struct {
	acquired, failed [bins]int
	waits            [bins][]int64 // how long acquires took that returned ok, ns
	rounds           [bins][]int64 // the same of extends and releases, which wait for nobody
}

func (f *facts) binned() *binned {
	b := &binned{}
	for i := range f.ops {
		op := &f.ops[i]
		if op.Return < 0 {
			continue
		}
		n := min(bins-1, int(float64(op.End)/float64(f.all.to)*bins))
		switch {
		case op.F == linearizability.Acquire && op.Type == linearizability.OK:
			b.acquired[n]++
			b.waits[n] = append(b.waits[n], op.End-op.Start)
		case op.F == linearizability.Acquire:
			b.failed[n]++
		case op.Type == linearizability.OK && (op.F == linearizability.Extend || op.F == linearizability.Release):
			b.rounds[n] = append(b.rounds[n], op.End-op.Start)
		}
	}
	return b
}

// rate draws acquisitions in a second over time.
func (f *facts) rate(b *binned) *chart {
	c := &chart{Title: "Acquisitions per second", Height: plotTop + plotHeight + 6}
	c.shade(f.all, f.bands, axisHeight)
	c.axis(f.all)
	width := float64(f.all.to) / 1e9 / bins // seconds
	top := 0.0
	for i := range bins {
		top = max(top, float64(b.acquired[i]+b.failed[i])/width)
	}
	scale := niceTop(top)
	for _, share := range []float64{0, 0.5, 1} {
		c.level(plotTop+plotHeight-int(share*plotHeight), strconv.FormatFloat(share*scale, 'g', 3, 64)+" /s")
	}
	for i := range bins {
		y := plotTop + plotHeight
		for _, part := range []struct {
			n           int
			class, what string
		}{{b.acquired[i], "okbar", "acquired"}, {b.failed[i], "failbar", "failed to acquire"}} {
			h := int(math.Round(float64(part.n) / width / scale * plotHeight))
			if part.n == 0 {
				continue
			}
			h = max(h, 1)
			y -= h
			c.Bars = append(c.Bars, bar{X: percent(float64(i) / bins), W: percent(0.85 / bins), Y: y, H: h, Class: part.class,
				Full: fmt.Sprintf("%d %s from %s", part.n, part.what, at(int64(i)*f.all.to/bins))})
		}
	}
	return c
}

// level draws a line across with its value.
func (c *chart) level(y int, text string) {
	c.Grid = append(c.Grid, line{X1: "0%", X2: "100%", Y1: strconv.Itoa(y), Y2: strconv.Itoa(y), Class: "grid"})
	c.Names = append(c.Names, name{Y: y + 4, Text: text, Full: text, Class: "value"})
}

// niceTop is a round number at or above v.
func niceTop(v float64) float64 {
	if v <= 0 {
		return 1
	}
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 4, 5, 10} {
		if m*p >= v {
			return m * p
		}
	}
	return 10 * p
}

// latency draws median, 95th percentile and maximum over time, on a scale on
// which each step up is ten times as long.
func (f *facts) latency(title string, values *[bins][]int64) *chart {
	c := &chart{Title: title, Height: plotTop + plotHeight + 6}
	c.shade(f.all, f.bands, axisHeight)
	c.axis(f.all)
	low, high := int64(math.MaxInt64), int64(1)
	for i := range values {
		slices.Sort(values[i])
		if n := len(values[i]); n > 0 {
			low, high = min(low, max(values[i][0], 1000)), max(high, values[i][n-1])
		}
	}
	if low > high {
		low, high = 1e6, 1e9
	}
	from, to := math.Floor(math.Log10(float64(low))), math.Ceil(math.Log10(float64(high)))
	to = max(to, from+1)
	y := func(v int64) string {
		share := (math.Log10(float64(max(v, 1))) - from) / (to - from)
		return strconv.FormatFloat(plotTop+plotHeight*(1-min(max(share, 0), 1)), 'f', 1, 64)
	}
	for e := from; e <= to; e++ {
		c.level(plotTop+int(plotHeight*(1-(e-from)/(to-from))), long(int64(math.Pow(10, e))))
	}
	for _, q := range []struct {
		share       float64
		class, what string
	}{{1, "lmax", "the longest"}, {0.95, "l95", "95 % took at most"}, {0.5, "l50", "half took at most"}} {
		for i := range values {
			n := len(values[i])
			if n == 0 {
				continue
			}
			v := values[i][int(math.Ceil(q.share*float64(n)))-1]
			c.Lines = append(c.Lines, line{
				X1: percent(float64(i) / bins), X2: percent((float64(i) + 1) / bins), Y1: y(v), Y2: y(v), Class: q.class,
				Full: fmt.Sprintf("%s %s, of %d from %s", q.what, long(v), n, at(int64(i)*f.all.to/bins)),
			})
		}
	}
	return c
}
