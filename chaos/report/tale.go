package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/quorumlock/quorumlock/linearizability"
)

// maxSteps is how many steps of a tale are told; others than those of the
// counterexample make room for them.
const maxSteps = 40

// tale tells a counterexample.
type tale struct {
	Property string
	Meaning  string
	Blame    string
	Brief    []string // the whole in a few sentences
	Exact    string   // the checker's own sentence
	Active   []string // faults that were active meanwhile
	Steps    []step
	Omitted  int // steps left out
	Rows     []operation
	Chart    *chart
}

// step is one thing that happened.
type step struct {
	at      int64
	index   int
	keep    bool
	Time    string
	Text    string
	Class   string // "guilty" for the counterexample's own, "nodes" for what nodes showed
	Comment string
}

// operation is one line of the history in a table.
type operation struct {
	Line                               int // of the file, counted from 1
	Index                              int
	Time, Process, Type, F, Key        string
	Client, Hold, Token, Until, Detail string
}

// tell builds the tale of a property that fell.
func (f *facts) tell(p linearizability.PropertyVerdict) *tale {
	t := &tale{Property: string(p.Property), Meaning: meanings[p.Property], Blame: plain(p.Blame)}
	if p.Counterexample == nil {
		t.Exact = wordy(p.Reason)
		t.Brief = []string{t.Exact}
		return t
	}
	t.Exact = wordy(p.Counterexample.Story)
	key, window := "", span{linearizability.Never, 0}
	var guilty []int
	for _, i := range p.Counterexample.Indices {
		if i >= len(f.events) {
			continue
		}
		e := &f.events[i]
		guilty = append(guilty, i)
		t.Rows = append(t.Rows, row(e))
		if key == "" {
			key = e.Key
		}
		window.to = max(window.to, e.Time)
		if e.Type != linearizability.Invoke || e.F != linearizability.Acquire {
			window.from = min(window.from, e.Time)
		}
	}
	if len(guilty) == 0 {
		return t
	}
	if window.from > window.to {
		window.from = window.to
	}
	margin := max(window.length()/8, 5e6)
	window = span{max(0, window.from-margin), min(window.to+margin, f.all.to)}
	t.Active = activeAt(f.bands, window)
	moves := f.movements(key, window)
	t.steps(f, key, window, guilty, moves)
	t.Brief = f.brief(p, guilty, moves, key)
	if key != "" {
		t.Chart = f.closeUp(key, window)
	}
	return t
}

// row is a line of the history as a table shows it.
func row(e *linearizability.Event) operation {
	o := operation{Line: e.Index + 1, Index: e.Index, Time: at(e.Time), Process: e.Process.String(), Type: string(e.Type), F: plain(string(e.F)),
		Key: plain(e.Key), Client: plain(e.Value.Client), Hold: plain(e.Value.Hold), Detail: plain(e.Error)}
	if e.Value.Token != 0 {
		o.Token = e.Value.Token.String()
	}
	if e.Value.ValidUntil != nil {
		o.Until = at(*e.Value.ValidUntil)
	}
	if r := e.Value.Resource; r != "" {
		o.Detail = strings.TrimSpace(plain(string(r)) + " " + o.Detail)
		if e.Value.N != nil {
			o.Detail += fmt.Sprintf(" n = %d", *e.Value.N)
		}
	}
	if k := e.Value.Keys; k != nil {
		o.Detail = "samples from " + at(k.From) + " to " + at(k.To)
	}
	return o
}

// steps collects what happened in the window: the counterexample's own lines,
// what nodes showed, and what else went on at the key.
func (t *tale) steps(f *facts, key string, window span, guilty []int, moves []movement) {
	var list []step
	for i := range f.events {
		e := &f.events[i]
		own := slices.Contains(guilty, i)
		if !own && (e.Time < window.from || e.Time > window.to || !f.concerns(e, key)) {
			continue
		}
		s := step{at: e.Time, index: i, keep: own, Text: sentence(e)}
		if own {
			s.Class = "guilty"
		}
		list = append(list, s)
	}
	for _, m := range moves {
		s := step{at: m.to, index: m.index, Text: f.sentence(m), Class: "nodes"}
		if h := f.robbed(m); h != nil {
			s.keep = true
			s.Comment = fmt.Sprintf("Yet %s had not given it back, and its deadline is %s.", plain(h.Client), at(h.Deadline))
			s.Comment = strings.TrimSpace(s.Comment + " " + f.suspects(key, m, h))
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b step) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.index, b.index)) })
	t.Steps, t.Omitted = shorten(list)
	for i := range t.Steps {
		t.Steps[i].Time = at(t.Steps[i].at)
	}
}

// concerns tells whether a line belongs into a tale about key although it is no
// part of the counterexample.
func (f *facts) concerns(e *linearizability.Event, key string) bool {
	switch {
	case e.Value.Fault != nil:
		return true
	case e.Key != key || e.Value.Keys != nil || e.Value.Stall != nil:
		return false
	case e.F == linearizability.Acquire:
		return e.Type != linearizability.Invoke
	}
	return e.F == linearizability.Release || e.F == linearizability.LostHold || e.F == linearizability.Extend && e.Type == linearizability.OK
}

// shorten leaves out steps that need not be kept, the last ones first.
func shorten(list []step) (kept []step, omitted int) {
	room := maxSteps
	for _, s := range list {
		if s.keep {
			room--
		}
	}
	for _, s := range list {
		if !s.keep {
			if room <= 0 {
				omitted++
				continue
			}
			room--
		}
		kept = append(kept, s)
	}
	return kept, omitted
}

