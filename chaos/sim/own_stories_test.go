package sim_test

import (
	"slices"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
	"github.com/quorumlock/quorumlock/linearizability"
)

// TestOwnStories tells the stories that only a simulator can tell: the lock
// passes them all, but for those that are a mistake in themselves, which must
// show.
func TestOwnStories(t *testing.T) {
	mistakes := map[string]linearizability.Property{
		"wall-clock":    linearizability.MutualExclusion,
		"clock-trusted": linearizability.MutualExclusion,
	}
	for _, name := range scenario.SimulatedStoryNames() {
		if slices.Contains(scenario.AllStoryNames(), name) {
			continue
		}
		for seed := range uint64(5) {
			p, err := scenario.NewSimulated(scenario.SimOptions{Seed: seed, Story: name})
			if err != nil {
				t.Fatal(err)
			}
			o, err := sim.Run(t.Context(), sim.Options{Plan: p})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range o.Stories {
				if !s.Told {
					t.Errorf("%s, seed %d: not told: %s", name, seed, s.Error)
				}
			}
			switch what, how := o.Violation(); {
			case mistakes[name] != "" && o.Verdict.Property(mistakes[name]).Outcome != linearizability.Invalid:
				t.Errorf("%s, seed %d: %s did not fall", name, seed, mistakes[name])
			case mistakes[name] == "" && what != "":
				t.Errorf("%s, seed %d: %s: %s", name, seed, what, how)
			}
		}
	}
}
