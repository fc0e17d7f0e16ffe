package explore

import (
	"strconv"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// world is a scope being explored: the components that were met, numbered, and
// what each step of a component leads to. A state of the world is a tuple of
// numbers: the servers, the actors, and the rest.
type world struct {
	scope  *Scope
	p      quorum.Params
	frame  quorum.Frame
	nodes  []string
	cfg    string // under which all nodes are admitted at first
	kinds  []kind // of each actor slot
	locks  []uint8
	slotOf []int // the name of each server slot
	names  [1 << maxLocks][]string

	servers pool[server]
	actors  pool[actor]
	calls   interned[callKey]
	replies interned[quorum.Reply]
	configs interned[string]
	effects interned[effect]
	rests   interned[rest]

	execs, troubleds, acts, caughtUps memo
	serverTicks                       []uint32

	group   []symmetry
	textFns []func(string) string

	free map[string]bool // servers → whether their locks can be taken

	buf     []byte
	out     quorum.Effects
	nserver int
	nactor  int
	width   int
}

// rest is what belongs to no component: how often something happened, and the
// highest token that was handed out for each lock.
type rest struct {
	troubles [troubles]uint8
	top      [maxLocks]uint64
}

func newWorld(s *Scope) (*world, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	w := &world{
		scope: s, p: s.params(),
		servers: newPool[server](), actors: newPool[actor](),
		calls: newInterned[callKey](), replies: newInterned[quorum.Reply](), configs: newInterned[string](),
		effects: newInterned[effect](), rests: newInterned[rest](),
	}
	w.free = map[string]bool{}
	w.effects.id(effect{})
	w.configs.id("")
	for mask := range w.names {
		for i, name := range lockNames {
			if mask>>i&1 == 1 {
				w.names[mask] = append(w.names[mask], name)
			}
		}
	}
	w.frame = quorum.Frame{By: Tick, Floor: now.Add(-w.horizonBack()), Horizon: now.Add(unlimited / 2)}
	for i := range s.Nodes {
		w.nodes = append(w.nodes, "n"+strconv.Itoa(i+1))
		w.slotOf = append(w.slotOf, i)
	}
	w.slotOf = append(w.slotOf, s.Seconds...)
	w.cfg = quorum.Config{
		Static: quorum.NewStatic("c", w.nodes, w.p.MaxTTL), View: quorum.View{N: s.Nodes},
	}.String()
	for _, a := range s.Attempts {
		w.addSlot(attempts, lockMask(a.Locks))
	}
	for range s.Rejoiners {
		w.addSlot(rejoiners, 0)
	}
	for range s.Operators {
		w.addSlot(operators, 0)
	}
	for range s.Foreign {
		w.addSlot(foreigners, 1)
	}
	w.nserver, w.nactor = len(w.slotOf), len(w.kinds)
	w.width = w.nserver + w.nactor + 1
	w.makeGroup()
	return w, nil
}

func (w *world) addSlot(k kind, locks uint8) {
	w.kinds, w.locks = append(w.kinds, k), append(w.locks, locks)
}

func lockMask(names string) (mask uint8) {
	for i, name := range lockNames {
		for _, c := range names {
			if string(c) == name {
				mask |= 1 << i
			}
		}
	}
	return mask
}

// horizonBack is how far back a moment can still make a difference: the
// longest time that a machine adds to a moment in the past.
func (w *world) horizonBack() (d time.Duration) {
	d = w.p.Outlive(w.p.MaxTTL)
	if w.scope.CleansUp {
		d += 3 * w.p.NodeDeadline
	}
	return d
}

// initial is the state in which it begins: every node is admitted, but where
// the scope says that they are empty.
func (w *world) initial() []uint32 {
	t := make([]uint32, 0, w.width)
	for slot, name := range w.slotOf {
		s := server{slot: uint8(slot), live: slot < w.scope.Nodes}
		s.state = redlocktest.NewState(incarnation(s.slot, 0))
		if s.live && !w.scope.Empty {
			w.admit(&s.state, name)
		}
		t = append(t, w.addServer(s))
	}
	for slot := range w.kinds {
		t = append(t, w.addActor(actor{slot: uint8(slot)}))
	}
	return append(t, w.rests.id(rest{}))
}

// admit admits a node as a bootstrap of a new cluster does.
func (w *world) admit(s *redlocktest.State, node int) {
	for _, c := range []script.Call{
		{Op: script.Probe, Nonce: "boot"},
		{Op: script.Prepare, Mark: "c"},
		{Op: script.Admit, Mark: "c", Cfg: w.cfg, Self: node + 1, MaxTTL: w.p.MaxTTL},
	} {
		c.Inc, c.Prefix = s.Inc(), prefix
		if c.Op != script.Probe {
			c.Nonce = s.Record(prefix).Nonce
		}
		s.Apply(&c, nodeNow-1)
	}
}

// with counts one more trouble.
func (r rest) with(t trouble) rest {
	r.troubles[t]++
	return r
}
