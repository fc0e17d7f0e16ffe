package campaign

import (
	"context"
	"errors"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
)

// Plan makes the plan of a seed. Equal setups and seeds give equal plans. The
// error is a *scenario.OptionError.
func (s Setup) Plan(seed uint64) (*scenario.Plan, error) {
	return scenario.NewSimulated(scenario.SimOptions{
		Seed: seed, Nodes: s.Nodes, Clients: s.Clients, Keys: s.Keys, Hint: scenario.Hint(s.Hint), Outside: s.Outside,
		Story: s.Story, Duration: s.Duration.D(),
	})
}

// NewSimulator returns a Runner that has plans run by the simulator.
func NewSimulator() Runner {
	runner := new(sim.Runner)
	return func(ctx context.Context, p *scenario.Plan, narrate func(string)) (*Outcome, error) {
		o, err := runner.Run(ctx, sim.Options{Plan: p, Narrate: narrate})
		if err != nil {
			return nil, err
		}
		return outcomeOf(o), nil
	}
}

// outcomeOf takes what a campaign looks at from a simulator's outcome.
func outcomeOf(o *sim.Outcome) *Outcome {
	out := &Outcome{
		Events: o.Events, Verdict: o.Verdict, Simulated: o.Simulated, Steps: o.Processed, Told: map[string]bool{}, Digest: o.Digest,
		Begun: o.Begun,
	}
	o.AddTo(&out.Tally)
	var broken *sim.InvariantError
	if errors.As(o.Broken, &broken) {
		out.Invariant, out.Broken = string(broken.Invariant), broken.Error()
	}
	for _, s := range o.Stories {
		out.Told[s.Name] = s.Told
	}
	out.Coverage.Branches, out.Coverage.Pairs = map[string]uint64{}, map[Pair]uint64{}
	for _, b := range o.Coverage.Branches() {
		out.Coverage.Branches[b.What] += b.N
	}
	for _, p := range o.Coverage.Pairs() {
		out.Coverage.Pairs[Pair{string(p.Kind), p.Stage.String()}] += p.N
	}
	return out
}
