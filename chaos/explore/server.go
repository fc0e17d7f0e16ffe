package explore

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// Every clock stands still while the explorer looks at a state: nodes' at
// nodeNow, clients' at now. Time passes by moving what they remember.
const (
	now     = quorum.Time(1) << 50
	nodeNow = int64(1_000_000_000_000_000) // Unix µs
	prefix  = ""                           // the nodes' keys have none
)

// foreignKey stands for a redsync client's value at a lock, in server.key.
const foreignKey = 0xff

// server is one Redis server with what the checks must remember of it.
type server struct {
	state redlocktest.State
	slot  uint8
	live  bool // false for a second server that has not taken its name yet
	// draws counts the lives and nonces of the server. Its clock is ahead by so
	// many µs, because a clock moves on between two of them.
	draws uint8
	by    [maxLocks]uint8 // the attempt, 1-based, that the counter was assigned to last; 0 for none
	freed uint8           // bit i: a RELEASE of attempt i that keeps EXTENDs out was executed in this life

	// What follows is computed from the above.
	admitted bool
	self     int
	cfg      string
	config   uint32           // number of cfg
	counter  [maxLocks]uint64 // effective
	key      [maxLocks]uint8  // whose key stands: the attempt, 1-based
	images   []uint32         // number+1 under each symmetry; 0 while unknown
}

func (s *server) now() int64 { return nodeNow + int64(s.draws) }

var lockNames = [maxLocks]string{"x", "y"}

// attemptID is the id of an attempt, as nodes see it.
func attemptID(i int) string { return string(rune('A' + i)) }

// attemptOf is the 1-based attempt of an id, or 0.
func attemptOf(id string) uint8 {
	if len(id) == 1 && id[0] >= 'A' && id[0] < 'A'+maxAttempts {
		return id[0] - 'A' + 1
	}
	return 0
}

