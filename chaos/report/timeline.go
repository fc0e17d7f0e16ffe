package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/quorumlock/quorumlock/linearizability"
)

// The measures of a timeline in pixels.
const (
	axisHeight = 18
	rowHeight  = 15
	barHeight  = 11
	gapHeight  = 12 // above a group of rows
)

// The most rows that a timeline has: more than anybody would read.
const (
	maxRows       = 150
	maxRowsPerKey = 20
)

// layout stacks rows.
type layout struct {
	c    *chart
	tops []int
	y    int
}

func newLayout(c *chart) *layout { return &layout{c: c, y: axisHeight + 4} }

// head begins a group of rows with a line of its own.
func (l *layout) head(text string) {
	l.y += gapHeight
	l.c.Names = append(l.c.Names, name{Y: l.y + barHeight - 1, Text: brief(text, 22), Full: plain(text), Class: "head"})
	l.y += rowHeight
}

// row adds a row and returns its number.
func (l *layout) row(text string) int {
	l.c.Names = append(l.c.Names, name{Y: l.y + barHeight - 1, Text: brief(text, 20), Full: plain(text), Class: "row"})
	l.tops = append(l.tops, l.y)
	l.y += rowHeight
	return len(l.tops) - 1
}

// facts is what the page needs of a history, found once.
type facts struct {
	events   []linearizability.Event
	ops      []linearizability.Op
	holds    []linearizability.Hold
	byID     map[string]*linearizability.Hold
	byName   map[string]*linearizability.Hold
	bands    []band
	all      span // the whole run
	nodes    []string
	keys     []string
	clients  map[string][]string // key → those that worked on it
	offended map[string]bool     // holds that a counterexample is about
}

func factsOf(res *Result, events []linearizability.Event) *facts {
	f := &facts{events: events, byID: map[string]*linearizability.Hold{}, byName: map[string]*linearizability.Hold{},
		clients: map[string][]string{}, offended: map[string]bool{}}
	if n := len(events); n > 0 {
		f.all.to = max(events[n-1].Time, 1)
	} else {
		f.all.to = 1
	}
	f.ops, f.holds = linearizability.Ops(events), linearizability.Holds(events)
	for i := range f.holds {
		h := &f.holds[i]
		f.byName[h.Hold] = h
		if h.ID != "" {
			f.byID[h.ID] = h
		}
	}
	f.bands = bandsOf(events, f.all.to)
	f.places()
	for _, i := range res.offending() {
		if i < len(events) && events[i].Value.Hold != "" {
			f.offended[events[i].Value.Hold] = true
		}
	}
	return f
}

// offending lists the lines that counterexamples to claimed properties name.
func (r *Result) offending() []int {
	var lines []int
	for _, p := range r.violated() {
		if p.Counterexample != nil {
			lines = append(lines, p.Counterexample.Indices...)
		}
	}
	return lines
}

// fencedMutex stands in the place of a property where a history is not one of a
// fenced mutex and yet no property fell. See linearizability.KeyOpinion.
const fencedMutex linearizability.Property = "fenced mutex"

// violated lists the claimed properties that fell.
func (r *Result) violated() []linearizability.PropertyVerdict {
	if r.Verdict == nil {
		return nil
	}
	list := slices.DeleteFunc(slices.Clone(r.Verdict.Properties), func(p linearizability.PropertyVerdict) bool {
		return !p.Claimed || p.Outcome != linearizability.Invalid
	})
	if len(list) > 0 || r.SecondOpinion == nil || r.Word != linearizability.WordViolated {
		return list
	}
	for _, k := range r.SecondOpinion.Beyond() {
		list = append(list, linearizability.PropertyVerdict{
			Property: fencedMutex, Outcome: linearizability.Invalid, Claimed: true, Blame: "the lock", Reason: k.Ours.Reason,
			Counterexample: &linearizability.Counterexample{Indices: k.Ours.Indices, Story: k.Ours.Reason},
		})
	}
	return list
}

// places collects the names of nodes, keys and of the clients of each key.
func (f *facts) places() {
	nodes, seen := map[string]bool{}, map[[2]string]bool{}
	for i := range f.events {
		if k := f.events[i].Value.Keys; k != nil {
			for n := range k.Nodes {
				nodes[n] = true
			}
		}
	}
	for n := range nodes {
		f.nodes = append(f.nodes, n)
	}
	for i := range f.ops {
		op := &f.ops[i]
		if pair := [2]string{op.Key, op.Client}; !seen[pair] {
			seen[pair] = true
			if len(f.clients[op.Key]) == 0 {
				f.keys = append(f.keys, op.Key)
			}
			f.clients[op.Key] = append(f.clients[op.Key], op.Client)
		}
	}
	slices.SortFunc(f.nodes, natural)
	slices.SortFunc(f.keys, natural)
	for _, list := range f.clients {
		slices.SortFunc(list, natural)
	}
}

// natural orders names so that c2 comes before c10.
func natural(a, b string) int {
	cut := func(s string) (string, int) {
		i := strings.LastIndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) + 1
		n, err := strconv.Atoi(s[i:])
		if err != nil {
			return s, -1
		}
		return s[:i], n
	}
	ta, na := cut(a)
	tb, nb := cut(b)
	if ta != tb {
		return strings.Compare(ta, tb)
	}
	if na != nb {
		return na - nb
	}
	return strings.Compare(a, b)
}

