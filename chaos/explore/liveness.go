package explore

import "github.com/quorumlock/quorumlock/redlock/quorum"

// judgeLiveness judges that a lock can be taken again once all attempts
// that began are over and every RELEASE of theirs has been executed wherever it has an effect:
// a fresh attempt, whose every call is answered at once, must win, provided
// that a majority of nodes votes under one configuration.
//
// That is liveness as far as it is finite. Whether an attempt among others ever
// wins depends on who asks when, which the explorer leaves open.
func (w *world) judgeLiveness(state []uint32) violation {
	servers := state[:w.nserver]
	for i := range w.nactor {
		a := &w.actors.values[state[w.nserver+i]]
		switch locks := w.kinds[i] == attempts || w.kinds[i] == foreigners; {
		case !locks || a.stage == idle:
			continue
		case a.stage == running:
			return none
		}
		if a.release.Op == 0 {
			continue
		}
		release := w.calls.id(callKey{a.release, w.locks[i]})
		for _, id := range servers {
			if next, _, _ := w.exec(id, release); next != id {
				return none
			}
		}
	}
	key := string(encode(servers))
	free, known := w.free[key]
	if !known {
		free = w.canBeTaken(servers)
		w.free[key] = free
	}
	if free {
		return none
	}
	return stuck
}

// encode is a map's key for numbers.
func encode(ids []uint32) []byte {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		b = append(b, byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
	}
	return b
}

// canBeTaken lets a fresh attempt ask for every lock of the scope, under each
// configuration that has a majority.
func (w *world) canBeTaken(servers []uint32) bool {
	locks := uint8(0)
	for _, l := range w.locks {
		locks |= l
	}
	for _, id := range servers {
		s := &w.servers.values[id]
		selves := uint16(0)
		var reached [maxServers]*server // by name
		for _, other := range servers {
			if o := &w.servers.values[other]; o.admitted && o.config == s.config && s.admitted {
				selves |= 1 << o.self
				reached[w.slotOf[o.slot]] = o
			}
		}
		if count(selves) >= w.p.Quorum() && !w.takes(reached, s.cfg, locks) {
			return false
		}
	}
	return true
}

func count(bits uint16) (n int) {
	for ; bits != 0; bits &= bits - 1 {
		n++
	}
	return n
}

// takes reports whether a fresh attempt wins on these servers.
func (w *world) takes(reached [maxServers]*server, cfg string, locks uint8) bool {
	h := quorum.NewHold(w.p, quorum.Request{ID: "fresh", Cfg: cfg, TTL: w.p.MaxTTL})
	var out quorum.Effects
	h.Start(now, &out)
	var nodes [maxServers]server
	for i, s := range reached {
		if s != nil {
			nodes[i] = *s
			nodes[i].state = s.state.Clone()
		}
	}
	for i := 0; i < len(out.Calls); i++ {
		c := out.Calls[i]
		if reached[c.Node] == nil {
			h.Fail(now, c.Ref, true, &out)
			continue
		}
		n := &nodes[c.Node]
		sc := w.scriptCall(callKey{c, locks}, n)
		h.Reply(now, c.Ref, quorum.Reply(n.state.Apply(&sc, n.now())), &out)
		if h.Phase() == quorum.Holding {
			return true
		}
	}
	return false
}
