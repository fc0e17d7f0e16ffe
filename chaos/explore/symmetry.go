package explore

import "github.com/quorumlock/quorumlock/redlock/quorum"

// symmetry renames nodes and attempts. Two states of which one is the other
// renamed have the same future, so only one of them is explored.
//
// Nodes that may lose their memory keep their places: their incarnations,
// nonces and newcomers' ids are in configurations, and which of two ids is the
// larger one is a matter of their hash, which no renaming preserves. The other
// nodes never have any of these, and trade places freely; attempts do where
// they ask for the same locks in the same way.
type symmetry struct {
	node    []int // node i becomes node[i]
	attempt []int
	source  []int // position in the state's image → position in the state
}

// server is the slot that a server's slot becomes; servers behind a victim's
// name stay.
func (s *symmetry) server(slot, nodes int) int {
	if slot < nodes {
		return s.node[slot]
	}
	return slot
}

// makeGroup computes the symmetries of the scope; the first is the identity.
func (w *world) makeGroup() {
	fixed := w.scope.Victims
	if len(w.scope.Operators) > 0 {
		fixed = w.scope.Nodes // a boot mark is a hash over all nodes
	}
	same := func(i, j int) bool { return i == j || i >= fixed && j >= fixed }
	alike := func(i, j int) bool {
		a, b := w.scope.Attempts[i], w.scope.Attempts[j]
		return i == j || a.Locks == b.Locks && a.Extends == b.Extends && len(a.Hints) == 0 && len(b.Hints) == 0
	}
	for _, node := range permutations(w.scope.Nodes, same) {
		for _, attempt := range permutations(len(w.scope.Attempts), alike) {
			w.group = append(w.group, w.newSymmetry(node, attempt))
		}
	}
	for g := range w.group {
		w.textFns = append(w.textFns, w.renamer(&w.group[g]))
	}
}

func (w *world) newSymmetry(node, attempt []int) symmetry {
	s := symmetry{node: node, attempt: attempt, source: make([]int, w.width)}
	for i := range s.source {
		s.source[i] = i
	}
	for i, to := range node {
		s.source[to] = i
	}
	for i, to := range attempt {
		s.source[w.nserver+to] = w.nserver + i
	}
	return s
}

// permutations returns all permutations of 0…n−1 that map each i to a j for
// which may(i, j), the identity first.
func permutations(n int, may func(i, j int) bool) [][]int {
	var all [][]int
	p := make([]int, 0, n)
	used := make([]bool, n)
	var extend func()
	extend = func() {
		i := len(p)
		if i == n {
			all = append(all, append([]int(nil), p...))
			return
		}
		for j := range n {
			if used[j] || !may(i, j) {
				continue
			}
			used[j], p = true, append(p, j)
			extend()
			used[j], p = false, p[:i]
		}
	}
	extend()
	return all
}

// renamer maps the texts that nodes and machines keep: ids of attempts,
// incarnations of the nodes that trade places, and views.
func (w *world) renamer(s *symmetry) func(string) string {
	names := map[string]string{}
	for i, to := range s.attempt {
		names[attemptID(i)] = attemptID(to)
	}
	for i, to := range s.node {
		names[incarnation(uint8(i), 0)] = incarnation(uint8(to), 0)
	}
	cfgs := map[string]string{}
	return func(text string) string {
		if to, ok := names[text]; ok {
			return to
		}
		if to, ok := cfgs[text]; ok {
			return to
		}
		to := relabelConfig(text, s.node)
		cfgs[text] = to
		return to
	}
}

func (w *world) texts(g int) func(string) string { return w.textFns[g] }

func (w *world) labels(g int) quorum.Labels {
	node := w.group[g].node
	return quorum.Labels{Node: func(i int) int { return node[i] }, Text: w.textFns[g]}
}

// relabelActor is the actor's image under a symmetry.
func (w *world) relabelActor(id uint32, g int) uint32 {
	if v := w.actors.values[id].images[g]; v != 0 {
		return v - 1
	}
	l, sym := w.labels(g), &w.group[g]
	a := w.actors.values[id]
	if w.kinds[a.slot] == attempts {
		a.slot = uint8(sym.attempt[a.slot])
	}
	a.own()
	for i := range a.air {
		relabelCall(&a.air[i].call, l)
		a.air[i].reply.Cfg = l.Text(a.air[i].reply.Cfg)
		if a.air[i].reply.Self != 0 {
			a.air[i].reply.Self = l.Node(a.air[i].reply.Self-1) + 1
		}
	}
	if a.stage == running {
		switch w.kinds[a.slot] {
		case attempts:
			a.hold.Relabel(l)
			old := a.votes
			for i := range w.p.N {
				a.votes[l.Node(i)] = old[i]
			}
		case rejoiners:
			a.rejoin.Relabel(l)
		case foreigners:
			a.foreign.relabel(w.p.N, l)
		}
	}
	if a.stage == over {
		relabelCall(&a.release, l)
		a.release.Node = 0
	}
	image := w.addActor(a)
	w.actors.values[id].images[g] = image + 1
	return image
}

func relabelCall(c *quorum.Call, l quorum.Labels) {
	c.Node = l.Node(c.Node)
	c.ID, c.Cfg = l.Text(c.ID), l.Text(c.Cfg)
	if c.Index != 0 {
		c.Index = l.Node(c.Index-1) + 1
	}
}

// image returns the number at a position of the state's image under g.
func (w *world) image(state []uint32, g, position int) uint32 {
	from := state[w.group[g].source[position]]
	switch {
	case position < w.nserver:
		if v := w.servers.values[from].images[g]; v != 0 {
			return v - 1
		}
		return w.relabelServer(from, g)
	case position < w.nserver+w.nactor:
		if v := w.actors.values[from].images[g]; v != 0 {
			return v - 1
		}
		return w.relabelActor(from, g)
	}
	return from
}

// canonical writes to out the one state that stands for all images of state:
// the least of them.
func (w *world) canonical(state, out []uint32) {
	for i := range state {
		out[i] = w.image(state, 0, i)
	}
	for g := 1; g < len(w.group); g++ {
		for i := range state {
			v := w.image(state, g, i)
			if v > out[i] {
				break
			}
			if v < out[i] {
				out[i] = v
				for i++; i < len(state); i++ {
					out[i] = w.image(state, g, i)
				}
				break
			}
		}
	}
}
