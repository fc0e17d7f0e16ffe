package quorum_test

import (
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// cluster is five nodes in memory that answer at once, in the order of the
// calls: next to nothing is measured besides machines and nodes.
type cluster struct {
	p     quorum.Params
	cfg   string
	nodes []redlocktest.State
	now   quorum.Time
	out   quorum.Effects
	queue []quorum.Call
	call  script.Call // what all calls have in common, overwritten by each
}

func newCluster(t testing.TB, prefix string) *cluster {
	w := newWorld(5, 10*time.Second)
	m := quorum.NewBootstrap(w.p, quorum.NewCluster, w.names, "boot")
	c := &cluster{p: w.p, now: quorum.Time(time.Second), call: script.Call{Prefix: prefix, MaxTTL: w.p.MaxTTL, Keep: 24 * time.Hour}}
	for range w.p.N {
		c.nodes = append(c.nodes, redlocktest.NewState(w.incarnation()))
	}
	m.Start(c.now, &c.out)
	if c.drain(&m, func(e quorum.Event) { c.cfg = e.Cfg }); c.cfg == "" {
		t.Fatal("the cluster could not be bootstrapped")
	}
	c.call.Names = []string{"orders"}
	return c
}

// drain executes all calls, in order, until no more are made.
func (c *cluster) drain(m quorum.Machine, told func(quorum.Event)) {
	c.queue = append(c.queue[:0], c.out.Calls...)
	for i := 0; ; i++ {
		for _, e := range c.out.Events {
			told(e)
		}
		if i == len(c.queue) {
			return
		}
		c.out.Reset()
		m.Reply(c.now, c.queue[i].Ref, c.execute(&c.queue[i]), &c.out)
		c.queue = append(c.queue, c.out.Calls...)
		c.now += 1000
	}
}

func (c *cluster) execute(q *quorum.Call) quorum.Reply {
	s := &c.call
	s.Op, s.ID, s.Cfg, s.Self, s.TTL, s.Hint = script.Op(q.Op), q.ID, q.Cfg, q.Node+1, q.TTL, q.Hint
	s.Token, s.Inc, s.Nonce, s.Renew, s.Mark, s.Floor = q.Token, q.Inc, q.Nonce, q.Renew, q.Mark, q.Floor
	s.Static, s.Index, s.K, s.Entry = q.Static, q.Index, q.K, q.Entry
	if s.NotAfter = 0; q.NotAfter != 0 {
		s.NotAfter = 1e15 + time.Duration(q.NotAfter).Microseconds()
	}
	return quorum.Reply(c.nodes[q.Node].Apply(s, 1e15+time.Duration(c.now).Microseconds()))
}

// cycle takes the lock, extends it if told so, releases it, and reports whether
// nothing is left of it.
func (c *cluster) cycle(h *quorum.Hold, id string, extend bool) (over bool) {
	told := func(e quorum.Event) { over = over || e.Kind == quorum.Over }
	*h = quorum.NewHold(c.p, quorum.Request{ID: id, Cfg: c.cfg, TTL: 10 * time.Second})
	c.out.Reset()
	h.Start(c.now, &c.out)
	c.drain(h, told)
	if extend {
		c.out.Reset()
		h.Extend(c.now, 10*time.Second, &c.out)
		c.drain(h, told)
	}
	c.out.Reset()
	h.Unlock(c.now, &c.out)
	c.drain(h, told)
	return over
}

var cycles = []struct {
	name, prefix string
	extend       bool
}{{"plain", "", false}, {"extend", "", true}, {"prefix", "lock:", false}}

// BenchmarkHoldCycle takes and releases a lock on five nodes: five ACQUIREs,
// five RELEASEs and all the answers; with an extension between; with keys below
// a prefix.
func BenchmarkHoldCycle(b *testing.B) {
	for _, bb := range cycles {
		b.Run(bb.name, func(b *testing.B) {
			c, h, ids := newCluster(b, bb.prefix), new(quorum.Hold), [2]string{"A", "B"}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if !c.cycle(h, ids[i%2], bb.extend) {
					b.Fatal("the hold is not over")
				}
			}
		})
	}
}

// TestHoldCycleDoesNotAllocate: what a simulator does ten million times, it must
// not pay the collector for.
func TestHoldCycleDoesNotAllocate(t *testing.T) {
	for _, tt := range cycles {
		c, h := newCluster(t, tt.prefix), new(quorum.Hold)
		if n := testing.AllocsPerRun(100, func() {
			if !c.cycle(h, "A", tt.extend) {
				t.Error("the hold is not over")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

// BenchmarkCanonical encodes the state of a held lock.
func BenchmarkCanonical(b *testing.B) {
	c := newCluster(b, "")
	h := quorum.NewHold(c.p, quorum.Request{ID: "A", Cfg: c.cfg, TTL: 10 * time.Second})
	c.out.Reset()
	h.Start(c.now, &c.out)
	c.drain(&h, func(quorum.Event) {})
	var code []byte
	b.ReportAllocs()
	for b.Loop() {
		code = quorum.Canonical(code[:0], &h)
	}
	b.ReportMetric(float64(len(code)), "bytes")
}
