package explore

import (
	"math/bits"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// What a redsync client sends, as ops beside those of the protocol.
const (
	opSetNX quorum.Op = 100 + iota
	opDelIf
)

// redsync is a foreign client that locks x once, as redsync does: SET NX on
// every node, a majority wins, and the lock is its own until its ttl has
// passed. It takes no token, and asks no node whether it may vote.
type redsync struct {
	got, lost uint16 // bits of the nodes that said yes and no
	age       int    // ticks since it began
}

// foreignID is the value that a foreign client leaves at a lock.
const foreignID = "redsync"

// start sends SET NX to all nodes.
func (f *redsync) start(w *world) {
	for i := range w.p.N {
		w.out.Calls = append(w.out.Calls, quorum.Call{Ref: quorum.Ref{Node: i, Op: opSetNX}, ID: foreignID, TTL: w.p.MaxTTL})
	}
}

func (f *redsync) reply(node int, r quorum.Reply) {
	if r.Code == quorum.OK {
		f.got |= 1 << node
	} else {
		f.lost |= 1 << node
	}
}

// expired reports whether nothing of its validity is left.
func (f *redsync) expired(w *world) bool { return 2*f.age > w.scope.TTL }

func (f *redsync) holds(w *world) bool {
	return bits.OnesCount16(f.got) >= w.p.Quorum() && !f.expired(w)
}

// ended reports whether it has lost, or held the lock for as long as it may.
func (f *redsync) ended(w *world) bool {
	return f.expired(w) || bits.OnesCount16(f.lost) > w.p.N-w.p.Quorum()
}

func (f *redsync) relabel(n int, l quorum.Labels) {
	got, lost := f.got, f.lost
	f.got, f.lost = 0, 0
	for i := range n {
		f.got |= got >> i & 1 << l.Node(i)
		f.lost |= lost >> i & 1 << l.Node(i)
	}
}

// foreignCall executes a foreign client's command on a node.
func foreignCall(s *server, c quorum.Call) script.Reply {
	ok := false
	switch c.Op {
	case opSetNX:
		ok = s.state.SetNX(lockNames[0], c.ID, c.TTL.Milliseconds(), s.now())
	case opDelIf:
		ok = s.state.DelIf(lockNames[0], c.ID, s.now())
	}
	return script.Reply{Code: int(flag(ok))}
}
