package measure

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
)

// Chart is a drawing of horizontal bars: a group per configuration, a bar per
// subject, a whisker from the least to the greatest repetition.
type Chart struct {
	Title string
	Unit  string // written at the axis
	Log   bool   // a logarithmic axis, where figures differ by powers of ten
	Bars  []Bar
}

// Bar is one subject's figure.
type Bar struct {
	Group string // bars of one group stand together; empty where there is one
	Name  string
	Value Spread
	Own   bool // drawn in the colour of this project
}

const (
	chartWidth = 760
	nameWidth  = 190
	textWidth  = 130 // for the figure, right of the bars
	barHeight  = 18
	barGap     = 6
	headHeight = 44
	groupHead  = 22
)

// WriteSVG draws the chart. It stands by itself, without scripts or fonts.
func (c Chart) WriteSVG(w io.Writer) error {
	b := bufio.NewWriter(w)
	height := headHeight + 30
	for i, bar := range c.Bars {
		height += barHeight + barGap
		if bar.Group != "" && (i == 0 || c.Bars[i-1].Group != bar.Group) {
			height += groupHead
		}
	}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui,sans-serif" font-size="12">`+"\n", chartWidth, height)
	fmt.Fprintf(b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", chartWidth, height)
	fmt.Fprintf(b, `<text x="12" y="22" font-size="15" font-weight="600" fill="#111">%s</text>`+"\n", html.EscapeString(c.Title))
	axis := c.axis()
	for _, tick := range axis.ticks() {
		x := axis.x(tick)
		fmt.Fprintf(b, `<line x1="%s" x2="%[1]s" y1="%d" y2="%d" stroke="#ddd"/>`+"\n", px(x), headHeight-6, height-26)
		fmt.Fprintf(b, `<text x="%s" y="%d" text-anchor="middle" fill="#666">%s</text>`+"\n", px(x), height-12, Digits(tick))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#666">%s</text>`+"\n", chartWidth-8, height-12, html.EscapeString(c.Unit))
	y := headHeight
	for i, bar := range c.Bars {
		if bar.Group != "" && (i == 0 || c.Bars[i-1].Group != bar.Group) {
			fmt.Fprintf(b, `<text x="12" y="%d" font-weight="600" fill="#333">%s</text>`+"\n", y+14, html.EscapeString(bar.Group))
			y += groupHead
		}
		bar.draw(b, axis, y)
		y += barHeight + barGap
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

func (bar Bar) draw(w io.Writer, a axis, y int) {
	fill := "#9aa5b1"
	if bar.Own {
		fill = "#1f77b4"
	}
	mid := y + barHeight/2
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end" fill="#111">%s</text>`+"\n", nameWidth-8, mid+4, html.EscapeString(bar.Name))
	v := bar.Value
	if v.N == 0 || math.IsNaN(v.Median) || math.IsInf(v.Median, 0) {
		fmt.Fprintf(w, `<text x="%d" y="%d" fill="#666">%s</text>`+"\n", nameWidth+4, mid+4, v)
		return
	}
	fmt.Fprintf(w, `<rect x="%d" y="%d" width="%s" height="%d" fill="%s"/>`+"\n", nameWidth, y, px(a.x(v.Median)-nameWidth), barHeight, fill)
	low, high := a.x(v.Low), a.x(v.High)
	fmt.Fprintf(w, `<line x1="%s" x2="%s" y1="%d" y2="%[3]d" stroke="#333"/>`+"\n", px(low), px(high), mid)
	fmt.Fprintf(w, `<text x="%s" y="%d" fill="#333">%s</text>`+"\n", px(max(high, a.x(v.Median))+6), mid+4, v)
}

// axis maps figures to pixels.
type axis struct {
	log       bool
	low, high float64
}

func (c Chart) axis() axis {
	a := axis{log: c.Log, low: math.Inf(1), high: 0}
	for _, bar := range c.Bars {
		for _, v := range []float64{bar.Value.Low, bar.Value.Median, bar.Value.High} {
			if v > 0 && !math.IsInf(v, 0) {
				a.low, a.high = min(a.low, v), max(a.high, v)
			}
		}
	}
	switch {
	case a.high == 0: // nothing to draw
		a.low, a.high, a.log = 0, 1, false
	case a.log:
		a.low, a.high = math.Pow(10, math.Floor(math.Log10(a.low))), math.Pow(10, math.Ceil(math.Log10(a.high)))
		if a.low == a.high {
			a.low /= 10
		}
	default:
		a.low = 0
	}
	return a
}

func (a axis) x(v float64) float64 {
	share := (v - a.low) / (a.high - a.low)
	if a.log {
		share = math.Log(max(v, a.low)/a.low) / math.Log(a.high/a.low)
	}
	return nameWidth + min(max(share, 0), 1)*(chartWidth-nameWidth-textWidth)
}

// ticks are the powers of ten, or round numbers of which there are 3 to 7.
func (a axis) ticks() []float64 {
	var list []float64
	if a.log {
		for v := a.low; v <= a.high*1.001; v *= 10 {
			list = append(list, v)
		}
		return list
	}
	step := math.Pow(10, math.Floor(math.Log10(a.high)))
	for _, m := range []float64{0.2, 0.5, 1} {
		if a.high/(step*m) <= 7 {
			step *= m
			break
		}
	}
	for i := 0; float64(i)*step <= a.high; i++ {
		list = append(list, float64(i)*step)
	}
	return list
}

func px(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
