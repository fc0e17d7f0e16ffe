package explore

import "github.com/quorumlock/quorumlock/redlock/quorum"

// start lets an idle actor begin.
func (e *expansion) start(i int) {
	switch e.w.kinds[i] {
	case attempts:
		e.startAttempt(i)
	case rejoiners:
		e.startRejoin(i)
	case operators:
		e.startOperator(i)
	case foreigners:
		w := e.w
		w.out.Reset()
		a := actor{slot: uint8(i), stage: running}
		a.foreign.start(w)
		e.begin(i, a, 0)
	}
}

// begin puts an actor whose machine was started to work.
func (e *expansion) begin(i int, a actor, arg int) {
	w := e.w
	var eff effect
	w.take(&a, &eff)
	e.reset()
	next := w.addActor(a)
	if c, b, ok := e.apply(i, next, w.effects.id(eff)); ok {
		e.emit(step{kind: stepStart, actor: int8(i), arg: int32(arg)}, c, b)
	}
}

// configs calls f once for every configuration that an admitted server shows:
// what a client may know. s is the first such server.
func (e *expansion) eachConfig(f func(s int)) {
	var seen [maxServers]uint32
	n := 0
	for s := range e.w.nserver {
		v := &e.w.servers.values[e.from[s]]
		if !v.admitted {
			continue
		}
		known := false
		for _, c := range seen[:n] {
			known = known || c == v.config
		}
		if !known {
			seen[n] = v.config
			n++
			f(s)
		}
	}
}

func (e *expansion) startAttempt(i int) {
	w := e.w
	if w.scope.LateStart && e.unsettled() {
		return
	}
	hints := w.scope.Attempts[i].Hints
	if len(hints) == 0 {
		hints = []uint64{0}
	}
	e.eachConfig(func(s int) {
		for h, hint := range hints {
			a := actor{slot: uint8(i), stage: running, top: w.rests.values[e.from[w.width-1]].top}
			for l := range maxLocks {
				if w.locks[i]>>l&1 == 0 {
					a.top[l] = 0
				}
			}
			a.hold = quorum.NewHold(w.p, quorum.Request{
				ID: attemptID(i), Cfg: w.servers.values[e.from[s]].cfg, TTL: w.p.MaxTTL, Hint: hint,
			})
			w.out.Reset()
			a.hold.Start(now, &w.out)
			e.begin(i, a, s|h<<8)
		}
	})
}

// unsettled reports whether a rejoin is under way, or a server is empty.
func (e *expansion) unsettled() bool {
	w := e.w
	for i, k := range w.kinds {
		if k == rejoiners && w.actors.values[e.from[w.nserver+i]].stage != idle {
			return true
		}
	}
	for s := range w.nserver {
		if v := &w.servers.values[e.from[s]]; !v.admitted && v.live {
			return true
		}
	}
	return false
}

// startRejoin lets a client that knows some node's configuration rejoin any
// node that may not vote.
func (e *expansion) startRejoin(i int) {
	w := e.w
	for target := range w.scope.Victims {
		out := false
		for s := range w.nserver {
			v := &w.servers.values[e.from[s]]
			out = out || w.slotOf[s] == target && v.live && !v.admitted
		}
		if !out {
			continue
		}
		e.eachConfig(func(s int) {
			cfg, err := quorum.ParseConfig(w.servers.values[e.from[s]].cfg)
			if err != nil || cfg.View.Entries[target].K > w.scope.MaxK {
				return
			}
			a := actor{slot: uint8(i), stage: running}
			j := quorum.NewRejoin(w.p, target, cfg, "R"+string(rune('0'+i)))
			a.rejoin = &j
			w.out.Reset()
			a.rejoin.Start(now, &w.out)
			e.begin(i, a, s|target<<8)
		})
	}
}

func (e *expansion) startOperator(i int) {
	w := e.w
	mode := w.scope.Operators[i-len(w.scope.Attempts)-w.scope.Rejoiners]
	a := actor{slot: uint8(i), stage: running}
	b := quorum.NewBootstrap(w.p, mode, w.nodes, "O"+string(rune('0'+i)))
	a.bootstrap = &b
	w.out.Reset()
	a.bootstrap.Start(now, &w.out)
	e.begin(i, a, 0)
}
