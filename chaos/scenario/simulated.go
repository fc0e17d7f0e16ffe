package scenario

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Hint says which locks of a simulated plan aim at a token.
type Hint string

// The hints. Empty means mixed.
const (
	HintOn    Hint = "on"
	HintOff   Hint = "off"
	HintMixed Hint = "mixed" // every second lock
)

// SimOptions say what to plan for a simulator. Equal options give equal plans.
// A zero field other than Seed is drawn from the seed.
type SimOptions struct {
	_ struct{}

	Seed uint64

	// Nodes is how many there are, 1 to 15; drawn: 3, 5 or 7.
	Nodes int
	// Clients is how many work, 1 to 64; drawn: 2 to 5.
	Clients int
	// Keys is how many locks they fight over, 1 to 64; drawn: half as many as clients, or up to 3 more.
	Keys int
	// Hint is on, off or mixed.
	Hint Hint
	// Outside plans clock jumps and clocks that run too fast as well. Then
	// exclusion may fall; token order and the fenced resource may not.
	Outside bool
	// Duration of the faulted part; drawn: 8 to 14 ttls.
	Duration time.Duration
	// Faults limits which kinds strike; nil means all that Outside allows, an
	// empty slice none.
	Faults []Kind
	// Story plans that story alone, for clocks and a network without fault.
	Story string

	TTL          time.Duration // drawn: 20 to 60 node deadlines
	NodeDeadline time.Duration // drawn: 10, 20 or 50 ms
	Drift        float64       // 0 means 0.16
}

// NewSimulated makes the plan of o. Its errors are OptionErrors.
func NewSimulated(o SimOptions) (*Plan, error) {
	r := source(o.Seed, 1000)
	own, isOwn := simStoryNamed(o.Story)
	live := setups()[o.Story]
	if isOwn {
		own.prepare(&o)
	}
	if live != (setup{}) {
		live.prepare(&o)
	}
	o, err := o.drawn(r)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Version: Version, Seed: o.Seed, Story: o.Story,
		Duration: Duration(o.Duration), TTL: Duration(o.TTL), NodeDeadline: Duration(o.NodeDeadline), Drift: o.Drift,
		Retention: Duration(10 * o.TTL), Poll: Duration(o.NodeDeadline) * Duration(4<<r.IntN(3)),
		Nodes: numbered("n", o.Nodes), Clients: numbered("c", o.Clients), Keys: keys(o.Keys),
		Stories: []Story{}, Faults: []Fault{}, Paths: []Path{},
	}
	for i := range p.Keys {
		p.Keys[i].NoHint = o.Hint == HintOff || o.Hint == HintMixed && i%2 == int(o.Seed%2)
	}
	p.Tail = 2 * p.TTL
	if o.Story != "" {
		p.Poll = Duration(20 * time.Millisecond)
		p.Simulation = calm(p)
		if isOwn {
			p.Stories = own.stories(p)
			if own.world != nil {
				own.world(p)
			}
		} else {
			p.Stories = stories(p, o.Story)
		}
		p.Paths = distinctPaths(p.Stories)
		p.Duration = max(p.Duration, Duration(p.storiesEnd()))
		// As in live runs somebody works beside the story: it takes clients
		// that reach every node to admit one again.
		if !live.idle && !own.idle {
			p.Workers = simWorkers(p, source(o.Seed, 1002))
		}
		return p, p.Validate()
	}
	p.Simulation = world(p, source(o.Seed, 1001))
	p.Workers = simWorkers(p, source(o.Seed, 1002))
	kinds := simKinds(o)
	if o.Faults == nil && o.Clients > 1 && r.IntN(8) == 0 {
		// Where nodes lose their memory, such a client's guarantees are none of ours.
		p.Workers[len(p.Clients)-1].Foreign = true
		kinds = slices.DeleteFunc(kinds, func(k weighted) bool { return k.kind.LosesVote() || k.kind == Rollback })
	}
	p.Faults = simFaults(p, kinds, source(o.Seed, 1003))
	return p, p.Validate()
}

