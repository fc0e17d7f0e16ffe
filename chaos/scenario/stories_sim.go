package scenario

import (
	"slices"
	"time"
)

// simStory is a directed story that only a simulator can tell: it says when
// single messages arrive, or what clocks do.
type simStory struct {
	name  string
	tell  func(p *Plan) Story
	world func(p *Plan) // changes the calm world; may be nil
	drift float64       // ρ; 0 means the default
	idle  bool          // nobody works beside the story's clients
}

// simStories lists them. All are told on three nodes, with the times of live
// runs.
func simStories() []simStory {
	return []simStory{
		{name: "slow-replies", tell: func(p *Plan) Story { return drift(p, 2) }, drift: narrow},
		{name: "slow-raise", tell: func(p *Plan) Story { return drift(p, 1) }, drift: narrow},
		{name: "slow-extend", tell: slowExtend, drift: narrow},
		{name: "frozen-acquire", tell: frozenAcquire},
		{name: "lonely-extend", tell: lonelyExtend},
		{name: "resurrect", tell: resurrect, drift: narrow},
		{name: "late-set", tell: lateSet},
		{name: "stray-extend", tell: strayExtend},
		{name: "recovery", tell: recovery, world: recovers},
		{name: "dead-holder", tell: deadHolder},
		{name: "borrowed-name", tell: borrowedName},
		{name: "old-file", tell: oldFile},
		{name: "twice-admitted", tell: twiceAdmitted, world: leaveToOne, idle: true},
		{name: "wall-step", tell: wallStep},
		{name: "wall-clock", tell: wallStep, world: func(p *Plan) { p.Simulation.Clients = []Clock{{Client: "s1", ByWall: true}} }},
		{name: "clock-step", tell: clockStep},
		{name: "clock-trusted", tell: clockStep, world: func(p *Plan) { p.Simulation.TrustsClocks = true }},
	}
}

// narrow is a ρ so small that it does not hide a deadline that is wrong by a
// round trip. Clocks in these stories run alike.
const narrow = 0.001

// SimulatedStoryNames lists the stories that a simulator can tell: those of live
// runs, and then those that are its own.
func SimulatedStoryNames() []string {
	names := AllStoryNames()
	for _, s := range simStories() {
		names = append(names, s.name)
	}
	return names
}

// simStoryNamed returns one of the simulator's own stories.
func simStoryNamed(name string) (simStory, bool) {
	all := simStories()
	i := slices.IndexFunc(all, func(s simStory) bool { return s.name == name })
	if i < 0 {
		return simStory{}, false
	}
	return all[i], true
}

// prepare sets what the story needs and was not asked for otherwise.
func (s *simStory) prepare(o *SimOptions) {
	setDefault(&o.Nodes, 3)
	setDefault(&o.NodeDeadline, DefaultNodeDeadline)
	setDefault(&o.TTL, DefaultTTL)
	setDefault(&o.Drift, s.drift)
	setDefault(&o.Duration, time.Duration(firstStory)) // no longer than the story needs
}

// stories is the story, ready to be told.
func (s *simStory) stories(p *Plan) []Story {
	story := s.tell(p)
	story.Name, story.At, story.Key = s.name, Duration(firstStory), "story-"+s.name
	story.Tries = 1 // nothing can stall
	return []Story{story}
}

// split returns the first n nodes and the others.
func split(p *Plan, n int) (first, others []string) { return p.Nodes[:n], p.Nodes[n:] }

func slowExtend(p *Plan) Story {
	return Story{
		Why:     "the replies to an extension are slow; a deadline counted from their arrival lies after the keys have expired, while another acquires",
		Need:    2*p.TTL + Duration(2*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			{Do: DoFault, As: "slow", Kind: Delay, Direction: Replies, Latency: p.NodeDeadline * 4 / 5, Clients: []string{"s1"}, Nodes: p.Nodes},
			{Do: DoExtend, As: "h"},
			{Do: DoHeal, As: "slow"},
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			{Do: DoEnd, As: "h", Within: p.TTL},
			{Do: DoUnlock, As: "w"},
		},
	}
}

func frozenAcquire(p *Plan) Story {
	_, others := split(p, p.Quorum()-1) // the grant that makes the majority comes too late
	return Story{
		Why:     "a client stands still in mid-acquire until its keys have expired; the grants that it then finds must not pass for a lease",
		Need:    2*p.TTL + Duration(2*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			// A first acquire, so that the client knows the cluster.
			{Do: DoLock, As: "first", Client: "s1", Within: p.TTL},
			{Do: DoUnlock, As: "first"},
			{Do: DoMessage, Client: "s1", Nodes: others, Op: "acquire", Fate: FateLateReply, Latency: p.NodeDeadline / 2, Count: 1},
			{Do: DoStart, As: "h", Client: "s1", Within: 4 * p.TTL},
			{Do: DoPause, Within: p.NodeDeadline / 4},
			{Do: DoFault, As: "stop", Kind: FreezeClient, Clients: []string{"s1"}},
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed(), Renew: true},
			{Do: DoHeal, As: "stop"},
			{Do: DoPause, Within: 4 * p.NodeDeadline},
			{Do: DoUnlock, As: "w"},
			{Do: DoAwait, As: "h", Within: 4 * p.TTL},
			{Do: DoUnlock, As: "h"},
		},
	}
}

