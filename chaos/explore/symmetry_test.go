package explore

import (
	"fmt"
	"slices"
	"testing"
)

// small are scopes, or their beginnings, that together use every component.
func small() []Scope {
	rejoin := Scope{
		Name: "small-rejoin", Nodes: 3, TTL: 3, Attempts: extending(2), Victims: 1, Forgets: 1, Rejoiners: 1, MaxK: 1, Dies: true,
		CatchUps: true, Seconds: []int{0}, Restarts: 1, Retires: 1,
	}
	messages := Scope{
		Name: "small-messages", Nodes: 3, TTL: 3, Attempts: []Attempt{{Locks: "xy", Extends: 1}, {Locks: "x", Hints: []uint64{0, 3}}, {Locks: "x"}},
		GiveUps: true, Unlocks: true, Stays: true, NoAnswer: true, Repeats: true, Apart: true, Turns: 1, Foreign: 1,
	}
	cleanUp := Scope{Name: "small-clean-up", Nodes: 3, TTL: 3, Attempts: asking(2), GiveUps: true, Unlocks: true, CleansUp: true}
	return []Scope{rejoin, messages, cleanUp}
}

// visit explores the first states of a scope.
func visit(t *testing.T, s Scope, limit int) *search {
	t.Helper()
	x, err := newSearch(&s, Options{Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	if x.run(t.Context(), limit); x.bad != none {
		t.Fatalf("%s: %v", s.Name, x.res.Violation)
	}
	return x
}

// compose is the symmetry that is g and then h.
func (w *world) compose(t *testing.T, g, h int) int {
	then := func(a, b []int) []int {
		c := make([]int, len(a))
		for i := range a {
			c[i] = b[a[i]]
		}
		return c
	}
	node, attempt := then(w.group[g].node, w.group[h].node), then(w.group[g].attempt, w.group[h].attempt)
	i := slices.IndexFunc(w.group, func(s symmetry) bool { return slices.Equal(s.node, node) && slices.Equal(s.attempt, attempt) })
	if i < 0 {
		t.Fatalf("%d and then %d is no symmetry", g, h)
	}
	return i
}

// TestSymmetriesAreAGroup: the image of an image is the image under both
// symmetries, for every component, and the identity changes nothing. Without
// that two images of a state could get two representatives.
func TestSymmetriesAreAGroup(t *testing.T) {
	for _, s := range small() {
		w := visit(t, s, 3000).w
		for name, c := range map[string]struct {
			n     int
			image func(uint32, int) uint32
		}{"server": {len(w.servers.values), w.relabelServer}, "actor": {len(w.actors.values), w.relabelActor}} {
			for id := range uint32(c.n) {
				for g := range w.group {
					a := c.image(id, g)
					if g == 0 && a != id {
						t.Fatalf("%s: the identity makes %s %d to %d", s.Name, name, id, a)
					}
					for h := range w.group {
						if got, want := c.image(a, h), c.image(id, w.compose(t, g, h)); got != want {
							t.Fatalf("%s: %s %d under %d and then %d is %d, under both %d", s.Name, name, id, g, h, got, want)
						}
					}
				}
			}
		}
	}
}

// TestSymmetricStatesHaveSymmetricFutures: the steps of a state's image lead to
// images of where its own steps lead, and break the same. That is what makes it
// enough to explore one of them.
func TestSymmetricStatesHaveSymmetricFutures(t *testing.T) {
	for _, s := range small() {
		x := visit(t, s, 3000)
		w, canon := x.w, make([]uint32, x.w.width)
		future := func(state []uint32) map[string]int {
			f := map[string]int{}
			w.steps(state, func(_ step, next []uint32, bad violation) {
				w.canonical(next, canon)
				f[fmt.Sprint(canon, bad)]++
			})
			return f
		}
		image := make([]uint32, w.width)
		for i := 0; i < x.seen.n; i += 7 {
			state := slices.Clone(x.seen.at(i))
			want := future(state)
			for g := range w.group {
				for p := range image {
					image[p] = w.image(state, g, p)
				}
				if got := future(image); !equalFutures(got, want) {
					t.Fatalf("%s: state %d has %d different futures, its image under %v %d", s.Name, i, len(want), w.group[g], len(got))
				}
			}
		}
	}
}

func equalFutures(a, b map[string]int) bool {
	for k := range a {
		if b[k] == 0 {
			return false
		}
	}
	return len(a) == len(b)
}

// TestReducedCountFits explores a scope with and without its symmetries: the
// states that stand for others must stand for exactly those that there are.
func TestReducedCountFits(t *testing.T) {
	s := Scope{
		Name: "fits", Nodes: 3, TTL: 3, Attempts: extending(2), GiveUps: true, Unlocks: true,
	}
	x := visit(t, s, 0)
	all, err := newSearch(&s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	group := all.w.group
	all.w.group = group[:1]
	all.run(t.Context(), 0)
	if !x.res.Complete || !all.res.Complete {
		t.Fatalf("not explored to the end: %+v, %+v", x.res, all.res)
	}
	orbits := 0
	image := make([]uint32, x.w.width)
	for i := range x.seen.n {
		images := map[string]bool{}
		for g := range x.w.group {
			for p := range image {
				image[p] = x.w.image(x.seen.at(i), g, p)
			}
			images[fmt.Sprint(image)] = true
		}
		orbits += len(images)
	}
	if orbits != all.seen.n {
		t.Errorf("%d states stand for %d, but there are %d", x.seen.n, orbits, all.seen.n)
	}
	if x.res.Depth != all.res.Depth {
		t.Errorf("depth %d with symmetries, %d without", x.res.Depth, all.res.Depth)
	}
}
