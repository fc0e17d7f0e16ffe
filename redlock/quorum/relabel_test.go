package quorum_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"pgregory.net/rapid"
)

// shifted are the machines whose moments can be moved.
type shifted interface{ Shift(f quorum.Frame) }

// TestShiftMovesEveryMoment sets every field of type Time to a moment of its
// own and looks where Shift has moved it. Nodes beyond the cluster's have none.
func TestShiftMovesEveryMoment(t *testing.T) {
	frame := quorum.Frame{By: time.Second, Floor: 500, Horizon: quorum.Time(1 << 50)}
	for _, s := range states() {
		m, ok := s.(shifted)
		if !ok {
			continue
		}
		at := quorum.Time(1 << 40)
		want := map[string]quorum.Time{}
		v := reflect.ValueOf(s).Elem()
		eachLeaf(v, v.Type().Name(), func(path string, leaf reflect.Value) {
			if leaf.Type() == reflect.TypeFor[quorum.Time]() && !beyond(path) {
				at++
				leaf.SetInt(int64(at))
				want[path] = at.Add(-time.Second)
			}
		})
		m.Shift(frame)
		eachLeaf(v, v.Type().Name(), func(path string, leaf reflect.Value) {
			if w, ok := want[path]; ok && quorum.Time(leaf.Int()) != w {
				t.Errorf("%s was not moved: %d, want %d", path, leaf.Int(), w)
			}
		})
		if len(want) == 0 {
			t.Errorf("%T has no moments", s)
		}
	}
}

// beyond reports whether a path leads to a node that a cluster of three lacks.
func beyond(path string) bool {
	_, rest, ok := strings.Cut(path, "nodes[")
	return ok && rest[0] >= '3' || ok && rest[1] != ']'
}

func TestFrame(t *testing.T) {
	f := quorum.Frame{By: time.Second, Floor: 100, Horizon: 1_000_000_000_000}
	p := quorum.Params{N: 1, NodeDeadline: time.Second, MaxTTL: time.Second}
	for _, tt := range []struct {
		why      string
		at, want quorum.Time
	}{
		{"a moment moves", 5_000_000_000, 4_000_000_000},
		{"not below the floor", 200, 100},
		{"not from the horizon on", 1_000_000_000_000, 1_000_000_000_000},
		{"Never is for ever", quorum.Never, quorum.Never},
	} {
		j := quorum.NewRejoin(p, 0, quorum.Config{}, "n")
		j.StartAfter(tt.at, 0)
		if j.Shift(f); j.Next() != tt.want {
			t.Errorf("%s: %d was moved to %d, want %d", tt.why, tt.at, j.Next(), tt.want)
		}
	}
}

// twin is a hold, another one that should behave like it, and how the other's
// world is named.
type twin struct {
	t        *rapid.T
	one, two quorum.Hold
	now      quorum.Time
	by       time.Duration // the other's clock is behind by so much
	node     []int
	text     map[string]string
	air      [][2]quorum.Call // calls of the one with those of the other
	reasons  bool             // reasons are compared
	toEnd    bool             // what comes after the lease's end is compared
}

func newTwin(rt *rapid.T) *twin {
	d := newDrive(rt, 3)
	w := &twin{t: rt, one: *d.hold, now: d.now, node: []int{0, 1, 2}, text: map[string]string{}, reasons: true, toEnd: true}
	w.two = w.one
	for _, c := range d.air {
		w.air = append(w.air, [2]quorum.Call{c, c})
	}
	return w
}

func (w *twin) name(s string) string {
	if n, ok := w.text[s]; ok {
		return n
	}
	return s
}

// call is a call of the one in the other's words, but for its tag.
func (w *twin) call(c quorum.Call) quorum.Call {
	c.Node, c.ID, c.Cfg, c.Tag = w.node[c.Node], w.name(c.ID), w.name(c.Cfg), 0
	if c.NotAfter != 0 {
		c.NotAfter = c.NotAfter.Add(-w.by)
	}
	return c
}

