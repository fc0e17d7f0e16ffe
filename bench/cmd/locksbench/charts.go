package main

import (
	"strings"

	"github.com/quorumlock/quorumlock/bench/measure"
)

// charts are the drawings of what was measured, by file name.
func (b *bench) charts() map[string]measure.Chart {
	all := map[string]measure.Chart{
		"pair":        b.chart("Uncontended lock and unlock, p50", "µs", "Pair", "p50-ns", 1e3),
		"delayed":     b.chart("Uncontended lock and unlock, every node 1 ms away, p50", "µs", "Delayed", "p50-ns", 1e3),
		"goroutines":  b.chart("64 goroutines on distinct names", "pairs/s", "Goroutines", "pairs/s", 1),
		"allocations": b.chart("Allocations of a pair", "", "Pair", "allocs/op", 1),
		"handoff":     b.chart("From one client's unlock to another's lock, p50", "ms", "HandOff", "p50-ns", 1e6),
		"contend":     b.chart("Clients fighting for one lock: rate, as a share of a lone client's", "", "Contend", "of-lone", 1),
		"fairness":    b.chart("Clients fighting for one lock: most served to least served", "", "Contend", "most:least", 1),
		"wait":        b.chart("Clients fighting for one lock: p99 of the wait", "ms", "Contend", "wait-p99-ns", 1e6),
		"frozen":      b.chart("One of five nodes frozen: p99 of lock", "ms", "Frozen", "lock-frozen-p99-ns", 1e6),
		"far":         b.chart("One of five nodes 50 ms away: p50 of a pair", "µs", "Far", "p50-ns", 1e3),
		"cpu":         b.chart("Server CPU of a pair on one server", "µs", "CPU", "server-cpu-ns", 1e3),
	}
	for _, name := range []string{"handoff", "fairness", "wait", "frozen", "far"} {
		c := all[name]
		c.Log = true
		all[name] = c
	}
	for name, c := range all {
		if len(c.Bars) == 0 { // its case did not run
			delete(all, name)
		}
	}
	return all
}

// chart draws one unit of a case: a group per configuration.
func (b *bench) chart(title, unit, caseName, key string, scale float64) measure.Chart {
	c := measure.Chart{Title: title, Unit: unit}
	for _, k := range b.table.Keys() {
		if k.Case != caseName || k.Unit != key {
			continue
		}
		var scaled []float64
		for _, v := range b.table.Get(k) {
			scaled = append(scaled, v/scale)
		}
		c.Bars = append(c.Bars, measure.Bar{
			Group: strings.ReplaceAll(k.Config, "/", ", "), Name: k.Lock, Value: measure.Over(scaled), Own: strings.HasPrefix(k.Lock, "quorumlock"),
		})
	}
	return c
}
