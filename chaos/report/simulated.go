package report

import (
	"fmt"
	"time"
)

// BackendSimulated is what a Result's Backend says where no server was real. Such
// a run has no wall-clock time and no versions of servers, and its command
// repeats everything.
const BackendSimulated = "simulated"

func (r *Result) simulated() bool { return r.Backend == BackendSimulated }

// repeats says what the command in Replay repeats.
func (r *Result) repeats() string {
	if r.simulated() {
		return "the same run again, to the byte"
	}
	return "the same schedule again, though not the same interleaving of clients"
}

// setting says who fought over what, where.
func (r *Result) setting() string {
	return fmt.Sprintf("%d clients fought over %d locks on %d %ss for %v, and went on after the last fault.", r.Clients, r.Keys, r.Nodes, r.server(), r.Duration)
}

// server says what a node is.
func (r *Result) server() string {
	if r.simulated() {
		return "simulated node"
	}
	return "Redis server"
}

// luck says what a run without violation rests on.
func (r *Result) luck() string {
	if r.simulated() {
		return "That is no proof: one seed of many, in a world made up for it."
	}
	return fmt.Sprintf("That is no proof: %d s of one machine's luck.", int(r.Duration.D().Seconds()))
}

// stillness says who stood still, and how long.
func (r *Result) stillness() (who, times string) {
	if r.simulated() {
		return "clients stood still, by plan", r.Stalls.String()
	}
	return "this process stood still", r.Stalls.String()
}

// beside says what else is in the folder of the run.
func (r *Result) beside() string {
	if r.simulated() {
		return "history, results, schedule, story"
	}
	return "history, results, schedule, node logs"
}

// took says how long a check took, or nothing: how long it took to judge a
// simulated run is no part of it.
func took(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf(", in %v", d.Round(time.Millisecond))
}