func (w *twin) event(e quorum.Event) quorum.Event {
	if e.Kind >= quorum.NewView && e.Kind <= quorum.TookTooLate && e.Kind != quorum.TookRaise {
		e.Node = w.node[e.Node]
	}
	e.Cfg = w.name(e.Cfg)
	if e.Deadline != 0 {
		e.Deadline = e.Deadline.Add(-w.by)
	}
	return e
}

// step lets both take one random step, and compares what they do.
func (w *twin) step(d *drive) {
	w.now = w.now.Add(time.Duration(percent.Draw(w.t, "µs")) * 20 * time.Microsecond)
	now, before := w.now, w.now.Add(-w.by)
	var a, b quorum.Effects
	switch k := index.Draw(w.t, "step"); {
	case k < 24 && len(w.air) > 0:
		i := index.Draw(w.t, "call") % len(w.air)
		c, r := w.air[i], d.reply()
		w.air = slices.Delete(w.air, i, i+1)
		other := r
		other.Cfg = w.name(r.Cfg)
		if k < 22 {
			w.one.Reply(now, c[0].Ref, r, &a)
			w.two.Reply(before, c[1].Ref, other, &b)
		} else {
			w.one.Fail(now, c[0].Ref, k == 22, &a)
			w.two.Fail(before, c[1].Ref, k == 22, &b)
		}
	case k < 28:
		w.one.Extend(now, time.Second, &a)
		w.two.Extend(before, time.Second, &b)
	case k == 28:
		w.one.Unlock(now, &a)
		w.two.Unlock(before, &b)
	case k == 29:
		w.one.Cancel(now, &a)
		w.two.Cancel(before, &b)
	default:
		w.one.Tick(now, &a)
		w.two.Tick(before, &b)
	}
	w.compare(a, b)
}

func (w *twin) compare(a, b quorum.Effects) {
	if !w.toEnd && w.one.Phase() >= quorum.Releasing && w.two.Phase() >= quorum.Releasing {
		return
	}
	if w.one.Phase() != w.two.Phase() {
		w.t.Fatalf("one is in phase %d, the other in %d", w.one.Phase(), w.two.Phase())
	}
	byNode := func(x, y quorum.Call) int { return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Tag, y.Tag)) }
	var calls []quorum.Call
	for _, c := range a.Calls {
		m := w.call(c)
		m.Tag = c.Tag
		calls = append(calls, m)
	}
	slices.SortStableFunc(a.Calls, func(x, y quorum.Call) int {
		return cmp.Or(cmp.Compare(w.node[x.Node], w.node[y.Node]), cmp.Compare(x.Tag, y.Tag))
	})
	slices.SortStableFunc(calls, byNode)
	slices.SortStableFunc(b.Calls, byNode)
	if len(calls) != len(b.Calls) {
		w.t.Fatalf("one sends %+v, the other %+v", calls, b.Calls)
	}
	for i := range calls {
		x, y := calls[i], b.Calls[i]
		w.air = append(w.air, [2]quorum.Call{a.Calls[i], y})
		if x.Tag, y.Tag = 0, 0; x != y {
			w.t.Fatalf("one sends %+v, the other %+v", x, y)
		}
	}
	if x, y := w.events(a.Events, true), w.events(b.Events, false); !slices.Equal(x, y) {
		w.t.Fatalf("one tells %+v, the other %+v", x, y)
	}
}

// events are what was told, in an order that does not depend on how nodes are
// numbered, and without what the twins need not share.
func (w *twin) events(told []quorum.Event, translate bool) []string {
	var all []string
	for _, e := range told {
		if translate {
			e = w.event(e)
		}
		if !w.reasons {
			e.Reason, e.Round = 0, 0
			if e.Kind == quorum.TookSuperseded {
				continue // told once, and who was told is forgotten
			}
		}
		all = append(all, fmt.Sprintf("%+v", e))
	}
	slices.Sort(all)
	return all
}

