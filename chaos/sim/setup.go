package sim

import (
	"slices"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// setUp makes the world of a plan. It returns false where the cluster could not
// even be bootstrapped, which is a broken run.
func (r *run) setUp(p *scenario.Plan, narrate func(string)) bool {
	r.clear()
	r.plan, r.narrate, r.sim = p, narrate, p.Simulation
	if r.sim == nil {
		r.sim = ordinary(p)
	}
	r.p = quorum.Params{N: len(p.Nodes), NodeDeadline: p.NodeDeadline.D(), MaxTTL: p.TTL.D(), Drift: quorum.PPM(p.Drift)}
	r.keep = max(p.Retention.D(), 10*p.TTL.D())
	r.key = stream(mix(p.Seed + golden))
	r.names = p.Nodes
	r.guard = new(fencing.Guard)
	r.faultID = 0
	for i := range p.Faults {
		r.faultID = max(r.faultID, p.Faults[i].ID)
	}
	r.makeLocks()
	r.makeServers()
	if !r.bootstrap() {
		return false
	}
	for _, name := range p.Clients {
		r.makeClient(name)
	}
	for _, name := range p.StoryClients() {
		r.makeClient(name)
	}
	if len(p.Stories) > 0 {
		for _, c := range r.clients {
			r.warmUp(c)
		}
	}
	r.setBounds()
	r.planEverything()
	return true
}

// clear forgets the run before and keeps its memory.
func (r *run) clear() {
	old := r.pool
	if old.labels == nil {
		old.labels = map[string]*labels{}
	}
	for _, t := range old.tasks[:r.worked] {
		t.free, t.client, t.attempt = true, nil, nil
	}
	*r = run{
		pool: old, queue: queue{r.queue.heap[:0]}, keys: r.keys[:0], servers: r.servers[:0], behind: r.behind[:0], clients: r.clients[:0],
		routines: r.routines[:0], workers: r.workers[:0], stories: r.stories[:0], strikes: r.strikes[:0], watchers: r.watchers[:0],
		idle: r.idle[:0], idleTasks: r.idleTasks[:0], idleAttempts: r.idleAttempts[:0], outs: r.outs, wanted: r.wanted,
		lines: r.lines[:0], busy: r.busy, syncs: r.syncs, last: -1, dig: newDigest(),
	}
}

// ordinary is the world of a plan that says nothing about it.
func ordinary(p *scenario.Plan) *scenario.Simulation {
	return &scenario.Simulation{
		Latency: scenario.Band{Min: p.NodeDeadline / 100, Max: p.NodeDeadline / 25},
		Sample:  scenario.Band{Min: scenario.Duration(20 * time.Millisecond), Max: scenario.Duration(20 * time.Millisecond)},
	}
}

func (r *run) makeLocks() {
	add := func(name string, noHint bool) {
		if r.lockNamed(name) != nil {
			return
		}
		i := len(r.keys)
		if i == len(r.pool.locks) {
			r.pool.locks = append(r.pool.locks, new(lock))
		}
		l := r.pool.locks[i]
		names := l.names
		if len(names) != 1 || names[0] != name {
			names = []string{name}
		}
		*l = lock{index: i, name: name, names: names, noHint: noHint, ended: -1 << 62}
		r.keys = append(r.keys, l)
	}
	for _, k := range r.plan.Keys {
		add(k.Name, k.NoHint)
	}
	for i := range r.plan.Stories {
		add(r.plan.Stories[i].Key, true)
		for _, s := range r.plan.Stories[i].Steps {
			if s.Key != "" {
				add(s.Key, true)
			}
		}
	}
}

// makeServers makes one server for each name.
func (r *run) makeServers() {
	n := r.p.N
	r.busy, r.syncs = resize(r.busy, n), resize(r.syncs, n)
	for i, name := range r.plan.Nodes {
		setup := r.serverSetup(i)
		s := r.newServer(name)
		s.clock = clock{reads: epoch + int64(setup.Offset), rate: setup.Rate}
		s.persist = setup.Persist
		r.behind = append(r.behind, s)
		r.syncs[i] = setup.Persist == scenario.PersistEverysec || r.needsDisk(name)
		r.c1 = r.c1 || r.beyond(setup.Rate)
	}
}

// needsDisk tells whether some fault brings back an earlier memory of a node.
func (r *run) needsDisk(name string) bool {
	needs := func(k scenario.Kind, nodes []string) bool {
		return (k == scenario.LostSecond || k == scenario.Rollback) && slices.Contains(nodes, name)
	}
	for i := range r.plan.Faults {
		if f := &r.plan.Faults[i]; needs(f.Kind, f.Nodes) {
			return true
		}
	}
	for i := range r.plan.Stories {
		for j := range r.plan.Stories[i].Steps {
			if s := &r.plan.Stories[i].Steps[j]; needs(s.Kind, s.Nodes) {
				return true
			}
		}
	}
	return false
}

func (r *run) beyond(rate int64) bool {
	limit := r.plan.RateLimit()
	return rate > limit || rate < -limit
}

func (r *run) serverSetup(i int) (s scenario.Server) {
	if i < len(r.sim.Servers) {
		s = r.sim.Servers[i]
	}
	return s
}

func (r *run) clientSetup(name string) (c scenario.Clock) {
	for i := range r.sim.Clients {
		if r.sim.Clients[i].Client == name {
			return r.sim.Clients[i]
		}
	}
	return c
}

// bootstrap is the operator's part: the cluster is new, no lock was ever held
// and no token issued. It takes no time.
func (r *run) bootstrap() bool {
	b := quorum.NewBootstrap(r.p, quorum.NewCluster, r.names, "operator")
	out := r.effects()
	b.Start(0, out)
	r.atOnce(&b, 0, out, func(int, quorum.Reply) {})
	r.depth--
	for _, s := range r.behind {
		s.turned = s.state.Record("").Turned
	}
	for i := range out.Events {
		if out.Events[i].Kind == quorum.Bootstrapped {
			return true
		}
	}
	r.fell(Progress, "a new cluster could not be bootstrapped")
	return false
}

// atOnce answers all calls of a machine of admission without letting time pass.
func (r *run) atOnce(m quorum.Machine, now quorum.Time, out *quorum.Effects, heard func(node int, reply quorum.Reply)) {
	for i := 0; i < len(out.Calls); i++ { // an answer may lead to more calls
		c := out.Calls[i]
		call := script.Call{
			Op: script.Op(c.Op), Self: c.Node + 1, Cfg: c.Cfg, Inc: c.Inc, Nonce: c.Nonce, Renew: c.Renew, Mark: c.Mark,
			Floor: c.Floor, MaxTTL: r.p.MaxTTL, Keep: r.keep,
		}
		s := r.behind[c.Node]
		reply := quorum.Reply(s.state.Apply(&call, s.now(r)))
		heard(c.Node, reply)
		m.Reply(now, c.Ref, reply, out)
	}
}

// warmUp connects a client and lets it learn the cluster before the run begins,
// as live runs do: stories have no time for that.
func (r *run) warmUp(c *client) {
	tasks := r.tasks()
	c.members.Ask(tasks)
	out := r.effects()
	l := quorum.NewLearn(r.p, r.names, c.nonce())
	l.Start(c.now(), out)
	r.atOnce(&l, c.now(), out, func(node int, reply quorum.Reply) {
		c.links[node].up = true
		c.nodes[node].Learn(c.now(), c.now(), r.p.NodeDeadline, reply)
	})
	r.depth--
	for _, e := range out.Events {
		c.members.Note(c.now(), quorum.FromLearn, e, 0, tasks)
	}
	c.begun++
}

func (r *run) makeClient(name string) {
	i := len(r.clients)
	if i == len(r.pool.clients) {
		r.pool.clients = append(r.pool.clients, new(client))
	}
	c := r.pool.clients[i]
	links := c.links
	for j := range links { // what they hold may be of another run
		links[j] = link{fates: links[j].fates[:0], held: [2][]int32{links[j].held[0][:0], links[j].held[1][:0]}}
	}
	for len(links) < r.p.N {
		links = append(links, link{})
	}
	setup := r.clientSetup(name)
	*c = client{
		run: r, index: i, name: name, key: r.key.named(name), links: links[:r.p.N],
		clock: clock{reads: int64(time.Hour), rate: setup.Rate}, wall: clock{reads: epoch + int64(setup.Wall), rate: setup.Rate},
		members:  quorum.NewMembers(r.p, quorum.MembersOptions{NoRejoin: setup.NoRejoin, RecoverByClock: r.sim.Recover}),
		calls:    c.calls[:0],
		parked:   c.parked[:0],
		learners: c.learners[:0],
		rivals:   resize(c.rivals, len(r.keys)),
		waiting:  c.waiting[:0],
	}
	c.polls = chance(c.key.named("polls").at(0), pollers)
	for j := range c.links {
		c.links[j].server = r.behind[j]
	}
	r.c1 = r.c1 || r.beyond(setup.Rate)
	r.clients = append(r.clients, c)
}

// setBounds computes what liveness allows.
func (r *run) setBounds() {
	ttl := r.plan.TTL.D()
	r.bound = int64(2*float64(ttl)*(1+r.plan.Drift)) + int64(len(r.plan.Workers))*int64(r.longestHold()+time.Second)
	r.patience = r.bound + int64(time.Second)
}

// planEverything puts what is known beforehand into the queue.
func (r *run) planEverything() {
	for i := range r.plan.Faults {
		f := &r.plan.Faults[i]
		s := r.newStrike(*f, "")
		r.push(event{at: int64(f.At), kind: evFault, who: int32(s.index)})
	}
	foreign, loses := false, false
	for i := range r.plan.Workers {
		foreign = foreign || r.plan.Workers[i].Foreign
		r.startWorker(i)
	}
	for i := range r.plan.Faults {
		loses = loses || r.plan.Faults[i].Kind.LosesVote()
	}
	// Where nodes lose their memory, a client that knows nothing of admission
	// votes on them all the same: it is as if configured otherwise.
	r.c3 = foreign && loses
	for i := range r.plan.Stories {
		r.startStory(i)
	}
	if slices.Contains(r.syncs, true) {
		for i, s := range r.behind {
			if r.syncs[i] {
				r.save(s)
			}
		}
		r.push(event{at: syncEvery / 2, kind: evSync})
	}
	r.planSample()
	r.push(event{at: int64(r.plan.Duration), kind: evDone})
}

func (r *run) lockNamed(name string) *lock {
	for _, l := range r.keys {
		if l.name == name {
			return l
		}
	}
	return nil
}

func (r *run) clientNamed(name string) *client {
	for _, c := range r.clients {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (r *run) nodeNamed(name string) int { return slices.Index(r.plan.Nodes, name) }
