package sim_test

import (
	"context"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/chaos/sim"
)

// BenchmarkSimulated plays random plans with all their faults, and judges them;
// making the plans is part of it.
func BenchmarkSimulated(b *testing.B) {
	b.ReportAllocs()
	var r sim.Runner
	acquired, events := 0, uint64(0)
	began := processorTime()
	for seed := uint64(0); b.Loop(); seed++ {
		p, err := scenario.NewSimulated(scenario.SimOptions{Seed: seed})
		if err != nil {
			b.Fatal(err)
		}
		o, err := r.Run(context.Background(), sim.Options{Plan: p})
		if err != nil {
			b.Fatal(err)
		}
		acquired += o.Acquired
		events += o.Processed
	}
	b.ReportMetric(float64(acquired)/b.Elapsed().Seconds(), "acquisitions/s")
	if used := processorTime() - began; used > 0 { // what a machine of one's own would give
		b.ReportMetric(float64(acquired)/used.Seconds(), "acquisitions/cpu-s")
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(acquired)/float64(b.N), "acquisitions/op")
}
