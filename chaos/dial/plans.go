package dial

import (
	"math"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// All plans have one ttl, so that settings can be told as multiples of it. It is
// long against messages and margins, which blur where violations begin.
const (
	ttl          = 10 * time.Second
	nodeDeadline = 20 * time.Millisecond
	usualDrift   = scenario.DefaultDrift
)

// part is a fraction of the ttl.
func part(x float64) scenario.Duration {
	return scenario.Duration(time.Duration(math.Round(x*1e6)) * ttl / 1e6)
}

// plan returns a plan of three nodes and clients c1, c2 …, each of which does
// what is said of it. The tokens count up one by one: hints would hide what a
// node forgot.
func plan(seed uint64, drift float64, ops ...[]scenario.Op) *scenario.Plan {
	p, err := scenario.NewSimulated(scenario.SimOptions{
		Seed: seed, Nodes: 3, Clients: len(ops), Keys: 2, Hint: scenario.HintOff, Duration: 4 * ttl, Faults: []scenario.Kind{},
		TTL: ttl, NodeDeadline: nodeDeadline, Drift: drift,
	})
	if err != nil { // the options are the same every time, but for the seed
		panic(err)
	}
	p.Poll = part(0.02)
	p.Simulation = &scenario.Simulation{
		Latency: scenario.Band{Min: scenario.Duration(2 * time.Millisecond), Max: scenario.Duration(4 * time.Millisecond)},
		Sample:  scenario.Band{Min: part(0.25), Max: part(0.25)},
	}
	workers := p.Workers[:0]
	for i, list := range ops {
		for j := range list {
			list[j].Seed = seed<<16 + uint64(i)<<8 + uint64(j)
		}
		workers = append(workers, scenario.Worker{Client: p.Clients[i], Seed: seed + uint64(i), Ops: list})
	}
	p.Workers = workers
	return p
}

func strike(p *scenario.Plan, f scenario.Fault) {
	f.ID = len(p.Faults) + 1
	p.Faults = append(p.Faults, f)
}

// held is how long a holder that never renews can work and still find its lease
// valid, by its own clock.
func held(drift float64) scenario.Duration { return part(1-drift) - scenario.Duration(nodeDeadline) }

// holds locks at a time, works for so long, and writes if its lease is still
// valid then.
func holds(at float64, work scenario.Duration) scenario.Op {
	return scenario.Op{Key: "lock-1", Do: scenario.Lock, At: part(at), Within: part(3), Hold: work, NoRenew: true}
}

// next is the client that wants the lock from then on, and works for a moment.
func next(from float64) []scenario.Op { return []scenario.Op{holds(from, part(0.003))} }

// drifting: the holder's clock loses so many percent. It works for as long as
// its lease is valid by that clock.
func drifting(allowance float64) func(float64, uint64) *scenario.Plan {
	return func(percent float64, seed uint64) *scenario.Plan {
		p := plan(seed, allowance, []scenario.Op{holds(0.2, held(allowance))}, next(0.3))
		if percent > 0 {
			strike(p, scenario.Fault{Kind: scenario.ClockRate, At: part(0.1), For: part(3), Clients: []string{"c1"}, Rate: -int64(math.Round(percent * 1e4))})
		}
		return p
	}
}

// pausing: the holder stands still for so many ttls between its last look at
// the lease and its write.
func pausing(ttls float64, seed uint64) *scenario.Plan {
	work := holds(0.2, part(0.1+ttls))
	if 0.1+ttls >= 1-usualDrift {
		work.Careless = true // it looked before
	}
	p := plan(seed, usualDrift, []scenario.Op{work}, next(0.3))
	if ttls > 0 {
		strike(p, scenario.Fault{Kind: scenario.FreezeClient, At: part(0.25), For: part(ttls), Clients: []string{"c1"}})
	}
	return p
}

// jumping: the clocks of these nodes leap ahead by so many ttls, soon after the
// holder got the lock on all nodes but those that it is cut off from.
func jumping(nodes, without []string) func(float64, uint64) *scenario.Plan {
	return func(ttls float64, seed uint64) *scenario.Plan {
		p := plan(seed, usualDrift, []scenario.Op{holds(0.2, held(usualDrift))}, next(0.25))
		if ttls > 0 {
			strike(p, scenario.Fault{Kind: scenario.ClockJump, At: part(0.3), Nodes: nodes, By: part(ttls)})
		}
		if len(without) > 0 {
			strike(p, scenario.Fault{Kind: scenario.CutNode, Direction: scenario.Both, For: part(3), Nodes: without, Clients: []string{"c1"}})
		}
		return p
	}
}

// returning: the one node that the majorities of two clients share loses its
// memory while the first holds the lock, and is back so many ttls later. A third
// client reaches every node, so somebody can admit it again.
func returning(ttls float64, seed uint64) *scenario.Plan {
	var first, third []scenario.Op
	for i := range 5 { // so that there are tokens to fall below
		first = append(first, holds(0.1+0.05*float64(i), part(0.003)))
	}
	first = append(first, holds(0.5, held(usualDrift)))
	for i := range 60 {
		op := holds(0.05*float64(i), part(0.001))
		op.Key, op.Within = "lock-2", part(0.5)
		third = append(third, op)
	}
	p := plan(seed, usualDrift, first, next(0.7), third)
	cut := func(client, node string) {
		strike(p, scenario.Fault{Kind: scenario.CutNode, Direction: scenario.Both, For: part(4), Nodes: []string{node}, Clients: []string{client}})
	}
	cut("c1", "n3")
	cut("c2", "n1")
	strike(p, scenario.Fault{Kind: scenario.Amnesia, At: part(0.6), For: part(ttls), Nodes: []string{"n2"}})
	return p
}