// drawn draws what is not given and checks what is.
func (o SimOptions) drawn(r *rand.Rand) (SimOptions, error) {
	nd := []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond}[r.IntN(3)]
	deadlines := 40 + r.IntN(21) // in a ttl: enough for orphans to be judged
	if r.IntN(3) == 0 {
		deadlines = 20 + r.IntN(10) // so few that slow answers matter
	}
	setDefault(&o.Nodes, []int{3, 3, 3, 3, 3, 5, 5, 5, 7, 7}[r.IntN(10)])
	clients := 2 + r.IntN(4)
	if o.Story != "" {
		clients = 2
	}
	setDefault(&o.Clients, clients)
	setDefault(&o.Keys, (o.Clients+1)/2+r.IntN(4))
	setDefault(&o.Hint, HintMixed)
	setDefault(&o.NodeDeadline, nd)
	setDefault(&o.TTL, time.Duration(deadlines)*o.NodeDeadline)
	setDefault(&o.Duration, time.Duration(8+r.IntN(7))*o.TTL)
	setDefault(&o.Drift, DefaultDrift)
	bad := func(field string, value any, reason string) (SimOptions, error) {
		return o, &OptionError{Field: field, Value: fmt.Sprint(value), Reason: reason}
	}
	switch {
	case o.Nodes < 1 || o.Nodes > maxNodes:
		return bad("nodes", o.Nodes, "must be 1 to 15")
	case o.Clients < 1 || o.Clients > 64:
		return bad("clients", o.Clients, "must be 1 to 64")
	case o.Keys < 1 || o.Keys > 64:
		return bad("keys", o.Keys, "must be 1 to 64")
	case o.Hint != HintOn && o.Hint != HintOff && o.Hint != HintMixed:
		return bad("hint", o.Hint, "must be on, off or mixed")
	case o.Duration < 0 || o.Duration > 24*time.Hour:
		return bad("duration", o.Duration, "must be positive and at most 24h")
	case o.NodeDeadline < 5*time.Millisecond || o.NodeDeadline > time.Second:
		return bad("node deadline", o.NodeDeadline, "must be 5ms to 1s")
	case o.TTL < 20*o.NodeDeadline || o.TTL > time.Minute || o.TTL%time.Millisecond != 0:
		return bad("ttl", o.TTL, fmt.Sprintf("must be whole milliseconds, at least 20 node deadlines (%v) and at most 1m", 20*o.NodeDeadline))
	case !(o.Drift >= 0.001 && o.Drift <= 0.5):
		return bad("drift", o.Drift, "must be 0.001 to 0.5")
	case o.Story != "" && !slices.Contains(SimulatedStoryNames(), o.Story):
		return bad("story", o.Story, "no such story; there are "+strings.Join(SimulatedStoryNames(), ", "))
	}
	for _, k := range o.Faults {
		if !slices.Contains(SimulatedKinds(), k) {
			return bad("faults", k, "not a kind of fault; there are "+joinKinds(SimulatedKinds()))
		}
	}
	return o, nil
}

// calm is a world without drift, with a short and steady way to every node.
func calm(p *Plan) *Simulation {
	return &Simulation{
		Latency: Band{Min: p.NodeDeadline / 100, Max: p.NodeDeadline / 25},
		Sample:  Band{Min: ms(20), Max: ms(20)},
	}
}

// world draws clocks, disks and a network within the assumptions.
func world(p *Plan, r *rand.Rand) *Simulation {
	limit := p.RateLimit()
	rate := func() int64 {
		switch r.IntN(4) {
		case 0:
			return 0
		case 1: // as far apart as the drift allows
			return limit * int64(1-2*r.IntN(2))
		}
		return r.Int64N(2*limit+1) - limit
	}
	s := &Simulation{
		Latency: Band{Min: p.NodeDeadline / 100, Max: p.NodeDeadline / Duration(6+r.IntN(30))},
		Slow:    []float64{0, 0.002, 0.02}[r.IntN(3)],
		SlowBy:  Band{Min: p.NodeDeadline / 4, Max: 4 * p.NodeDeadline},
		Sample:  Band{Min: p.TTL / 8, Max: p.TTL / 3},
	}
	for range p.Nodes {
		s.Servers = append(s.Servers, Server{
			Offset:  Duration(r.Int64N(int64(20*time.Second)) - int64(10*time.Second)),
			Rate:    rate(),
			Persist: []Persist{PersistAlways, PersistAlways, PersistEverysec, PersistNone}[r.IntN(4)],
		})
	}
	for _, c := range p.Clients {
		s.Clients = append(s.Clients, Clock{Client: c, Rate: rate(), Wall: Duration(r.Int64N(int64(4*time.Second)) - int64(2*time.Second))})
	}
	return s
}

