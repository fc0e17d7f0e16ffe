package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorumlock/quorumlock/linearizability"
)

// movement is a change of what nodes hold at one lock, between two rounds of
// samples: all nodes on which one key was replaced or gone, or all on which a
// key came to stand where none was.
type movement struct {
	span   // of the sampling: it happened in between
	index  int
	before string              // the id that stood there; empty means no key
	then   map[string][]string // the id that stands there now, or none → nodes
}

// nodes lists those on which something changed.
func (m *movement) nodes() []string {
	var list []string
	for _, nodes := range m.then {
		list = append(list, nodes...)
	}
	slices.SortFunc(list, natural)
	return list
}

// movements returns the changes at the key that samples within the window show.
// A node that did not answer shows nothing.
func (f *facts) movements(key string, window span) []movement {
	var list []movement
	known, seen := map[string]string{}, map[string]int64{}
	for i := range f.events {
		k := f.events[i].Value.Keys
		if k == nil || k.To > window.to {
			continue
		}
		changed := map[string]*movement{}
		for _, n := range sorted(k.Nodes) {
			if !answered(k.Nodes[n]) {
				continue
			}
			id := k.Nodes[n].Keys[key]
			if before, ok := known[n]; ok && before != id {
				group := before
				if before == "" {
					group = " " + id // no id begins with a space
				}
				m := changed[group]
				if m == nil {
					m = &movement{span: span{seen[n], k.To}, index: i, before: before, then: map[string][]string{}}
					changed[group] = m
				}
				m.from = min(m.from, seen[n])
				m.then[id] = append(m.then[id], n)
			}
			known[n], seen[n] = id, k.From
		}
		for _, group := range sorted(changed) {
			if k.To >= window.from {
				list = append(list, *changed[group])
			}
		}
	}
	return list
}

// answered tells whether a node answered for certain: one that is listed
// without a vote and without keys may have been silent.
func answered(s linearizability.NodeSample) bool {
	return s.Admitted || len(s.Keys) > 0 || s.NoTTL != nil
}

// owner names whose id stands on a node.
func (f *facts) owner(id string) string {
	if h := f.byID[id]; h != nil {
		return plain(h.Client) + "'s hold " + plain(h.Hold)
	}
	return "an attempt that did not get the lock"
}

// robbed returns the hold that was still claimed when its key was seen to be
// gone, or nil.
func (f *facts) robbed(m movement) *linearizability.Hold {
	h := f.byID[m.before]
	if h == nil || h.StartTime > m.to || h.EndTime <= m.to {
		return nil
	}
	return h
}

// sentence tells a movement.
func (f *facts) sentence(m movement) string {
	var parts []string
	for _, id := range sorted(m.then) {
		on := plain(strings.Join(m.then[id], ", "))
		switch {
		case m.before == "":
			return fmt.Sprintf("On %s now stands the key of %s.", on, f.owner(id))
		case id == "":
			parts = append(parts, "nothing stands on "+on)
		default:
			parts = append(parts, fmt.Sprintf("that of %s stands on %s", f.owner(id), on))
		}
	}
	return fmt.Sprintf("The key of %s is gone from %s: now %s.", f.owner(m.before), plain(strings.Join(m.nodes(), ", ")), and(parts))
}

// suspects says what others had under way at the key at some time of m, or "".
func (f *facts) suspects(key string, m movement, victim *linearizability.Hold) string {
	doing := map[linearizability.F][]string{}
	for i := range f.ops {
		op := &f.ops[i]
		if op.Key == key && op.Start <= m.to && op.End >= m.from && op.Client != victim.Client {
			doing[op.F] = append(doing[op.F], op.Client)
		}
	}
	var list []string
	for _, d := range []struct {
		f    linearizability.F
		what string
	}{
		{linearizability.Acquire, "trying to acquire (an attempt that fails cleans up after itself)"},
		{linearizability.Extend, "asking for more time"},
		{linearizability.Release, "giving a hold back"},
	} {
		who := doing[d.f]
		slices.SortFunc(who, natural)
		if who = slices.Compact(who); len(who) > 0 {
			list = append(list, plain(and(who))+" "+d.what)
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "At this lock just then: " + strings.Join(list, "; ") + "."
}
