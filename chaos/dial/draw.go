package dial

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// Sizes of the drawing, px.
const (
	labelWidth = 190
	cellWidth  = 18
	cellHeight = 15
	titleRoom  = 46
	armRoom    = 22
	axisRoom   = 34
	margin     = 16
)

// palette runs from none of the runs to all of them; it darkens, so that it is
// read without colour too.
var palette = []string{"#e8f1ea", "#f6d9a8", "#eeaa6b", "#dd6f4f", "#9e1f2f"}

// Draw writes a picture of the curves, in SVG: for each sweep, arm and property
// a strip whose cells are the settings, the darker the more runs fell. Equal
// curves give equal bytes.
func Draw(out io.Writer, curves []Curve) error {
	d := &drawing{y: margin}
	for _, s := range Sweeps() {
		if measured(curves, s) {
			d.sweep(s, curves)
		}
	}
	d.legend()
	width := margin + labelWidth + 31*cellWidth + margin
	_, err := fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="where violations begin as each assumption is broken further">
<rect width="100%%" height="100%%" fill="#ffffff"/>
%s</svg>
`, width, d.y, width, d.y, d.body.String())
	return err
}

// drawing is a picture that grows downwards.
type drawing struct {
	body strings.Builder
	y    int
}

func (d *drawing) text(x, y int, attributes, text string) {
	fmt.Fprintf(&d.body, "<text x=\"%d\" y=\"%d\" %s>%s</text>\n", x, y, attributes, html.EscapeString(text))
}

func (d *drawing) sweep(s Sweep, curves []Curve) {
	d.text(margin, d.y+14, `font-size="15" font-weight="600"`, s.Title)
	d.text(margin, d.y+31, `fill="#555555"`, s.Theory)
	d.y += titleRoom
	for _, a := range s.Arms {
		c := find(curves, s, a)
		if c == nil {
			continue
		}
		d.text(margin, d.y+14, `font-weight="600" fill="#333333"`, a.Title)
		d.y += armRoom
		for _, p := range properties {
			d.strip(c, p, s.Unit)
		}
		d.y += 6
	}
	d.axis(s)
}

func (d *drawing) strip(c *Curve, p property, unit string) {
	d.text(margin+labelWidth-10, d.y+cellHeight-4, `text-anchor="end" fill="#333333"`, p.title)
	for i := range c.Points {
		n, runs := p.of(&c.Points[i]), c.Points[i].Runs
		fmt.Fprintf(&d.body, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"><title>%s %s: %s fell in %d of %d runs</title></rect>\n",
			margin+labelWidth+i*cellWidth, d.y, cellWidth-1, cellHeight-2, shade(n, runs), number(c.Points[i].Setting), html.EscapeString(unit), p.title, n, runs)
	}
	d.y += cellHeight
}

// shade is white-green for none alone, and darkest for all alone.
func shade(n, runs int) string {
	switch {
	case n == 0:
		return palette[0]
	case n == runs:
		return palette[len(palette)-1]
	}
	return palette[1+n*(len(palette)-2)/runs]
}

func (d *drawing) axis(s Sweep) {
	for i := 0; i < len(s.Settings); i += 5 {
		label := number(s.Settings[i])
		if i == 0 {
			label += " " + s.Unit
		}
		d.text(margin+labelWidth+i*cellWidth+cellWidth/2, d.y+12, `text-anchor="middle" fill="#555555" font-size="11"`, label)
	}
	d.y += axisRoom
}

func (d *drawing) legend() {
	x := margin + labelWidth
	d.text(margin+labelWidth-10, d.y+cellHeight-4, `text-anchor="end" fill="#333333"`, "fell in")
	for i, label := range []string{"no run", "few", "some", "many", "every run"} {
		fmt.Fprintf(&d.body, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", x+i*90, d.y, cellWidth-1, cellHeight-2, palette[i])
		d.text(x+i*90+cellWidth+4, d.y+cellHeight-4, `fill="#333333"`, label)
	}
	d.y += cellHeight + margin
}
