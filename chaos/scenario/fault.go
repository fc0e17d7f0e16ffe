package scenario

import "slices"

// Kind names a fault, as histories and reports do.
type Kind string

// The kinds of fault that live runs know, and simulations too.
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
	Crash        Kind = "crash"         // a client is gone without a word; live: stories only
)

// The kinds that strike live runs in stories only.
const (
	Strand     Kind = "strand"      // what present connections carry is held and delivered late; new ones pass. No simulator knows it
	Duplicate  Kind = "duplicate"   // requests are executed twice; live: all of them once more when it is healed
	SameServer Kind = "same-server" // the second name leads to the server of the first; live: for Clients
	WallJump   Kind = "wall-jump"   // a client's wall clock jumps; only its hints come from there
	Slew       Kind = "slew"        // a clock runs at another rate, within what ρ allows; live: a node's
	Attach     Kind = "attach"      // a replica attaches, or the backlog is freed: a new incarnation, no loss. Live: the replica stays behind, as it then is
	Demote     Kind = "demote"      // a replica for a while, with its memory. Live: of the replica that attached, whose memory it takes
)

// The kinds that only a simulation can do: a live run has one process for all
// clients, and one server behind each name.
const (
	FreezeClient Kind = "freeze"      // a client stands still and goes on later
	ClockRate    Kind = "clock-rate"  // a clock runs at a rate that ρ does not allow: C1 is broken
	ClockJump    Kind = "clock-jump"  // a node's clock jumps, forward or back: C1 is broken
	LostSecond   Kind = "lost-second" // SIGKILL; what was written since the last whole second is lost
	Replace      Kind = "replace"     // an empty server takes the name; Clients still reach the old one
	Reset        Kind = "reset"       // connections are reset; what was sent is executed all the same
	Rollback     Kind = "rollback"    // a machine's snapshot is restored, incarnation and all: C2 is broken
)

// Kinds lists the kinds that can strike live runs at random, in the order of
// help texts.
func Kinds() []Kind {
	return []Kind{Kill, Amnesia, FlushAll, Freeze, PauseAll, CutNode, Partition, LoseRequests, LoseReplies, Hold, Delay}
}

// SimulatedKinds lists the kinds that a simulator can do.
func SimulatedKinds() []Kind {
	return append(Kinds(), Crash, FreezeClient, WallJump, Slew, ClockRate, ClockJump, LostSecond, Replace, SameServer,
		Demote, Attach, Reset, Duplicate, Rollback)
}

// AllKinds lists the kinds that a simulator or a live run can do.
func AllKinds() []Kind { return append(SimulatedKinds(), Strand) }

// Live tells whether a live run can do it, be it in a story only.
func (k Kind) Live() bool { return slices.Contains(Kinds(), k) || slices.Contains(StoryKinds(), k) }

// StoryKinds lists the kinds that strike live runs in stories only.
func StoryKinds() []Kind {
	return []Kind{Crash, Strand, Duplicate, SameServer, WallJump, Slew, Attach, Demote}
}

// LosesVote tells whether the node may not vote until it has been admitted
// again. Even a restart with memory counts: no node can tell it from a
// roll-back.
func (k Kind) LosesVote() bool {
	switch k {
	case Kill, Amnesia, FlushAll, LostSecond, Replace, Demote, Attach:
		return true
	}
	return false
}

// OnLinks tells whether the fault strikes links between clients and nodes
// rather than nodes.
func (k Kind) OnLinks() bool {
	switch k {
	case CutNode, Partition, LoseRequests, LoseReplies, Hold, Delay, Reset, Strand, Duplicate:
		return true
	}
	return false
}

// OnClients tells whether the fault strikes clients.
func (k Kind) OnClients() bool { return k == Crash || k == FreezeClient || k == WallJump }

// OnClocks tells whether the fault strikes the clock of a node, or, but for a
// jump, of a client.
func (k Kind) OnClocks() bool { return k == Slew || k == ClockRate || k == ClockJump }

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

	By    Duration `json:"by,omitempty"`    // jumps: how far; negative is back. Rollback: the snapshot's age
	Rate  int64    `json:"rate,omitempty"`  // Slew, ClockRate: how much faster the clock runs than true time, in ppm
	Force bool     `json:"force,omitempty"` // may leave less than a majority with a vote: C4 may be broken
}

// End is when the fault is healed, by the plan. A node that lost its vote gets
// it back later.
func (f Fault) End() Duration { return f.At + f.For }
