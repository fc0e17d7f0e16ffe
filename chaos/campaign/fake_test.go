package campaign

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// fakePlan is a real plan of modest size.
func fakePlan(seed uint64) (*scenario.Plan, error) {
	p, err := scenario.NewSimulated(scenario.SimOptions{Seed: seed})
	if err != nil {
		return nil, err
	}
	for i := range p.Workers {
		p.Workers[i].Foreign = false
	}
	return p, nil
}

// bug decides whether a plan's run breaks token order.
type bug func(p *scenario.Plan) bool

// onSeeds breaks every n-th seed.
func onSeeds(n uint64) bug { return func(p *scenario.Plan) bool { return p.Seed%n == 0 } }

// fake is a Runner that lets every worker hold its locks one after another,
// and hands out one token twice where the bug strikes.
func fake(b bug) Runner {
	return func(_ context.Context, p *scenario.Plan, narrate func(string)) (*Outcome, error) {
		if err := p.Validate(); err != nil {
			return nil, err
		}
		events := fakeHistory(p, b(p))
		params := linearizability.Params{Quorum: p.Quorum(), TTL: p.TTL.D(), MaxTTL: p.TTL.D(), Drift: p.Drift, NodeDeadline: p.NodeDeadline.D()}
		v, err := linearizability.Judge(events, params)
		if err != nil {
			return nil, err
		}
		data, err := p.JSON()
		if err != nil {
			return nil, err
		}
		tally := linearizability.TallyOf(events)
		tally.Paths["raise"]++
		begun := make([][]time.Duration, len(p.Workers))
		for i := range begun {
			begun[i] = make([]time.Duration, len(firstOps(p, i)))
		}
		if narrate != nil {
			narrate("nothing but tokens")
		}
		return &Outcome{
			Events: events, Verdict: v, Simulated: p.Duration.D(), Steps: 3, Digest: sha256.Sum256(data),
			Tally: tally, Begun: begun,
			Coverage: Coverage{
				Branches: map[string]uint64{"granted": uint64(len(events)), "never": 0},
				Pairs:    map[Pair]uint64{{"kill", "held"}: 1, {"kill", "free"}: 0},
			},
		}, nil
	}
}

func fakeHistory(p *scenario.Plan, broken bool) []linearizability.Event {
	var events []linearizability.Event
	now, token := int64(0), linearizability.Token(10)
	for _, f := range p.Faults {
		for _, phase := range []string{linearizability.FaultBegin, linearizability.FaultEnd} {
			events = append(events, linearizability.Event{Time: now, Process: linearizability.Nemesis, Type: linearizability.Info, F: linearizability.F(f.Kind),
				Value: linearizability.Value{Fault: &linearizability.Fault{ID: int64(f.ID), Phase: phase, Nodes: f.Nodes, Clients: f.Clients, Confirmed: true}}})
		}
	}
	for w := range p.Workers {
		turns := p.Turns(w)
		for i := range 6 {
			op, ok := turns.Next()
			if !ok {
				break
			}
			if token++; broken && w == len(p.Workers)-1 {
				token = 10
			}
			hold := fmt.Sprintf("%s-%d-%d", p.Workers[w].Client, w, i)
			until := now + int64(p.TTL)
			value := linearizability.Value{Client: p.Workers[w].Client, Hold: hold, ID: hold, Token: token, ValidUntil: &until}
			add := func(t linearizability.Type, f linearizability.F, v linearizability.Value) {
				now += int64(time.Millisecond)
				events = append(events, linearizability.Event{Time: now, Process: linearizability.Process(w), Type: t, F: f, Key: op.Key, Value: v})
			}
			add(linearizability.Invoke, linearizability.Acquire, linearizability.Value{Client: value.Client})
			add(linearizability.OK, linearizability.Acquire, value)
			add(linearizability.Invoke, linearizability.Release, linearizability.Value{Client: value.Client, Hold: hold})
			add(linearizability.OK, linearizability.Release, linearizability.Value{Client: value.Client, Hold: hold})
		}
	}
	for i := range events {
		events[i].Index = i
	}
	return slices.Clip(events)
}