// simWorkers gives every client a thread of control, and the first a second.
func simWorkers(p *Plan, r *rand.Rand) []Worker {
	nd, ttl := p.NodeDeadline, p.TTL
	var list []Worker
	for i := 0; i <= len(p.Clients); i++ {
		list = append(list, Worker{
			Client: p.Clients[i%len(p.Clients)], Seed: r.Uint64(),
			Holds: []Band{
				{Weight: 88, Min: nd / 10, Max: nd},
				{Weight: 10, Min: nd, Max: 5 * nd},
				{Weight: 2, Min: ttl / 3, Max: ttl * 5 / 4},
			},
			Think:       Band{Min: nd / 10, Max: 6 * nd},
			LockTimeout: ttl / 2,
			Cancel:      0.06, CancelAfter: Band{Max: nd},
			Try: 0.12, Extend: 0.10, NoRenew: 0.20, Careless: 0.02,
		})
	}
	if r.IntN(3) > 0 {
		return list
	}
	// The second thread holds for so long that leases are renewed, end and are
	// repaired while faults come and go.
	last := &list[len(list)-1]
	last.Holds = []Band{{Weight: 1, Min: ttl / 3, Max: 2 * ttl}}
	last.Think = Band{Min: nd, Max: ttl / 2}
	return list
}

// weighted is a kind and how often it is drawn.
type weighted struct {
	kind   Kind
	weight int
}

func simKinds(o SimOptions) []weighted {
	all := []weighted{
		{Kill, 6}, {Amnesia, 8}, {FlushAll, 6}, {LostSecond, 6}, {Replace, 6}, {Demote, 4}, {Attach, 4}, {SameServer, 2},
		{Freeze, 6}, {PauseAll, 2}, {CutNode, 4}, {Partition, 6}, {LoseRequests, 8}, {LoseReplies, 10}, {Hold, 10}, {Delay, 10},
		{Reset, 6}, {Duplicate, 6}, {FreezeClient, 10}, {Crash, 2}, {WallJump, 3}, {Slew, 4},
	}
	if o.Outside {
		all = append(all, weighted{ClockJump, 20}, weighted{ClockRate, 10})
	}
	if o.Faults == nil {
		return all
	}
	var some []weighted
	for _, k := range o.Faults {
		weight := 1
		if i := slices.IndexFunc(all, func(w weighted) bool { return w.kind == k }); i >= 0 {
			weight = all[i].weight
		}
		some = append(some, weighted{k, weight})
	}
	return some
}