// timeline draws the whole run.
func (f *facts) timeline() *chart {
	c := &chart{Title: "Timeline of the run", Zoomed: true}
	l := newLayout(c)
	list := append(f.faultRows(l), f.nodeRows(l, f.all)...)
	for _, key := range f.keys {
		clients := f.clients[key]
		if room := min(maxRowsPerKey, maxRows-len(l.tops)); len(clients) > room {
			c.Hidden += len(clients) - max(0, room)
			clients = clients[:max(0, room)]
		}
		if len(clients) == 0 {
			continue
		}
		l.head("lock " + key)
		list = append(list, f.keyRows(l, key, clients, f.all)...)
	}
	c.finish(l, f, f.all, list)
	return c
}

// finish draws the stretches, and axis and faults behind them.
func (c *chart) finish(l *layout, f *facts, window span, list []stretch) {
	c.Height = l.y + 6
	c.shade(window, f.bands, axisHeight)
	c.axis(window)
	c.draw(window, list, l.tops, barHeight)
}

// faultRows shows each fault by itself.
func (f *facts) faultRows(l *layout) []stretch {
	if len(f.bands) == 0 {
		return nil
	}
	l.head("faults")
	row, rows := lanes(f.bands)
	first := len(l.tops)
	for range rows {
		l.row("")
	}
	var list []stretch
	for i := range f.bands {
		b := &f.bands[i]
		who := b.nodes
		if len(who) == 0 || len(b.clients) == 1 {
			who = b.clients
		}
		list = append(list, stretch{span: b.span, row: first + row[i], class: "fault", full: b.what(), text: plain(b.kind + " " + strings.Join(who, " "))})
	}
	return list
}

// nodeRows shows when each node was seen to have a vote, and what befell it.
func (f *facts) nodeRows(l *layout, window span) []stretch {
	if len(f.nodes) == 0 {
		return nil
	}
	l.head("nodes")
	var list []stretch
	for _, n := range f.nodes {
		row := l.row(n)
		list = append(list, f.votes(n, row, window)...)
		for i := range f.bands {
			if b := &f.bands[i]; slices.Contains(b.nodes, n) && len(b.clients) == 0 {
				list = append(list, stretch{span: b.span, row: row, class: "down", full: b.what(), text: plain(b.kind)})
			}
		}
	}
	return list
}

// votes are the times in which samples showed the node admitted, or not.
func (f *facts) votes(node string, row int, window span) []stretch {
	var list []stretch
	for i := range f.events {
		k := f.events[i].Value.Keys
		if k == nil || k.To < window.from || k.From > window.to {
			continue
		}
		class, text := "mute", "silent, or without a vote"
		if k.Nodes[node].Admitted {
			class, text = "vote", "has a vote"
		}
		if last := len(list) - 1; last >= 0 {
			list[last].to = max(list[last].to, k.To)
			if list[last].class == class {
				continue
			}
		}
		list = append(list, stretch{span: span{k.To, k.To}, row: row, class: class, text: ""})
		list[len(list)-1].full = plain(node) + " " + text
	}
	return list
}

// keyRows shows who waits for a key and who holds it, a row for each client.
func (f *facts) keyRows(l *layout, key string, clients []string, window span) []stretch {
	rows := map[string]int{}
	for _, client := range clients {
		rows[client] = l.row(client)
	}
	var list []stretch
	for i := range f.ops {
		op := &f.ops[i]
		row, ok := rows[op.Client]
		if !ok || op.F != linearizability.Acquire || op.Key != key {
			continue
		}
		s := stretch{span: span{op.Start, min(op.End, f.all.to)}, row: row, class: "wait"}
		s.full = fmt.Sprintf("%s waits for %s from %s", plain(op.Client), plain(key), at(op.Start))
		if op.Type != linearizability.OK {
			s.class = "vain"
			s.full += fmt.Sprintf("; in vain: %s", op.Type)
			if op.Return >= 0 {
				s.full += because(f.events[op.Return].Error)
			}
		}
		list = append(list, s)
	}
	for i := range f.holds {
		h := &f.holds[i]
		row, ok := rows[h.Client]
		if !ok || h.Key != key {
			continue
		}
		list = append(list, f.claim(h, row))
		if h.EndedBy != linearizability.EndedByRelease || f.offended[h.Hold] {
			if until := min(h.Deadline, f.all.to); until > h.StartTime {
				list = append(list, stretch{span: span{h.StartTime, until}, row: row, class: "until", full: "valid until " + at(h.Deadline), whole: f.offended[h.Hold]})
			}
		}
	}
	return list
}

// claim is the time for which a hold claims its lock.
func (f *facts) claim(h *linearizability.Hold, row int) stretch {
	end := min(h.EndTime, f.all.to)
	s := stretch{span: span{h.StartTime, max(end, h.StartTime)}, row: row, class: "hold", whole: f.offended[h.Hold]}
	if s.whole {
		s.class = "offender"
	}
	how := string(h.EndedBy)
	if how == "" {
		how = "nothing before the end of the history"
	}
	s.full = fmt.Sprintf("%s holds %s: hold %s, token %v, from %s to %s (ended by %s), valid until %s",
		plain(h.Client), plain(h.Key), plain(h.Hold), h.Token, at(h.StartTime), at(end), how, at(h.Deadline))
	if h.Token != 0 {
		s.text = h.Token.String()
	}
	return s
}
