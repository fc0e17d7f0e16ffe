package sim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
)

// meddled plays a plan without faults and meddles with the world after every
// event.
func meddled(t *testing.T, meddle func(r *run)) *Outcome {
	t.Helper()
	p, err := scenario.NewSimulated(scenario.SimOptions{Seed: 1, Nodes: 3, Clients: 2, Keys: 1, Faults: []scenario.Kind{}})
	if err != nil {
		t.Fatal(err)
	}
	r := &new(Runner).run
	defer r.stopRoutines()
	if !r.setUp(p, nil) {
		t.Fatal(r.broken)
	}
	for len(r.queue.heap) > 0 && !r.ended {
		e := r.queue.pop()
		r.now = e.at
		r.events++
		r.happen(e)
		meddle(r)
	}
	o, err := r.conclude()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A node that does what no correct node does breaks the invariant named for it.
func TestInvariantsFall(t *testing.T) {
	if o := meddled(t, func(*run) {}); o.Broken != nil || o.Acquired < 50 {
		t.Fatalf("without meddling: %v, %d acquires", o.Broken, o.Acquired)
	}
	var blank []redlocktest.State // admitted, and nothing assigned yet
	done := false
	once := func(r *run, do func()) {
		if !done && r.now > int64(300*time.Millisecond) && r.keys[0].top > 0 {
			done = true
			do()
		}
	}
	for _, c := range []struct {
		name      string
		invariant Invariant
		story     string
		meddle    func(r *run)
	}{
		{"a memory lost unseen", I1, "fell from", func(r *run) {
			once(r, func() { r.servers[0].state.FlushAll() })
		}},
		{"a token assigned twice", I1, "after token", func(r *run) {
			once(r, func() { r.servers[0].tops[0] = assigned{token: 1 << 52, id: "another"} })
		}},
		{"a win without votes", I2, "of 3 names assigned to it", func(r *run) {
			for _, a := range r.pool.attempts[:r.attempted] {
				if a.phase() == quorum.Asking {
					clear(a.assigned[:])
				}
			}
		}},
		{"admitted without a floor", I3, "stand below token", func(r *run) {
			if blank == nil {
				for _, s := range r.servers {
					blank = append(blank, s.state.Clone())
				}
			}
			once(r, func() {
				for i, s := range r.servers[:2] {
					s.state = blank[i]
					clear(s.counters)
					clear(s.tops)
					r.changed(s)
				}
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			done, blank = false, nil
			o := meddled(t, c.meddle)
			var broken *InvariantError
			if !errors.As(o.Broken, &broken) || broken.Invariant != c.invariant || !strings.Contains(broken.Error(), c.story) {
				t.Errorf("broken: %v", o.Broken)
			}
			if property, _ := o.Violation(); property == "" {
				t.Error("no violation is told")
			}
		})
	}
}

// restless is a machine that wants a step at once, always.
type restless struct{}

func (restless) Reply(quorum.Time, quorum.Ref, quorum.Reply, *quorum.Effects) {}
func (restless) Fail(quorum.Time, quorum.Ref, bool, *quorum.Effects)          {}
func (restless) Tick(quorum.Time, *quorum.Effects)                            {}
func (restless) Next() quorum.Time                                            { return 0 }

func TestNoProgress(t *testing.T) {
	p, err := scenario.NewSimulated(scenario.SimOptions{Seed: 1, Faults: []scenario.Kind{}})
	if err != nil {
		t.Fatal(err)
	}
	r := &new(Runner).run
	defer r.stopRoutines()
	r.setUp(p, nil)
	task := r.newTask(r.clients[0], jobLearn)
	task.machine = restless{}
	r.planTick(task)
	if err := r.loop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.broken == nil || r.broken.Invariant != Progress {
		t.Errorf("broken: %v", r.broken)
	}
}

// The two largest of a node's assignments are enough to know the largest of
// another attempt.
func TestAssigned(t *testing.T) {
	type one struct {
		id    string
		token uint64
	}
	s := stream(*seed)
	ids := []string{"a", "b", "c", "d"}
	for n := range uint64(2000) {
		var top assigned
		var all []one
		for i := range uint64(8) {
			x := s.sub(n).at(i)
			o := one{ids[x%4], x >> 8 % 6}
			top.note(o.id, o.token)
			all = append(all, o)
			for _, id := range ids {
				want := uint64(0)
				for _, o := range all {
					if o.id != id {
						want = max(want, o.token)
					}
				}
				if got := top.others(id); got != want {
					t.Fatalf("after %v, others than %s got %d at most, want %d", all, id, got, want)
				}
			}
		}
	}
}