// brief tells the whole in a few sentences.
func (f *facts) brief(p linearizability.PropertyVerdict, guilty []int, moves []movement, key string) []string {
	var holds []*linearizability.Hold
	for _, i := range guilty {
		if h := f.byName[f.events[i].Value.Hold]; h != nil && h.Start == i {
			holds = append(holds, h)
		}
	}
	var told []string
	switch {
	case p.Property == linearizability.MutualExclusion && len(holds) == 2:
		told = bothHold(holds[0], holds[1])
	case p.Property == linearizability.TokenOrder && len(holds) == 2:
		told = tokensFall(holds[0], holds[1])
	default:
		told = []string{wordy(p.Counterexample.Story) + "."}
	}
	for _, m := range moves {
		if h := f.robbed(m); h != nil && f.offended[h.Hold] && 2*len(m.nodes()) > len(f.nodes) {
			s := fmt.Sprintf("The nodes show how: between %s and %s the key of %s vanished from %s, although %s had not given the lock back.",
				at(m.from), at(m.to), f.owner(m.before), plain(and(m.nodes())), plain(h.Client))
			return append(told, strings.TrimSpace(s+" "+f.suspects(key, m, h)))
		}
	}
	return told
}

func bothHold(a, b *linearizability.Hold) []string {
	both := span{max(a.StartTime, b.StartTime), min(a.EndTime, b.EndTime)}
	told := []string{
		fmt.Sprintf("%s was given the lock %s at %s. %s.", plain(a.Client), plain(a.Key), at(a.StartTime), ended(a)),
		fmt.Sprintf("Before that, at %s, %s was given the same lock. %s.", at(b.StartTime), plain(b.Client), ended(b)),
	}
	if both.to > both.from && both.to != linearizability.Never {
		told = append(told, fmt.Sprintf("So for %s two clients held one lock, and each believed to be alone.", long(both.length())))
	}
	return told
}

func ended(h *linearizability.Hold) string {
	switch h.EndedBy {
	case linearizability.EndedByRelease:
		return "It gave it back at " + at(h.EndTime)
	case linearizability.EndedByLoss:
		return "It was told at " + at(h.EndTime) + " that it had lost it"
	case linearizability.EndedByDeadline:
		return "It could count on it until " + at(h.EndTime)
	}
	return "It never gave it back"
}

func tokensFall(a, b *linearizability.Hold) []string {
	told := []string{
		fmt.Sprintf("%s was given the lock %s at %s with token %v.", plain(a.Client), plain(a.Key), at(a.StartTime), a.Token),
		fmt.Sprintf("%s was given it at %s with token %v.", plain(b.Client), at(b.StartTime), b.Token),
	}
	if a.Token == b.Token {
		return append(told, "The two tokens are the same, so a resource cannot tell a late write of the one from a write of the other: it cannot turn the stale one away.")
	}
	return append(told, fmt.Sprintf("%s asked only after %s had its answer, and yet its token is not the greater one: a resource that checks tokens refuses the rightful holder, or takes a stale one for it.",
		plain(b.Client), plain(a.Client)))
}

// closeUp draws what happened at one key: who waited and held, and whose key
// stood on which node.
func (f *facts) closeUp(key string, window span) *chart {
	c := &chart{Title: "Close-up of lock " + plain(key)}
	l := newLayout(c)
	var busy []string
	for _, client := range f.clients[key] {
		if slices.ContainsFunc(f.ops, func(op linearizability.Op) bool {
			return op.Client == client && op.Key == key && (span{op.Start, op.End}).meets(window)
		}) || slices.ContainsFunc(f.holds, func(h linearizability.Hold) bool {
			return h.Client == client && h.Key == key && (span{h.StartTime, h.EndTime}).meets(window)
		}) {
			busy = append(busy, client)
		}
	}
	if len(busy) > maxRowsPerKey {
		c.Hidden, busy = len(busy)-maxRowsPerKey, busy[:maxRowsPerKey]
	}
	l.head("clients")
	list := f.keyRows(l, key, busy, window)
	l.head("key on the nodes")
	for _, n := range f.nodes {
		list = append(list, f.standing(n, l.row(n), key, window)...)
	}
	c.finish(l, f, window, list)
	return c
}

// standing shows whose id stood on the node at key, as far as samples tell.
func (f *facts) standing(node string, row int, key string, window span) []stretch {
	var list []stretch
	last := "" // the id that the last stretch is about
	for i := range f.events {
		k := f.events[i].Value.Keys
		if k == nil || k.To < window.from || k.From > window.to || !answered(k.Nodes[node]) {
			continue
		}
		id := k.Nodes[node].Keys[key]
		if n := len(list) - 1; n >= 0 && last != "" {
			list[n].to = max(list[n].to, k.From)
		}
		if id != "" && id != last {
			s := stretch{span: span{k.To, k.To + 1}, row: row, class: "stands", full: "the key of " + f.owner(id) + ", first seen at " + at(k.To)}
			if h := f.byID[id]; h != nil {
				s.text = plain(h.Hold)
				if f.offended[h.Hold] {
					s.class, s.whole = "stands offends", true
				}
			}
			list = append(list, s)
		}
		last = id
	}
	return list
}