func lonelyExtend(p *Plan) Story {
	_, others := split(p, 1)
	return Story{
		Why:     "a holder that reaches one node goes on renewing there; that must not keep its lease alive",
		Need:    2*p.TTL + Duration(2*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL, Renew: true},
			cutOff("cut", "s1", others),
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			{Do: DoPause, Within: 4 * p.NodeDeadline},
			{Do: DoUnlock, As: "w"},
			{Do: DoHeal, As: "cut"},
			{Do: DoUnlock, As: "h"},
		},
	}
}

// resurrect is told on a lock that the working clients use as well: one of them
// comes and goes while the extension is on its way.
func resurrect(p *Plan) Story {
	key := p.Keys[0].Name
	return Story{
		Why:     "an extension sent just before the deadline arrives when the keys have expired and another owner has come and gone; it must not bring the lease back",
		Need:    3*p.TTL + Duration(2*settle),
		Clients: []string{"s1"},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: 2 * p.TTL, Key: key},
			{Do: DoPause, Within: p.TTL - Duration(26*time.Millisecond)},
			{Do: DoMessage, Client: "s1", Op: "extend", Fate: FateLate, Latency: p.NodeDeadline * 4 / 5},
			{Do: DoExtend, As: "h"},
			{Do: DoPause, Within: p.NodeDeadline},
			{Do: DoUnlock, As: "h"},
		},
	}
}

func lateSet(p *Plan) Story {
	first, _ := split(p, 1)
	return Story{
		Why:     "an ACQUIRE that the network held up arrives when its lease was won on the other nodes, and released; it must not take the lock for nobody",
		Need:    Duration(settle) + 20*p.NodeDeadline,
		Clients: []string{"s1"},
		Steps: []Step{
			// A first acquire, so that the client knows the nodes' clocks.
			{Do: DoLock, As: "first", Client: "s1", Within: p.TTL},
			{Do: DoUnlock, As: "first"},
			{Do: DoMessage, Client: "s1", Nodes: first, Op: "acquire", Fate: FateLate, Latency: 8 * p.NodeDeadline, Count: 1},
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL, Once: true},
			{Do: DoUnlock, As: "h"},
			{Do: DoPause, Within: 9 * p.NodeDeadline},
		},
	}
}

func strayExtend(p *Plan) Story {
	first, _ := split(p, 1)
	return Story{
		Why:     "an EXTEND that the network held up arrives at a node that had missed the acquire, when the lease was released; it must not set the key there",
		Need:    Duration(settle) + 20*p.NodeDeadline,
		Clients: []string{"s1"},
		Steps: []Step{
			{Do: DoLock, As: "first", Client: "s1", Within: p.TTL},
			{Do: DoUnlock, As: "first"},
			{Do: DoMessage, Client: "s1", Nodes: first, Op: "acquire", Fate: FateLose, Count: 1},
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL, Once: true},
			{Do: DoMessage, Client: "s1", Nodes: first, Op: "extend", Fate: FateLate, Latency: 8 * p.NodeDeadline, Count: 1},
			{Do: DoExtend, As: "h"},
			{Do: DoUnlock, As: "h"},
			{Do: DoPause, Within: 9 * p.NodeDeadline},
		},
	}
}

func recovery(p *Plan) Story {
	return Story{
		Why:     "all nodes lose their memory while a lease lives whose token ran ahead of their clocks; clients recover by themselves, but not before the lease has ended, and tokens go on above it",
		Need:    4*p.TTL + Duration(4*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL, Hint: true},
			{Do: DoWrite, As: "h"},
			{Do: DoFault, As: "wipe", Kind: FlushAll, Nodes: p.Nodes, Force: true},
			{Do: DoLock, As: "w", Client: waiter, Within: 4 * p.freed(), Hint: true},
			{Do: DoWrite, As: "w"},
			{Do: DoUnlock, As: "w"},
			{Do: DoHeal, As: "wipe"},
		},
	}
}

// recovers lets clients bootstrap by clock, and the first one's wall clock run
// ahead by less than hints may.
func recovers(p *Plan) {
	p.Simulation.Recover = true
	p.Simulation.Clients = []Clock{{Client: "s1", Wall: Duration(50 * time.Second)}}
}

func deadHolder(p *Plan) Story {
	return Story{
		Why:     "a client dies as soon as it holds the lock, and nothing that it sends after the acquire arrives; the lock must come free all the same",
		Need:    Duration(p.quarantine() + 2*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoMessage, Client: "s1", Op: "extend", Fate: FateLose},
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			{Do: DoCrash, Client: "s1"},
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed(), Fail: true},
		},
	}
}

