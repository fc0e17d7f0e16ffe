package campaign

import (
	"fmt"
	"strings"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// Setup is everything beside the seed that decides what a run does. It is
// comparable: runs of equal setups belong to one campaign.
type Setup struct {
	// Nodes, Clients and Keys are how many there are; zero draws them from the
	// seed.
	Nodes   int `json:"nodes"`
	Clients int `json:"clients"`
	Keys    int `json:"keys"`

	// Hint is on, off or mixed; empty means mixed.
	Hint string `json:"hint"`

	// Outside has clocks jump and clients pause beyond what the lock assumes.
	Outside bool `json:"outside"`

	// Story, if set, is the only one told, without random faults.
	Story string `json:"story"`

	// Duration is that of the faulted part; zero draws it from the seed.
	Duration scenario.Duration `json:"duration"`
}

// Args writes the setup as flags of simulate and replay, so that a seed and
// these make one plan.
func (s Setup) Args() string {
	var args strings.Builder
	for _, n := range []struct {
		flag  string
		value int
	}{{"nodes", s.Nodes}, {"clients", s.Clients}, {"keys", s.Keys}} {
		if n.value != 0 {
			fmt.Fprintf(&args, " --%s %d", n.flag, n.value)
		}
	}
	if s.Hint != "" && s.Hint != "mixed" {
		args.WriteString(" --hint " + s.Hint)
	}
	if s.Outside {
		args.WriteString(" --outside")
	}
	if s.Story != "" {
		args.WriteString(" --story " + s.Story)
	}
	if s.Duration != 0 {
		fmt.Fprintf(&args, " --duration %v", s.Duration)
	}
	return args.String()
}

// Replay is the command that repeats one seed of the setup; program is what it
// begins with.
func (s Setup) Replay(program string, seed uint64) string {
	return fmt.Sprintf("%s replay %d%s", program, seed, s.Args())
}
