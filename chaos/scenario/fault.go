package scenario

import "slices"

// Kind names a fault, as histories and reports do.
type Kind string

// The kinds of fault.
const (
	Kill         Kind = "kill"          // SIGKILL; restarted with its memory
	Amnesia      Kind = "amnesia"       // SIGKILL; restarted with an empty disk
	FlushAll     Kind = "flushall"      // FLUSHALL: the memory is lost without a restart
	Freeze       Kind = "pause"         // SIGSTOP, then SIGCONT; "freeze" is a client's
	PauseAll     Kind = "pause-all"     // every node frozen at once
	CutNode      Kind = "cut"           // a node cut off from all working clients
	Partition    Kind = "partition"     // a client cut off from all nodes
	LoseRequests Kind = "lose-requests" // requests vanish on their way
	LoseReplies  Kind = "lose-replies"  // requests are executed and their replies vanish
	Hold         Kind = "hold"          // bytes are held and delivered late
	Delay        Kind = "delay"         // bytes take longer
	Crash        Kind = "crash"         // a client is gone without a word; stories only
)

// Kinds lists the kinds that can strike at random, in the order of help texts.
func Kinds() []Kind {
	return []Kind{Kill, Amnesia, FlushAll, Freeze, PauseAll, CutNode, Partition, LoseRequests, LoseReplies, Hold, Delay}
}

// LosesVote tells whether the node may not vote until it has been admitted
// again. Even a restart with memory counts: no node can tell it from a
// roll-back.
func (k Kind) LosesVote() bool { return k == Kill || k == Amnesia || k == FlushAll }

// OnLinks tells whether the fault strikes links between clients and nodes
// rather than nodes.
func (k Kind) OnLinks() bool {
	return slices.Contains([]Kind{CutNode, Partition, LoseRequests, LoseReplies, Hold, Delay}, k)
}

// Direction says which bytes of a link a fault strikes.
type Direction string

// The directions. Requests flow from client to node, replies back.
const (
	Both     Direction = "both"
	Requests Direction = "requests"
	Replies  Direction = "replies"
)

// Fault is one planned fault. It begins At after the run's start and is healed
// For later; a fault of one moment has For zero.
type Fault struct {
	ID        int       `json:"id"` // 1, 2, 3 … within the plan
	Kind      Kind      `json:"kind"`
	At        Duration  `json:"at"`
	For       Duration  `json:"for,omitempty"`
	Nodes     []string  `json:"nodes,omitempty"`
	Clients   []string  `json:"clients,omitempty"` // faults on links: every pair of Clients and Nodes
	Direction Direction `json:"direction,omitempty"`
	Latency   Duration  `json:"latency,omitempty"`
	Jitter    Duration  `json:"jitter,omitempty"`
}

// End is when the fault is healed, by the plan. A node that lost its vote gets
// it back later.
func (f Fault) End() Duration { return f.At + f.For }