// lockstep drives a hold for a while, lets change alter its twin, and drives
// both on.
func lockstep(t *testing.T, change func(w *twin)) {
	check(t, 2000, func(rt *rapid.T) {
		w := newTwin(rt)
		d := &drive{t: rt, p: quorum.Params{N: 3}, cfg: driveConfig()}
		for range index.Draw(rt, "before") {
			w.step(d)
		}
		change(w)
		for range 30 {
			w.step(d)
		}
	})
}

func driveConfig() quorum.Config {
	return quorum.Config{Static: quorum.NewStatic("c", []string{"n1", "n2", "n3"}, time.Second), View: quorum.View{N: 3}}
}

func TestShiftedHoldBehavesAlike(t *testing.T) {
	lockstep(t, func(w *twin) {
		w.by = time.Duration(1+index.Draw(w.t, "by")) * 10 * time.Millisecond
		w.two.Shift(quorum.Frame{By: w.by, Floor: 1, Horizon: quorum.Never})
	})
}

// TestClampedHoldBehavesAlike clamps what is longer ago than the longest time
// that a hold adds to a moment.
func TestClampedHoldBehavesAlike(t *testing.T) {
	lockstep(t, func(w *twin) {
		w.two.Shift(quorum.Frame{Floor: w.now.Add(-2 * time.Second), Horizon: quorum.Never})
	})
}

func TestRelabelledHoldBehavesAlike(t *testing.T) {
	lockstep(t, func(w *twin) {
		w.node = rapid.Permutation([]int{0, 1, 2}).Draw(w.t, "nodes")
		w.text = map[string]string{"A": "Z"}
		w.two.Relabel(quorum.Labels{Node: func(i int) int { return w.node[i] }, Text: w.name})
		old := w.air
		w.air = nil
		for _, c := range old {
			c[1] = w.call(c[0])
			c[1].Tag = c[0].Tag
			w.air = append(w.air, c)
		}
	})
}

func TestRetaggedHoldBehavesAlike(t *testing.T) {
	lockstep(t, func(w *twin) {
		var tags [3][]uint32
		note := func(node int, tag uint32) uint32 {
			tags[node] = append(tags[node], tag)
			return tag
		}
		w.two.Tags(0, note)
		for _, c := range w.air {
			note(c[1].Node, c[1].Tag)
		}
		rank := func(node int, tag uint32) uint32 {
			slices.Sort(tags[node])
			tags[node] = slices.Compact(tags[node])
			return uint32(slices.Index(tags[node], tag) + 1)
		}
		last := uint32(0)
		for _, c := range w.air {
			last = max(last, rank(c[1].Node, c[1].Tag))
		}
		w.two.Tags(last, rank)
		for i := range w.air {
			w.air[i][1].Tag = rank(w.air[i][1].Node, w.air[i][1].Tag)
		}
	})
}

func TestForgettingReasonsChangesNothingElse(t *testing.T) {
	lockstep(t, func(w *twin) {
		w.reasons = false
		w.two.ForgetReasons()
	})
}

func TestForgettingCleanUpChangesNothingBefore(t *testing.T) {
	lockstep(t, func(w *twin) {
		w.reasons, w.toEnd = false, false
		if w.one.Phase() >= quorum.Releasing {
			return
		}
		w.two.ForgetCleanUp(false)
	})
}

// TestAloneHoldForgetsAnswers: where no answer comes that the hold does not
// await, ForgetCleanUp(true) changes nothing either.
func TestAloneHoldForgetsAnswers(t *testing.T) {
	check(t, 2000, func(rt *rapid.T) {
		w := newTwin(rt)
		w.reasons, w.toEnd = false, false
		d := &drive{t: rt, p: quorum.Params{N: 3}, cfg: driveConfig()}
		for range 40 {
			w.air = slices.DeleteFunc(w.air, func(c [2]quorum.Call) bool { return !w.one.Awaits(c[0].Ref) })
			for _, c := range w.air {
				if !w.two.Awaits(c[1].Ref) {
					rt.Fatalf("the other does not await %+v", c[1])
				}
			}
			w.two.ForgetCleanUp(true)
			if w.step(d); w.one.Phase() >= quorum.Releasing {
				return
			}
		}
	})
}
