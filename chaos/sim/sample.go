package sim

import (
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// look is what a sample is made of, kept over runs.
type look struct {
	keys  linearizability.Keys
	nodes []map[string]string // per node
}

// sample looks at all nodes' lock keys at one moment, past the network.
func (r *run) sample() {
	if r.looked == len(r.pool.looks) {
		r.pool.looks = append(r.pool.looks, &look{keys: linearizability.Keys{Nodes: map[string]linearizability.NodeSample{}}})
	}
	l := r.pool.looks[r.looked]
	r.looked++
	clear(l.keys.Nodes)
	for len(l.nodes) < r.p.N {
		l.nodes = append(l.nodes, map[string]string{})
	}
	e := r.line(linearizability.Observer, linearizability.Info, linearizability.SampleKeys, "")
	e.Value.Keys = &l.keys
	l.keys.From, l.keys.To = e.Time, e.Time
	for i, s := range r.behind {
		if s.down || s.paused > 0 {
			l.keys.Nodes[r.plan.Nodes[i]] = linearizability.NodeSample{}
			continue
		}
		keys := l.nodes[i]
		clear(keys)
		// Of two servers behind one name the one that was admitted first may
		// still think that it votes.
		n := linearizability.NodeSample{Admitted: s.voter(i) && !r.outdated(i), Keys: keys, NoTTL: noKeys}
		now := s.now(r)
		for _, k := range r.keys {
			id, ttl, ok := s.state.Lock("", k.name, now)
			if !ok {
				continue
			}
			keys[k.name] = id
			if ttl < 0 {
				n.NoTTL = append([]string(nil), n.NoTTL...)
				n.NoTTL = append(n.NoTTL, k.name)
			}
		}
		l.keys.Nodes[r.plan.Nodes[i]] = n
	}
}

var noKeys = []string{}

// beforeTick looks at the nodes just before a lease ends by itself: the last
// moment at which a claim that lives too long can be seen.
func (r *run) beforeTick(a *attempt, now quorum.Time) {
	if a.claims && a.phase() == quorum.Holding && now >= a.deadline().Add(-quorum.LossMargin) {
		r.sample()
	}
}
