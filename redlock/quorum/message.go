package quorum

import "time"

// Op names a script. The values are those of package script.
type Op uint8

// The scripts.
const (
	OpAcquire Op = iota + 1
	OpRaise
	OpExtend
	OpRelease
	OpProbe
	OpSeal
	OpPrepare
	OpAdmit
	OpRetire
)

// String returns the script's name.
func (o Op) String() string {
	names := [...]string{"?", "ACQUIRE", "RAISE", "EXTEND", "RELEASE", "PROBE", "SEAL", "PREPARE", "ADMIT", "RETIRE"}
	if int(o) < len(names) {
		return names[o]
	}
	return names[0]
}

// Ref says which call an answer belongs to. Tags grow within a machine.
type Ref struct {
	Node int // 0-based, in the order of the sorted names
	Op   Op
	Tag  uint32
}

// Call is a call that a machine wants sent. Fields that the Op does not need
// are zero; what the whole cluster shares (names of locks, maxttl, retention,
// the node's own index) is added by whoever sends it.
type Call struct {
	Ref
	ID       string        // Acquire, Raise, Extend, Release
	Cfg      string        // Acquire, Raise, Extend, Admit
	TTL      time.Duration // Acquire, Extend
	Hint     uint64        // Acquire
	NotAfter Time          // Acquire: on the client's clock
	Token    uint64        // Raise, Extend, Release
	Place    Place         // Acquire, and Release with Pass: in the lock's line
	Pass     Pass          // Release: what it does about the line

	Inc   string // Prepare, Admit, Retire
	Nonce string // Probe, Prepare, Admit, Retire
	Renew string // Probe
	Mark  string // Prepare, Admit
	Floor uint64 // Admit

	Static string // Seal
	Index  int    // Seal: 1-based index of the sealed name
	K      int    // Seal
	Entry  string // Seal
}

// Codes of a Reply, as in package script.
const (
	Refused     = 0
	OK          = 1
	Already     = 2
	NotAdmitted = -1
	TTLTooLong  = -2
	OtherConfig = -3
	Superseded  = -4
	ForeignKey  = -5
	TooLate     = -6
	OutOfRange  = -7
	Reserved    = -8

	codes = 9 // how many codes there are from Refused down
)

// Reply is a script's typed answer. It has the same fields as script.Reply, so
// that one converts to the other.
type Reply struct {
	Code     int
	Token    uint64
	Wait     time.Duration
	Now      int64
	MaxTTL   time.Duration
	Cfg      string
	Self     int
	Name     int
	Deleted  int
	Admitted bool
	Inc      string
	Nonce    string
	HW       uint64
	Floor    uint64
	Mark     string
}

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of event.
const (
	Won             EventKind = iota + 1 // Hold: the lock is held; Token, Deadline
	Failed                               // Hold: the attempt ended; Reason, Cfg that it was under
	Extended                             // Hold: Round prolonged the lease; Deadline
	ExtendFailed                         // Hold: Round did not; Reason
	Extending                            // Hold: Round begins
	Lost                                 // Hold: the lease ended before it was released; Reason
	Unlocked                             // Hold: a majority deleted the key
	UnlockFailed                         // Hold: it did not; Reason is Expired or Unknown
	Over                                 // Hold: nothing can be left of it on any node
	NewView                              // Node answered under a newer view, Cfg
	OldView                              // Node answered under an older view; it needs a CatchUp
	Unadmitted                           // Node may not vote; it needs a Rejoin
	OtherCluster                         // Node belongs to another cluster of the same nodes
	TookRaise                            // paths: RAISE was needed
	TookRepair                           // Node lacked the lock and was filled in
	TookLateGrant                        // Node granted after the attempt's end
	TookRetry                            // Node answered that the lock was ours already
	TookSuperseded                       // Node no longer takes the token
	TookTooLate                          // Node refused an ACQUIRE that came too late
	PassedOver                           // Node, the keeper of the lock's line, did not answer; the others are asked
	Known                                // Learn: the cluster is known; Cfg
	NotKnown                             // Learn: it is not; Reason
	Sealed                               // Rejoin: enough nodes are sealed; Deadline is when the wait ends
	Readmitted                           // Rejoin: Node was admitted
	AlreadyAdmitted                      // Rejoin: somebody else admitted Node; Cfg, if known
	RejoinFailed                         // Rejoin: Reason
	CaughtUp                             // CatchUp: Node was brought up to date
	CatchUpFailed                        // CatchUp: Reason
	Bootstrapped                         // Bootstrap: done; Cfg
	BootstrapFailed                      // Bootstrap: Reason, Node (−1 for none), Cfg or mark found there
)

// Event is something that a machine tells its caller.
type Event struct {
	Kind     EventKind
	Node     int
	Token    uint64
	Deadline Time
	Round    uint32 // Extending, Extended, ExtendFailed
	Auto     bool   // Extending and its ends: a renewal
	Reason   Reason
	Cfg      string
}

// Reason says why something failed.
type Reason uint8

// The reasons.
const (
	NoReason        Reason = iota
	Held                   // another holder has the lock
	NoQuorum               // too few nodes answered in time
	Quarantined            // too few nodes may vote
	ConfigDiffers          // nodes were admitted under another configuration
	SameServer             // a node was admitted under another of our names
	Foreign                // a foreign key is at the name
	TTLAboveMax            // ttl above a node's maxttl
	ViewChanged            // a newer view was met; a new attempt will use it
	ClusterChanged         // the cluster was bootstrapped anew
	TooSlow                // nothing of the validity was left at the decision
	Cancelled              // the caller gave up
	Expired                // the deadline has passed, or a majority no longer held
	TokenSuperseded        // too few nodes take the token any longer
	Unknown                // the outcome is unknown
	Replaced               // a newer extension took this one's place
	Released               // the lease was released meanwhile
	NotPrimary             // a node is a replica
	NeedsOperator          // too few admitted nodes are left
	Changed                // what a node showed differs from what it showed before
	Prepared               // a node bears the mark of an unfinished bootstrap
)

// String returns the reason in words.
func (r Reason) String() string {
	names := [...]string{"none", "held by another", "no quorum", "quarantined", "configuration differs",
		"two names, one server", "foreign key", "ttl above the cluster's maxttl", "view changed", "cluster changed",
		"too slow", "cancelled", "expired", "superseded", "unknown", "replaced", "released", "not a primary",
		"operator needed", "node changed meanwhile", "prepared by another bootstrap"}
	if int(r) < len(names) {
		return names[r]
	}
	return "?"
}

// Effects collects what a step wants done. The caller empties it.
type Effects struct {
	Calls  []Call
	Events []Event
}

func (e *Effects) call(c Call)   { e.Calls = append(e.Calls, c) }
func (e *Effects) event(v Event) { e.Events = append(e.Events, v) }

// Reset empties e and keeps its memory.
func (e *Effects) Reset() { e.Calls, e.Events = e.Calls[:0], e.Events[:0] }

// Machine is what all the state machines have in common. Steps must not
// overlap, and now must never decrease from one step to the next.
type Machine interface {
	// Reply takes a node's answer.
	Reply(now Time, ref Ref, r Reply, out *Effects)
	// Fail takes the news that no answer will come. notSent says that the node
	// certainly does not execute the call.
	Fail(now Time, ref Ref, notSent bool, out *Effects)
	// Tick lets the machine act on the passing of time.
	Tick(now Time, out *Effects)
	// Next is when the machine wants the next Tick, or Never.
	Next() Time
}