func borrowedName(p *Plan) Story {
	q := p.Quorum()
	return Story{
		Why:     "two names lead to one server for a while; counted once for each, it makes a majority, and the server whose name it borrowed makes another",
		Need:    p.TTL + Duration(2*settle),
		Clients: []string{"s1", "s2"},
		Steps: []Step{
			cutOff("a", "s1", p.Nodes[q:]), cutOff("b", "s2", p.Nodes[:q-1]),
			{Do: DoFault, As: "same", Kind: SameServer, Nodes: p.Nodes[q-2 : q]},
			{Do: DoLock, As: "h", Client: "s1", Within: 4 * p.NodeDeadline, Fail: true, Keep: true},
			{Do: DoHeal, As: "same"},
			{Do: DoLock, As: "w", Client: "s2", Within: p.freed()},
			{Do: DoUnlock, As: "w"}, {Do: DoUnlock, As: "h"},
			{Do: DoHeal, As: "a"}, {Do: DoHeal, As: "b"},
		},
	}
}

func oldFile(p *Plan) Story {
	first, shared, last := p.sides()
	return Story{
		Why:     "the node that two majorities share is killed and comes back with a file that lacks the last second, and so a lease; it must not vote before that has ended",
		Need:    Duration(p.quarantine() + 3*settle),
		Clients: []string{"s1", "s2"},
		Steps: []Step{
			cutOff("a", "s1", last), cutOff("b", "s2", first),
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			{Do: DoFault, As: "kill", Kind: LostSecond, Nodes: shared},
			{Do: DoLock, As: "w", Client: "s2", Within: 2 * p.freed()},
			{Do: DoUnlock, As: "w"},
			{Do: DoHeal, As: "kill"}, {Do: DoHeal, As: "a"}, {Do: DoHeal, As: "b"},
		},
	}
}

func twiceAdmitted(p *Plan) Story {
	_, shared, last := p.sides()
	again := Duration(p.quarantine()) + Duration(settle)/6 // after the second loss
	return Story{
		Why:     "a node loses its memory, is admitted, grants, and loses it again; the PROBE and the ADMIT of its first life come a second time, and must not spare the second its quarantine",
		Need:    Duration(2*p.quarantine() + 4*settle),
		Clients: []string{"s1", "s2"},
		Steps: []Step{
			cutOff("a", "s1", last),
			{Do: DoLock, As: "first", Client: "s2", Within: p.TTL},
			{Do: DoUnlock, As: "first"},
			{Do: DoMessage, Client: "s2", Nodes: shared, Op: "probe", Fate: FateTwice, Latency: again, Count: 1},
			{Do: DoMessage, Client: "s2", Nodes: shared, Op: "admit", Fate: FateTwice, Latency: p.NodeDeadline * 3, Count: 1},
			{Do: DoFault, As: "wipe", Kind: FlushAll, Nodes: shared},
			{Do: DoLock, As: "notice", Client: "s2", Within: p.TTL},
			{Do: DoUnlock, As: "notice"},
			{Do: DoHeal, As: "wipe"},
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			{Do: DoFault, As: "again", Kind: FlushAll, Nodes: shared},
			{Do: DoPause, Within: p.NodeDeadline * 5}, // both copies arrive
			{Do: DoLock, As: "w", Client: "s2", Within: 2 * p.freed()},
			{Do: DoUnlock, As: "w"},
			{Do: DoHeal, As: "a"}, {Do: DoHeal, As: "again"},
		},
	}
}

// leaveToOne leaves it to one client to admit nodes: others would draw other
// nonces.
func leaveToOne(p *Plan) {
	p.Simulation.Clients = []Clock{{Client: "s1", NoRejoin: true}}
}

func wallStep(p *Plan) Story {
	return Story{
		Why:     "a holder's wall clock is set back; a lease measured by it would outlive its keys",
		Need:    2*p.TTL + Duration(2*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			{Do: DoFault, As: "step", Kind: WallJump, Clients: []string{"s1"}, By: -p.TTL / 2},
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			{Do: DoEnd, As: "h", Within: 2 * p.TTL},
			{Do: DoUnlock, As: "w"},
		},
	}
}

func clockStep(p *Plan) Story {
	first, _ := split(p, p.Quorum())
	return Story{
		Why:     "the clocks of a majority are set ahead, and a lease ends there while its holder relies on it: no lock that expires can hold what it promises then",
		Need:    p.TTL + Duration(2*settle),
		Clients: []string{"s1", waiter},
		Steps: []Step{
			{Do: DoLock, As: "h", Client: "s1", Within: p.TTL},
			{Do: DoFault, As: "step", Kind: ClockJump, Nodes: first, By: 2 * p.TTL},
			{Do: DoLock, As: "w", Client: waiter, Within: p.freed()},
			{Do: DoUnlock, As: "w"},
			{Do: DoUnlock, As: "h"},
		},
	}
}