// addServer numbers a server.
func (w *world) addServer(s server) uint32 {
	b := append(w.buf[:0], s.slot, flag(s.live), s.draws, s.freed)
	b = append(b, s.by[:]...)
	b = s.state.Append(b, s.now())
	w.buf = b
	return w.servers.intern(b, func() server {
		w.look(&s)
		return s
	})
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// look computes what a server shows.
func (w *world) look(s *server) {
	r := s.state.Record(prefix)
	s.admitted, s.self, s.cfg = r.Admitted && s.live, r.Self, r.Cfg
	s.config = w.configs.id(s.cfg)
	for i, name := range lockNames {
		s.counter[i], s.key[i] = s.state.Counter(prefix, name), 0
		if v, ok := s.state.Get(name, s.now()); ok {
			if s.key[i] = attemptOf(v); s.key[i] == 0 {
				s.key[i] = foreignKey
			}
		}
	}
	s.images = make([]uint32, len(w.group))
}

// callKey is a call with the locks it is for: what goes to a node.
type callKey struct {
	call  quorum.Call
	locks uint8
}

// scriptCall is the call as the node sees it. Its not-after is exact, because
// the clocks run alike.
func (w *world) scriptCall(k callKey, s *server) script.Call {
	c := k.call
	sc := script.Call{
		Op: script.Op(c.Op), Prefix: prefix, Names: w.names[k.locks], ID: c.ID, Cfg: c.Cfg, Self: c.Node + 1, TTL: c.TTL, Hint: c.Hint,
		Token: c.Token, Inc: c.Inc, Nonce: c.Nonce, Renew: c.Renew, Mark: c.Mark, Floor: c.Floor,
		MaxTTL: w.p.MaxTTL, Keep: 0, Static: c.Static, Index: c.Index, K: c.K, Entry: c.Entry,
	}
	if c.NotAfter != 0 && w.scope.CleansUp {
		sc.NotAfter = s.now() + c.NotAfter.Sub(now).Microseconds()
	}
	return sc
}

// exec lets a server execute a call; it returns the server and the answer's
// number, and what the answer violates.
func (w *world) exec(id, call uint32) (next, reply uint32, bad violation) {
	key := uint64(id)<<32 | uint64(call)
	if v, ok := w.execs.get(key); ok {
		return uint32(v), uint32(v >> 32 & 0xffffff), violation(v >> 56)
	}
	next, reply, bad = w.execute(id, call)
	w.execs.put(key, uint64(next)|uint64(reply)<<32|uint64(bad)<<56)
	return next, reply, bad
}

func (w *world) execute(id, call uint32) (next, reply uint32, bad violation) {
	old := w.servers.values[id]
	s, k := old, w.calls.values[call]
	s.state = old.state.Clone()
	nonce := s.state.Record(prefix).Nonce
	if k.call.Op >= opSetNX {
		r := foreignCall(&s, k.call)
		return w.addServer(s), w.replies.id(quorum.Reply(r)), none
	}
	sc := w.scriptCall(k, &s)
	r := s.state.Apply(&sc, s.now())
	if n := s.state.Record(prefix).Nonce; n != nonce && nonce != "" || k.call.Op == quorum.OpRetire && r.Code == script.OK {
		s.draws++ // the next nonce must be another
	}
	bad = w.judgeExec(&old, &s, k, r)
	return w.addServer(s), w.replies.id(quorum.Reply(r)), bad
}

// judgeExec judges I1, for each lock of a call: the counter never falls, and
// what is assigned lies above every earlier assignment to another attempt. As
// every earlier assignment is at most the counter, that means above the
// counter, or equal to it where it was assigned to nobody else; an EXTEND may
// find its token assigned to an attempt that came to nothing.
func (w *world) judgeExec(old, s *server, k callKey, r script.Reply) (bad violation) {
	me := attemptOf(k.call.ID)
	assigns := r.Code == script.OK || r.Code == script.Already && k.call.Op == quorum.OpExtend
	for i, name := range lockNames {
		after := s.state.Counter(prefix, name)
		if after < old.counter[i] {
			bad |= brokenI1
		}
		if k.locks>>i&1 == 0 || !assigns {
			continue
		}
		switch k.call.Op {
		case quorum.OpAcquire:
			if r.Token <= old.counter[i] {
				bad |= brokenI1
			}
			s.by[i] = me
		case quorum.OpRaise:
			if k.call.Token < old.counter[i] || k.call.Token == old.counter[i] && old.by[i] != me && old.by[i] != 0 {
				bad |= brokenI1
			}
			s.by[i] = me
		case quorum.OpExtend:
			if k.call.Token < old.counter[i] {
				bad |= brokenI1
			}
			if old.freed>>(me-1)&1 != 0 {
				bad |= orphan
			}
			s.by[i] = me
		case quorum.OpRelease:
			if after > old.counter[i] {
				s.by[i] = 0
			}
			if k.call.Token != 0 && s.admitted {
				s.freed |= 1 << (me - 1)
			}
		}
	}
	return bad
}

// incarnation is the replication id of a server's life.
func incarnation(slot, draws uint8) string {
	return "s" + strconv.Itoa(int(slot)) + "." + strconv.Itoa(int(draws))
}

// Ways in which a server may be troubled.
type trouble uint8

const (
	forgets  trouble = iota // FLUSHALL: the same incarnation
	restarts                // from an append-only file: another one, with its memory
	loses                   // without persistence
	takes                   // an empty server takes a name; the old one lives on
	retires
	ages  // its fences become due to turn
	leaps // its clock leaps ahead, and all its keys expire
	troubles
)

// troubled returns the server after a trouble, and whether that is possible.
func (w *world) troubled(id uint32, t trouble) (uint32, bool) {
	key := uint64(id)<<8 | uint64(t)
	if v, ok := w.troubleds.get(key); ok {
		return uint32(v), v>>32 != 0
	}
	s := w.servers.values[id]
	s.state = s.state.Clone()
	ok := s.live
	switch t {
	case forgets, loses:
		ok = ok && len(s.state.Dump(s.now())) > 0
		s.state.FlushAll()
		s.draws++
		s.by, s.freed = [maxLocks]uint8{}, 0
		if t == loses {
			s.state.Restart(incarnation(s.slot, s.draws))
		}
	case restarts:
		ok = ok && s.admitted
		s.draws++
		s.state.Restart(incarnation(s.slot, s.draws))
	case takes:
		ok, s.live = !s.live, true
	case retires:
		r := s.state.Apply(&script.Call{Op: script.Retire, Inc: s.state.Inc(), Nonce: s.state.Record(prefix).Nonce}, s.now())
		ok = ok && s.admitted && r.Code == script.OK
		s.draws++
	case ages:
		ok = ok && s.admitted && s.state.AgeFences(prefix, s.now())
	case leaps:
		ok = ok && s.key != [maxLocks]uint8{}
		s.state.Shift(w.p.MaxTTL+Tick, s.now(), nodeNow-1)
	}
	next := id
	if ok {
		next = w.addServer(s)
	}
	w.troubleds.put(key, uint64(next)|uint64(flag(ok))<<32)
	return next, ok
}

// serverTick lets time pass on a server.
func (w *world) serverTick(id uint32) uint32 {
	if int(id) < len(w.serverTicks) && w.serverTicks[id] != 0 {
		return w.serverTicks[id] - 1
	}
	s := w.servers.values[id]
	s.state = s.state.Clone()
	s.state.Shift(Tick, s.now(), nodeNow-1)
	next := w.addServer(s)
	for len(w.serverTicks) < len(w.servers.values) {
		w.serverTicks = append(w.serverTicks, 0)
	}
	w.serverTicks[id] = next + 1
	return next
}

// relabelServer is the server's image under a symmetry.
func (w *world) relabelServer(id uint32, g int) uint32 {
	if v := w.servers.values[id].images[g]; v != 0 {
		return v - 1
	}
	sym := &w.group[g]
	s := w.servers.values[id]
	s.state = s.state.Clone()
	s.state.Relabel(w.texts(g), func(self int) int { return sym.node[self-1] + 1 })
	s.slot = uint8(sym.server(int(s.slot), w.scope.Nodes))
	freed := uint8(0)
	for i := range maxLocks {
		if s.by[i] != 0 {
			s.by[i] = uint8(sym.attempt[s.by[i]-1] + 1)
		}
	}
	for i := range w.scope.Attempts {
		freed |= s.freed >> i & 1 << sym.attempt[i]
	}
	s.freed = freed
	image := w.addServer(s)
	w.servers.values[id].images[g] = image + 1
	return image
}

// relabelConfig permutes the view in a configuration.
func relabelConfig(text string, node []int) string {
	static, view, ok := strings.Cut(text, "|")
	if !ok {
		return text
	}
	entries := strings.Split(view, ".")
	moved := make([]string, len(entries))
	for i, e := range entries {
		moved[node[i]] = e
	}
	return static + "|" + strings.Join(moved, ".")
}

func appendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }
