package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/redlock/quorum"
)

// Strike is what became of one planned fault, of the plan's or of a story's.
type Strike struct {
	Fault     scenario.Fault
	Story     string        // empty for one of the plan's
	Confirmed bool          // it took effect
	Begin     time.Duration // true time since the run began
	End       time.Duration // zero for one of a moment, or that did not end
	Reason    string        // why it did not take effect
}

// strike is a fault of this run.
type strike struct {
	Strike
	index   int
	active  bool       // it is not over for the history
	hurting bool       // it is not healed
	hit     []*server  // the servers behind its nodes when it struck
	tellers []*routine // who waits for its end
}

// claims tells whether a fault keeps others from its nodes while it goes on.
func claims(k scenario.Kind) bool {
	return k.LosesVote() || k == scenario.SameServer || k == scenario.Freeze || k == scenario.Rollback
}

// newStrike enters a fault that is about to begin.
func (r *run) newStrike(f scenario.Fault, story string) *strike {
	s := &strike{Strike: Strike{Fault: f, Story: story}, index: len(r.strikes)}
	if f.ID == 0 {
		r.faultID++
		s.Fault.ID = r.faultID
	}
	r.strikes = append(r.strikes, s)
	return s
}

// strikeDue is the event of a planned fault: it strikes, or is put off where it
// would take too many votes or meets another on the same node.
func (r *run) strikeDue(s *strike) {
	if r.closing || s.active {
		return
	}
	if why := r.mayStrike(&s.Fault); why != "" {
		s.Reason = why
		if r.now-int64(s.Fault.At) < 3*int64(r.plan.TTL) {
			r.push(event{at: r.now + int64(r.plan.TTL/10), kind: evFault, who: int32(s.index)})
		}
		return
	}
	r.beginStrike(s)
	if s.Fault.For > 0 {
		r.push(event{at: min(r.now+int64(s.Fault.For), max(r.now, int64(r.plan.Duration))), kind: evHeal, who: int32(s.index)})
	} else {
		r.heal(s)
	}
}

// mayStrike says what keeps a fault from striking now, if so.
func (r *run) mayStrike(f *scenario.Fault) string {
	if f.Kind.OnClients() {
		for _, name := range f.Clients {
			if r.clientNamed(name).dead {
				return name + " has crashed"
			}
		}
		return ""
	}
	if !claims(f.Kind) {
		return ""
	}
	lost := 0
	for i, s := range r.behind {
		name := r.plan.Nodes[i]
		hit := slices.Contains(f.Nodes, name)
		if hit && r.busy[i] {
			return "postponed: " + name + " bears another fault"
		}
		if costs(f, name) || !s.voter(i) || r.outdated(i) {
			lost++
		}
	}
	if (f.Kind.LosesVote() || f.Kind == scenario.SameServer) && !f.Force && lost > r.p.N-r.p.Quorum() {
		return fmt.Sprintf("postponed: %d nodes would be without a vote, more than a majority can spare", lost)
	}
	return ""
}

// costs tells whether the fault takes a name's vote.
func costs(f *scenario.Fault, name string) bool {
	if f.Kind == scenario.SameServer {
		return f.Nodes[1] == name
	}
	return f.Kind.LosesVote() && slices.Contains(f.Nodes, name)
}

// outdated tells whether the server behind a name is about to lose its vote:
// another node knows of a newer life of that name. Two servers that were behind
// it may have been admitted in turn.
func (r *run) outdated(name int) bool {
	text := r.behind[name].state.Record("").Cfg
	own, err := quorum.ParseConfig(text)
	if err != nil {
		return false
	}
	for _, s := range r.behind {
		if s.state.Record("").Cfg == text {
			continue
		}
		other, err := quorum.ParseConfig(s.state.Record("").Cfg)
		if err == nil && s.admitted() && own.View.Join(other.View).Entries[name] != own.View.Entries[name] {
			return true
		}
	}
	return false
}

// beginStrike makes the fault happen and writes it down.
func (r *run) beginStrike(s *strike) {
	f := &s.Fault
	s.active, s.hurting, s.Confirmed, s.Begin, s.Reason = true, true, true, time.Duration(r.now), ""
	r.faulty++
	if r.narrate != nil {
		r.say("%s", describe(f))
	}
	r.meet(f)
	s.hit = s.hit[:0]
	r.eachNode(f, func(_ int, n *server) { s.hit = append(s.hit, n) })
	if claims(f.Kind) {
		r.eachNode(f, func(i int, _ *server) { r.busy[i] = true })
	}
	r.faultLine(s, linearizability.FaultBegin)
	switch {
	case f.Kind.OnLinks():
		r.eachLink(f, func(c *client, i int) { r.hurtLink(f, c, i) })
	case f.Kind.OnClients():
		for _, name := range f.Clients {
			r.hurtClient(f, r.clientNamed(name))
		}
	case f.Kind.OnClocks():
		r.hurtClocks(s)
	default:
		for j, n := range s.hit {
			r.hurtNode(s, r.nodeNamed(f.Nodes[j]), n)
		}
	}
	r.countVotes()
}

// heal undoes the fault. One that cost a vote is over only once the node has it
// back.
func (r *run) heal(s *strike) {
	if !s.hurting {
		return
	}
	f := &s.Fault
	s.hurting = false
	if r.narrate != nil && f.For > 0 {
		r.say("healed: %s", describe(f))
	}
	if claims(f.Kind) {
		r.eachNode(f, func(i int, _ *server) { r.busy[i] = false })
	}
	switch {
	case f.Kind.OnLinks():
		r.eachLink(f, func(c *client, i int) { r.healLink(f, c, i) })
	case f.Kind == scenario.FreezeClient:
		for _, name := range f.Clients {
			r.thaw(r.clientNamed(name))
		}
	case f.Kind.OnClocks():
		r.healClocks(s)
	case !f.Kind.OnClients():
		for j, n := range s.hit {
			r.healNode(s, r.nodeNamed(f.Nodes[j]), n)
		}
	}
	r.countVotes()
	r.settleStrike(s)
}

// settleStrike ends the fault in the history if its nodes may vote again.
func (r *run) settleStrike(s *strike) {
	if !s.active || s.hurting {
		return
	}
	if s.Fault.Kind.LosesVote() && r.anyOut(s.Fault.Nodes) {
		return
	}
	s.active = false
	r.faulty--
	s.End = time.Duration(r.now)
	if s.Fault.Kind != scenario.Crash {
		r.faultLine(s, linearizability.FaultEnd)
	}
	for _, t := range s.tellers {
		t.wake()
	}
}

// anyOut tells whether one of the nodes may not vote.
func (r *run) anyOut(names []string) bool {
	for _, name := range names {
		if !r.behind[r.nodeNamed(name)].admitted() {
			return true
		}
	}
	return false
}

// votesAreBack looks whether faults are over because their nodes may vote.
func (r *run) votesAreBack() {
	r.votesChanged = false
	for _, s := range r.strikes {
		r.settleStrike(s)
	}
	for _, t := range r.watchers {
		t.wake()
	}
	r.watchers = r.watchers[:0]
}

// faultLine writes the nemesis's line.
func (r *run) faultLine(s *strike, phase string) {
	f := &s.Fault
	e := r.line(linearizability.Nemesis, linearizability.Info, linearizability.F(f.Kind), "")
	v := &linearizability.Fault{ID: int64(f.ID), Phase: phase, Nodes: f.Nodes, Clients: f.Clients, Direction: string(f.Direction), Confirmed: true}
	if f.Kind.OnLinks() && phase == linearizability.FaultBegin {
		v.Links = make([][2]string, 0, len(f.Clients)*len(f.Nodes))
		for _, c := range f.Clients {
			for _, n := range f.Nodes {
				v.Links = append(v.Links, [2]string{c, n})
			}
		}
	}
	e.Value.Fault = v
}

func (r *run) eachNode(f *scenario.Fault, do func(i int, s *server)) {
	for _, name := range f.Nodes {
		i := r.nodeNamed(name)
		do(i, r.behind[i])
	}
}

func (r *run) eachLink(f *scenario.Fault, do func(c *client, i int)) {
	for _, c := range f.Clients {
		for _, n := range f.Nodes {
			do(r.clientNamed(c), r.nodeNamed(n))
		}
	}
}

// ways are the directions that a fault strikes.
func ways(f *scenario.Fault) (list []direction) {
	if f.Direction != scenario.Replies {
		list = append(list, requests)
	}
	if f.Direction != scenario.Requests {
		list = append(list, replies)
	}
	return list
}

func (r *run) hurtLink(f *scenario.Fault, c *client, i int) {
	l := &c.links[i]
	switch f.Kind {
	case scenario.CutNode, scenario.Partition:
		l.cut++
		return
	case scenario.Duplicate:
		l.twice++
		return
	case scenario.Reset:
		r.breakLink(c, i)
		return
	}
	for _, way := range ways(f) {
		switch f.Kind {
		case scenario.LoseRequests, scenario.LoseReplies:
			l.lost[way]++
		case scenario.Hold:
			l.holds[way]++
		case scenario.Delay:
			l.slow[way] += int64(f.Latency)
			l.jitter[way] += int64(f.Jitter)
		}
	}
}

func (r *run) healLink(f *scenario.Fault, c *client, i int) {
	l := &c.links[i]
	switch f.Kind {
	case scenario.CutNode, scenario.Partition:
		l.cut--
		return
	case scenario.Duplicate:
		l.twice--
		return
	}
	for _, way := range ways(f) {
		switch f.Kind {
		case scenario.LoseRequests, scenario.LoseReplies:
			l.lost[way]--
		case scenario.Hold:
			if l.holds[way]--; l.holds[way] == 0 {
				r.deliver(l, way)
			}
		case scenario.Delay:
			l.slow[way] -= int64(f.Latency)
			l.jitter[way] -= int64(f.Jitter)
		}
	}
}

func (r *run) hurtNode(s *strike, i int, n *server) {
	switch s.Fault.Kind {
	case scenario.Kill:
		r.stop(n)
		r.crashed(n)
	case scenario.Amnesia:
		r.stop(n)
		r.lose(n)
	case scenario.LostSecond:
		r.stop(n)
		r.load(n, r.now, false)
	case scenario.FlushAll:
		r.lose(n)
	case scenario.Freeze, scenario.PauseAll:
		n.paused++
	case scenario.Demote:
		n.state.Demote()
	case scenario.Attach:
		n.state.Restart(r.incarnation())
	case scenario.Replace:
		r.replace(s, i, n)
	case scenario.SameServer:
		if r.plan.Nodes[i] == s.Fault.Nodes[1] {
			r.lead(i, s.hit[0], nil)
		}
	case scenario.Rollback:
		r.c2 = true
		r.load(n, r.now-int64(s.Fault.By), true)
	}
}

func (r *run) healNode(s *strike, i int, n *server) {
	switch s.Fault.Kind {
	case scenario.Kill, scenario.Amnesia, scenario.LostSecond:
		r.boot(n)
	case scenario.Freeze, scenario.PauseAll:
		if n.paused--; n.paused == 0 {
			for _, f := range n.parked {
				r.push(event{at: r.now + 1, kind: evRequest, who: f})
			}
			n.parked = n.parked[:0]
		}
	case scenario.Demote:
		n.state.Restart(r.incarnation())
		r.changed(n)
	case scenario.Replace:
		r.lead(i, r.behind[i], nil)
		n.gone = true
	case scenario.SameServer:
		if r.plan.Nodes[i] == s.Fault.Nodes[1] {
			r.lead(i, n, nil)
			r.returned = max(r.returned, r.now+int64(r.p.Outlive(r.p.MaxTTL)))
		}
	}
}

// replace puts an empty server behind a name; some clients still reach the old.
func (r *run) replace(s *strike, i int, old *server) {
	fresh := r.newServer(old.label + "'")
	fresh.clock, fresh.persist = old.clock, old.persist
	r.lead(i, fresh, s.Fault.Clients)
}

// lead has a name lead to another server, for all clients but some.
func (r *run) lead(i int, to *server, but []string) {
	r.behind[i] = to
	for _, c := range r.clients {
		if c.links[i].server == to || slices.Contains(but, c.name) {
			continue
		}
		c.links[i].server = to
		r.breakLink(c, i)
	}
}

func (r *run) hurtClient(f *scenario.Fault, c *client) {
	switch f.Kind {
	case scenario.FreezeClient:
		c.frozen++
	case scenario.WallJump:
		c.wall.jump(r.now, int64(f.By))
		if r.clientSetup(c.name).ByWall {
			c.clock.jump(r.now, int64(f.By))
			r.rerate(c, c.clock.rate)
		}
	case scenario.Crash:
		r.crash(c)
	}
}

// thaw lets a client go on: what happened meanwhile reaches it now, in order.
func (r *run) thaw(c *client) {
	if c.frozen--; c.frozen > 0 {
		return
	}
	for _, e := range c.parked {
		e.at = r.now
		r.push(e)
	}
	c.parked = c.parked[:0]
}

// crash ends a client as a killed process ends: what it has sent arrives, and
// it sends nothing more.
func (r *run) crash(c *client) {
	c.dead = true
	for _, a := range r.pool.attempts[:r.attempted] {
		if a.client == c {
			r.unclaim(a)
		}
	}
	for _, w := range r.workers {
		if w.thread != nil && w.client == c {
			w.active = false
		}
	}
	r.left()
}

func (r *run) hurtClocks(s *strike) {
	f := &s.Fault
	for _, n := range s.hit {
		if f.Kind == scenario.ClockJump {
			r.c1 = true
			n.clock.jump(r.now, int64(f.By))
			continue
		}
		n.clock.run(r.now, f.Rate)
	}
	for _, name := range f.Clients {
		r.rerate(r.clientNamed(name), f.Rate)
	}
	r.c1 = r.c1 || r.beyond(f.Rate)
}

func (r *run) healClocks(s *strike) {
	f := &s.Fault
	if f.Kind == scenario.ClockJump {
		return
	}
	for j, n := range s.hit {
		n.clock.run(r.now, r.serverSetup(r.nodeNamed(f.Nodes[j])).Rate)
	}
	for _, name := range f.Clients {
		r.rerate(r.clientNamed(name), r.clientSetup(name).Rate)
	}
}

// rerate changes the rate of a client's clock: everything that was planned by
// it comes at another true time.
func (r *run) rerate(c *client, rate int64) {
	c.clock.run(r.now, rate)
	if c.dead {
		return
	}
	for _, t := range r.pool.tasks[:r.worked] {
		if !t.free && t.client == c {
			t.gen++ // the tick that was planned is void
			t.due = never
			r.planTick(t)
		}
	}
	for _, a := range r.pool.attempts[:r.attempted] {
		if a.client == c && !a.over {
			for _, l := range a.lines {
				if l.at > c.now() {
					*l.line = c.clock.when(int64(l.at))
				}
			}
		}
	}
	for _, t := range r.routines {
		if t.waits && t.client == c {
			t.timer()
		}
	}
	if c.armed {
		c.arm()
	}
}
