package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/quorumlock/quorumlock/linearizability"
)

// band is a fault that took effect, from its confirmation to its healing.
type band struct {
	span
	id      int64
	kind    string
	nodes   []string
	clients []string
	moment  bool // it had no end of its own
}

// what names the band for a tooltip.
func (b *band) what() string {
	s := plain(b.kind) + on(b.nodes, b.clients)
	if b.moment {
		return fmt.Sprintf("%s at %s", s, at(b.from))
	}
	return fmt.Sprintf("%s, from %s to %s", s, at(b.from), at(b.to))
}

// bandsOf returns the confirmed faults of the history by their beginning. One
// that was never healed lasts to the end.
func bandsOf(events []linearizability.Event, end int64) []band {
	var bands []band
	open := map[int64]int{}
	for i := range events {
		f := events[i].Value.Fault
		switch {
		case f == nil:
		case f.Phase == linearizability.FaultEnd:
			if j, ok := open[f.ID]; ok {
				bands[j].to, bands[j].moment = events[i].Time, false
				delete(open, f.ID)
			}
		case f.Confirmed:
			open[f.ID] = len(bands)
			bands = append(bands, band{span: span{events[i].Time, end}, id: f.ID, kind: string(events[i].F), nodes: f.Nodes, clients: f.Clients, moment: true})
		}
	}
	for i := range bands {
		// A crash is for ever; anything else without an end was a matter of a moment.
		if b := &bands[i]; b.moment && b.kind != string(linearizability.Crash) {
			b.to = b.from
		}
	}
	return bands
}

// lasting returns the bands that say when a fault was active: not those of a
// moment, nor a crash, which never ends.
func lasting(bands []band) []band {
	return slices.DeleteFunc(slices.Clone(bands), func(b band) bool { return b.moment })
}

// lanes puts bands that overlap into rows of their own, as few as it takes.
func lanes(bands []band) (row []int, rows int) {
	var ends []int64
	for _, b := range bands {
		r := slices.IndexFunc(ends, func(end int64) bool { return end < b.from })
		if r < 0 {
			r = len(ends)
			ends = append(ends, 0)
		}
		ends[r] = b.to + 1
		row = append(row, r)
	}
	return row, len(ends)
}

// shade draws behind everything how many faults were active.
func (c *chart) shade(window span, bands []band, top int) {
	type change struct {
		at int64
		by int
	}
	var changes []change
	for _, b := range lasting(bands) {
		if b.meets(window) {
			s := b.within(window)
			changes = append(changes, change{s.from, 1}, change{s.to, -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.by, a.by)) })
	active, since := 0, int64(0)
	for _, ch := range changes {
		level, next := min(active, 3), min(active+ch.by, 3)
		active += ch.by
		if level == next {
			continue
		}
		if level > 0 && ch.at > since {
			c.Bars = append(c.Bars, bar{
				X: window.percent(since), W: percent(float64(ch.at-since) / float64(window.length())),
				Y: top, H: c.Height - top, Class: fmt.Sprintf("band band%d", level),
			})
		}
		since = ch.at
	}
}

// activeAt lists the faults that were active at some point of the span.
func activeAt(bands []band, s span) []string {
	var list []string
	for i := range bands {
		if b := &bands[i]; b.from <= s.to && b.to >= s.from {
			list = append(list, b.what())
		}
	}
	return list
}
