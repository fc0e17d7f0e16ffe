package main

import (
	"testing"

	"github.com/quorumlock/quorumlock/chaos/mutants"
	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// TestLiveMutantsCanRun checks that the runs which must convict mutants on real
// servers can be planned: the story exists, and the time suffices.
func TestLiveMutantsCanRun(t *testing.T) {
	live := 0
	for _, m := range mutants.All() {
		if m.Live == nil {
			continue
		}
		live++
		if _, err := scenario.New(scenario.Options{Story: m.Live.Story, Duration: m.Live.Duration}); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
	if live < 30 {
		t.Errorf("only %d mutants are convicted on real servers", live)
	}
}