// simFaults draws faults all over the faulted part. They may meet each other:
// the simulator keeps only votes from being lost too many at once.
func simFaults(p *Plan, kinds []weighted, r *rand.Rand) []Fault {
	faults := []Fault{}
	if len(kinds) == 0 {
		return faults
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	d := simDrawer{drawer: drawer{plan: p, rand: r}}
	for at := p.TTL.D() / 8; at < p.Duration.D()*9/10; at += d.between(0, p.TTL.D()) {
		n := r.IntN(total)
		for _, k := range kinds {
			if n -= k.weight; n >= 0 {
				continue
			}
			f := d.fault(k.kind)
			f.At, f.For = Duration(at), min(f.For, p.Duration-Duration(at))
			if f.Kind == "" {
				break
			}
			faults = append(faults, f)
			break
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	for i := range faults {
		faults[i].ID = i + 1
	}
	return faults
}

// simDrawer draws faults for a simulator.
type simDrawer struct {
	drawer
	crashed int
}

// fault decides everything about a fault but when. A fault without a kind is
// one that cannot be.
func (d *simDrawer) fault(kind Kind) Fault {
	p, nd, ttl := d.plan, d.plan.NodeDeadline.D(), d.plan.TTL.D()
	f := Fault{Kind: kind, For: Duration(d.between(nd, ttl*2/5))}
	if d.rand.IntN(6) == 0 { // long enough for leases to end meanwhile
		f.For = Duration(d.between(ttl/2, 2*ttl))
	}
	switch kind {
	case Partition:
		f.Clients, f.Nodes, f.Direction = d.pick(p.Clients, 1), p.Nodes, Both
	case CutNode:
		f.Clients, f.Nodes, f.Direction = p.Clients, d.pick(p.Nodes, 1+d.rand.IntN(p.Quorum())), Both
	case LoseRequests, LoseReplies, Hold, Delay, Duplicate:
		f.Clients = d.pick(p.Clients, 1+d.rand.IntN(3))
		f.Nodes = d.pick(p.Nodes, 1+d.rand.IntN(len(p.Nodes)))
		f.Direction = map[Kind]Direction{LoseRequests: Requests, LoseReplies: Replies, Hold: Replies, Delay: Replies, Duplicate: Requests}[kind]
		if (kind == Hold || kind == Delay) && d.rand.IntN(2) == 0 {
			f.Direction = Requests
		}
		if kind == Delay {
			f.Latency = Duration(d.between(nd/10, 2*nd))
			f.Jitter = Duration(d.between(0, f.Latency.D()))
		}
	case Reset:
		f.Clients, f.Nodes, f.For = d.pick(p.Clients, 1+d.rand.IntN(3)), d.pick(p.Nodes, 1+d.rand.IntN(len(p.Nodes))), 0
		f.Direction = Both
	case FlushAll, Attach:
		f.Nodes, f.For = d.pick(p.Nodes, 1), 0
	case PauseAll:
		f.Nodes, f.For = p.Nodes, Duration(d.between(nd, ttl/3))
	case SameServer:
		if len(p.Nodes) < 2 {
			return Fault{}
		}
		f.Nodes = d.pick(p.Nodes, 2)
	case Freeze:
		f.Nodes = d.pick(p.Nodes, 1+d.rand.IntN(len(p.Nodes)))
	case Replace:
		f.Nodes, f.Clients = d.pick(p.Nodes, 1), d.pick(p.Clients, 1+d.rand.IntN(len(p.Clients)))
		f.For = Duration(d.between(nd, 3*ttl))
	case FreezeClient:
		f.Clients, f.For = d.pick(p.Clients, 1+d.rand.IntN(2)), Duration(d.between(nd/4, ttl*3/2))
	case Crash:
		if d.crashed++; d.crashed > 1 || len(p.Clients) < 3 {
			return Fault{}
		}
		f.Clients, f.For = d.pick(p.Clients, 1), 0
	case WallJump:
		f.Clients, f.For, f.By = d.pick(p.Clients, 1), 0, d.jump()
	case ClockJump:
		f.Nodes, f.For, f.By = d.pick(p.Nodes, 1+d.rand.IntN(len(p.Nodes))), 0, d.jump()
	case Slew, ClockRate:
		d.clocks(&f)
	case Rollback:
		f.Nodes, f.For, f.By = d.pick(p.Nodes, 1), 0, Duration(d.between(nd, ttl))
	default:
		f.Nodes = d.pick(p.Nodes, 1)
	}
	return f
}

// jump draws how far a clock jumps: about a ttl as a rule, sometimes so far
// that fences turn and hints are refused.
func (d *simDrawer) jump() Duration {
	by := d.between(d.plan.NodeDeadline.D(), 2*d.plan.TTL.D())
	switch d.rand.IntN(5) {
	case 0:
		by = d.between(d.plan.TTL.D(), 30*d.plan.TTL.D())
	case 1:
		by = d.between(time.Second, 10*time.Minute)
	}
	if d.rand.IntN(2) == 0 {
		by = -by
	}
	return Duration(by)
}

// clocks draws whose clock runs at which rate.
func (d *simDrawer) clocks(f *Fault) {
	if d.rand.IntN(2) == 0 {
		f.Nodes = d.pick(d.plan.Nodes, 1)
	} else {
		f.Clients = d.pick(d.plan.Clients, 1)
	}
	f.For = Duration(d.between(d.plan.TTL.D()/2, 3*d.plan.TTL.D()))
	limit := d.plan.RateLimit()
	f.Rate = d.rand.Int64N(limit + 1)
	if f.Kind == ClockRate {
		f.Rate = limit + d.rand.Int64N(400_000-limit)
	}
	if d.rand.IntN(2) == 0 {
		f.Rate = -f.Rate
	}
}
