package linearizability

import (
	"math"
	"sort"
	"strings"
	"time"
)

// keyID is a lock's name and the id that stands at it.
type keyID struct{ key, id string }

// byKey returns the holds per key in the order of their acquires' returns.
func (h *history) byKey() map[string][]*Hold {
	if h.perKey == nil {
		h.perKey = map[string][]*Hold{}
		for i := range h.holds {
			h.perKey[h.holds[i].Key] = append(h.perKey[h.holds[i].Key], &h.holds[i])
		}
	}
	return h.perKey
}

// firstFrom returns the index of the first hold acquired at t or later.
func firstFrom(holds []*Hold, t int64) int {
	return sort.Search(len(holds), func(i int) bool { return holds[i].StartTime >= t })
}

// lastBlocked returns for each id the last sample in which it stood on so many
// nodes that the others were no majority, and when the last sample began.
func (h *history) lastBlocked() (last map[keyID]int, lastSample int64) {
	last = map[keyID]int{}
	lastSample = -1
	for _, i := range h.samples() {
		k := h.events[i].Value.Keys
		lastSample = k.From
		count := map[keyID]int{}
		for _, n := range k.Nodes {
			for key, id := range n.Keys {
				count[keyID{key, id}]++
			}
		}
		for at, n := range count {
			if n > len(k.Nodes)-h.quorum(k) {
				last[at] = i
			}
		}
	}
	return last, lastSample
}

// eternalKeys: no lock key is ever without a ttl.
func (h *history) eternalKeys() Clause {
	const name = "lock keys expire"
	judged := 0
	for _, i := range h.samples() {
		k := h.events[i].Value.Keys
		looked := false
		for _, node := range sortedNodes(k) {
			noTTL := k.Nodes[node].NoTTL
			looked = looked || noTTL != nil
			if len(noTTL) > 0 {
				return invalid(name, judged+1, []int{i}, "between %s and %s, node %s had lock keys that never expire: %s",
					at(k.From), at(k.To), node, strings.Join(noTTL, ", "))
			}
		}
		if looked {
			judged++
		}
	}
	if judged == 0 {
		return notJudged(name, "no sample says whether keys have a ttl")
	}
	return valid(name, judged, "%s, each key with a ttl", plural(judged, "sample"))
}

func sortedNodes(k *Keys) []string {
	names := make([]string, 0, len(k.Nodes))
	for name := range k.Nodes {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// leftovers: two node deadlines after heal, no node holds the id of a finished
// attempt of a live client.
//
// The ids of successful attempts are known. Those of failed ones are not, so an
// id that belongs to no hold is judged where nobody was trying to acquire the
// lock, nor had been just before, and nobody who died can have left it.
func (h *history) leftovers() Clause {
	const name = "nothing is left behind"
	pause := 2 * h.p.NodeDeadline
	switch {
	case h.p.TTL == 0 || h.p.NodeDeadline == 0:
		return notJudged(name, "the run's ttl and node deadline are not known")
	case h.p.TTL < 20*pause:
		return notJudged(name, "the ttl of %v is below 20 × two node deadlines (%v): keys would vanish by themselves", h.p.TTL, pause)
	}
	due, known := h.finished(pause)
	strangers := h.newStrangers(pause)
	judged := 0
	for _, i := range h.samples() {
		k := h.events[i].Value.Keys
		if k.From < h.healed+int64(pause) {
			continue
		}
		judged++
		for _, node := range sortedNodes(k) {
			for _, key := range sortedKeys(k.Nodes[node].Keys) {
				id := k.Nodes[node].Keys[key]
				if f, ok := due[keyID{key, id}]; ok && k.From >= f.at && !h.away.goneMeets(f.hold.Client, f.since, k.From) {
					return invalid(name, judged, []int{f.hold.Start, f.line, i},
						"%s was over at %s; between %s and %s its id %q still stood on node %s, which should have been clean from %s",
						f.hold.who(), at(h.events[f.line].Time), at(k.From), at(k.To), id, node, at(f.at))
				}
				if !known[id] && strangers.mustNotBe(key, k) {
					return invalid(name, judged, []int{i},
						"between %s and %s, node %s had id %q at %q, which belongs to no hold, while nobody was acquiring that lock nor had been for %v",
						at(k.From), at(k.To), node, id, key, pause)
				}
			}
		}
	}
	if judged == 0 {
		return notJudged(name, "no sample was taken later than two node deadlines (%v) after heal", pause)
	}
	return valid(name, judged, "%s after heal, none with an id that should be gone", plural(judged, "sample"))
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// finish is the end of a hold, and from when on no node may have its id.
type finish struct {
	hold  *Hold
	line  int   // in which it was over
	since int64 // when clean-up could begin, ns
	at    int64 // when it must be done, ns
}

// finished returns the holds that are over, by their ids, and all ids that
// belong to holds.
func (h *history) finished(pause time.Duration) (due map[keyID]finish, known map[string]bool) {
	due, known = map[keyID]finish{}, map[string]bool{}
	released := map[int]int{} // invocation of a release → its return
	for i := range h.ops {
		if h.ops[i].F == Release {
			released[h.ops[i].Invoke] = h.ops[i].Return
		}
	}
	for i := range h.holds {
		c := &h.holds[i]
		if c.ID == "" {
			continue
		}
		known[c.ID] = true
		line := c.Lost
		if c.Released >= 0 {
			if r := released[c.Released]; r >= 0 && (line < 0 || r < line) {
				line = r
			}
		}
		if line < 0 {
			continue
		}
		since := max(h.events[line].Time, h.healed)
		due[keyID{c.Key, c.ID}] = finish{c, line, since, h.away.after(c.Client, since, pause)}
	}
	return due, known
}

// strangers says when an id that belongs to no hold cannot be explained.
type strangers struct {
	trying map[string]*spans // key → when somebody acquired it or just had
	dead   map[string]int64  // key → until when a dead client's attempt may stand
}

func (h *history) newStrangers(pause time.Duration) *strangers {
	s := &strangers{trying: map[string]*spans{}, dead: map[string]int64{}}
	open := map[string][]interval{}
	for i := range h.ops {
		op := &h.ops[i]
		if op.F != Acquire {
			continue
		}
		end := min(op.End, h.end)
		open[op.Key] = append(open[op.Key], interval{op.Start, h.away.after(op.Client, max(end, h.healed), pause)})
		if op.Type == Info || h.away.crashedMeets(op.Client, op.Start, math.MaxInt64) {
			until := max(h.crashAfter(op), h.healed) + h.deadHolderBound()
			s.dead[op.Key] = max(s.dead[op.Key], until)
		}
	}
	for key, in := range open {
		s.trying[key] = newSpans(in)
	}
	return s
}

// crashAfter returns when op's client last died, if that is after op's end, or
// op's end.
func (h *history) crashAfter(op *Op) int64 {
	end := min(op.End, h.end)
	if c := h.away.crashes[op.Client]; len(c) > 0 {
		end = max(end, c[len(c)-1].lo)
	}
	return end
}

// mustNotBe tells whether an id at key that belongs to no hold has no excuse in
// the sample.
func (s *strangers) mustNotBe(key string, k *Keys) bool {
	if k.From < s.dead[key] {
		return false
	}
	trying := s.trying[key]
	return trying == nil || !trying.meets(k.From, k.To)
}
