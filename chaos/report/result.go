package report

import (
	"fmt"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// Version is the version of results.json that this package writes and reads.
// docs/results.schema.json describes it.
const Version = 1

// WordFailed stands in the place of a verdict where the harness itself failed,
// so that the run says nothing about the lock.
const WordFailed = "HARNESS FAILED"

// Result is what a run came to, as results.json has it. Times without a unit
// in their name read like "1.5s" in JSON.
type Result struct {
	Version  int       `json:"version"`
	Word     string    `json:"word"` // VIOLATED, NO VIOLATION OBSERVED, UNKNOWN, VACUOUS or HARNESS FAILED
	ExitCode int       `json:"exit_code"`
	Error    string    `json:"error,omitempty"` // why the harness failed
	Replay   string    `json:"replay"`          // repeats the schedule, not the interleaving; a simulated run to the byte
	Began    time.Time `json:"began"`           // zero for a simulated run, which has no such time
	Go       string    `json:"go"`
	Platform string    `json:"platform"`
	Early    bool      `json:"stopped_early,omitempty"`

	Seed     uint64            `json:"seed"`
	Duration scenario.Duration `json:"duration"`
	Healed   scenario.Duration `json:"healed"`  // when everything had been healed, since the run's beginning
	Backend  string            `json:"backend"` // "process", "container" or BackendSimulated
	Nodes    int               `json:"nodes"`
	Clients  int               `json:"clients"`
	Keys     int               `json:"keys"`
	Versions map[string]string `json:"versions"` // of what took part, by name
	Files    []string          `json:"files"`    // beside results.json; folders end in a slash
	History  HistoryFile       `json:"history"`

	// Verdict is nil where the history could not be judged.
	Verdict *linearizability.Verdict `json:"verdict"`

	// Invariant names what fell inside the protocol where a history does not show
	// it, and InvariantHow says how. Only a simulator looks there.
	Invariant    string `json:"invariant,omitempty"`
	InvariantHow string `json:"invariant_how,omitempty"`

	SecondOpinion *linearizability.Opinion `json:"second_opinion"` // nil if there is none
	Params        linearizability.Params   `json:"params"`
	Tally         linearizability.Tally    `json:"tally"`
	Stories       []StoryOutcome           `json:"stories"`
	Faults        []Entry                  `json:"faults"`
	Kinds         []KindCount              `json:"fault_kinds"`
	Stalls        Stalls                   `json:"stalls"`
	Refused       int                      `json:"refused_by_fence"` // operations on the fenced resource
	NodeLog       []string                 `json:"node_log"`         // what befell nodes, in the clients' eyes
	Limits        []string                 `json:"limits"`
}

// Fallen names the claimed properties that fell, and after them the invariant.
func (r *Result) Fallen() []string {
	var list []string
	for _, v := range r.violated() {
		list = append(list, string(v.Property))
	}
	if r.Invariant != "" {
		list = append(list, r.Invariant)
	}
	return list
}

// Entry is what became of one planned fault. Times are those of the run.
type Entry struct {
	ID        int64              `json:"id"`
	Kind      scenario.Kind      `json:"kind"`
	Story     string             `json:"story,omitempty"` // the directed story it belongs to; else it was drawn
	Planned   scenario.Duration  `json:"planned"`
	Begin     scenario.Duration  `json:"begin,omitempty"` // when its effect had been confirmed
	End       scenario.Duration  `json:"end,omitempty"`   // when it was healed, and a lost vote was back
	Nodes     []string           `json:"nodes,omitempty"`
	Clients   []string           `json:"clients,omitempty"`
	Direction scenario.Direction `json:"direction,omitempty"`
	Confirmed bool               `json:"confirmed"`
	Reason    string             `json:"reason,omitempty"` // why it was not confirmed, or not on all links
}

// StoryOutcome is what became of a directed story.
type StoryOutcome struct {
	Name  string            `json:"name"`
	Why   string            `json:"why"`
	Tries int               `json:"tries"`
	Told  bool              `json:"told"` // every step ended as it must
	Begin scenario.Duration `json:"begin"`
	End   scenario.Duration `json:"end"`
	Error string            `json:"error,omitempty"` // of the last try, if it was not told
}

// KindCount is how many faults of a kind were planned, and how many confirmed.
type KindCount struct {
	Kind      scenario.Kind `json:"kind"`
	Planned   int           `json:"planned"`
	Confirmed int           `json:"confirmed"`
}

// Stalls sums up when the harness's process did not run.
type Stalls struct {
	Count   int               `json:"count"`
	Total   scenario.Duration `json:"total"`
	Longest scenario.Duration `json:"longest"`
}

// String says how often, how long in all, and how long at most. Holders may be
// told of a loss late by as much.
func (s Stalls) String() string {
	return fmt.Sprintf("%d times for more than 5 ms, %v in all, %v at the longest",
		s.Count, s.Total.D().Round(10*time.Millisecond), s.Longest.D().Round(time.Millisecond))
}
