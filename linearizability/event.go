package linearizability

import "strconv"

// Event is one line of a history. Events are plain values; none of the
// package's functions changes the events that it is given.
type Event struct {
	// Index numbers the lines 0, 1, 2, … and is the only order that checks use:
	// no two events are simultaneous. Writer and Order assign it.
	Index int

	// Time is in nanoseconds since the run began, taken before the call for an
	// invocation and after it for a completion. It never decreases from line
	// to line.
	Time int64

	// Process is the thread of control to which the event happened.
	Process Process

	// Type is Invoke, then one of OK, Fail and Info for a client's operation,
	// and Info alone for Nemesis and Observer.
	Type Type

	// F says which operation, observation or fault it is. For Nemesis it is
	// the fault's name.
	F F

	// Key is the lock's name. Events of Nemesis have none, nor have
	// observations other than Lost.
	Key string

	// Value holds the rest; which of its fields matter depends on F.
	Value Value

	// Error is the typed error's name and text on Fail and Info, or empty.
	Error string
}

// Process is a thread of control: zero or above for a client's, or one of
// Nemesis and Observer. A client's process does one operation at a time and
// ends with an operation that ended in Info: the client goes on under a number
// that was never used. Automatic renewals of a hold run under a number of their
// own.
type Process int64

// The processes that are no clients.
const (
	Nemesis  Process = -1 // injects faults
	Observer Process = -2 // looks on
)

// String returns the process as a history shows it.
func (p Process) String() string {
	switch p {
	case Nemesis:
		return "nemesis"
	case Observer:
		return "observer"
	}
	return strconv.FormatInt(int64(p), 10)
}

// Type says what an event tells about an operation.
type Type string

// The types.
const (
	Invoke Type = "invoke" // it begins
	OK     Type = "ok"     // it happened
	Fail   Type = "fail"   // it certainly did not happen
	Info   Type = "info"   // nobody knows; also an operation never completed
)

// F is the function of an event.
type F string

// The functions. Nemesis uses names of its own choice, of which only Freeze and
// Crash have a meaning here.
const (
	Acquire F = "acquire"
	Extend  F = "extend"
	Release F = "release"
	Stamp   F = "stamp" // tell the guarded resource one's token
	Read    F = "read"  // read the guarded counter
	Write   F = "write" // write the guarded counter, one more than was read

	LostHold   F = "lost"  // the holder was told that it lost its hold
	SampleKeys F = "keys"  // a round of samples of the nodes' lock keys
	StallSeen  F = "stall" // a client's process did not run

	Freeze F = "freeze" // a client's process is stopped
	Crash  F = "crash"  // a client's process is gone, with what it held
)

// Mode is how a hold shares its lock.
type Mode string

// The modes. The empty mode means ModeWrite.
const (
	ModeWrite Mode = "w"
	ModeRead  Mode = "r" // may overlap with other readers
)

// Resource names one of the two guarded resources of a run.
type Resource string

// The resources: the same counter with and without a check of the token.
const (
	Fenced   Resource = "fenced"
	Unfenced Resource = "unfenced"
)

// Value is what an event carries. A pointer is nil where the history says
// nothing, which is not the same as zero.
type Value struct {
	// Client is the owner, stable across process numbers. Every invocation by a
	// client has it.
	Client string `json:"client,omitempty"`

	// Hold names a successful acquire, and is unique among all of them. On
	// other operations it says which hold they are about. Operations on a
	// resource should have it too: see Overrun.
	Hold string `json:"hold,omitempty"`

	// ID is the string that stands on the nodes for the hold (acquire, ok).
	ID string `json:"id,omitempty"`

	// Token is the fencing token; zero means none.
	Token Token `json:"token,omitempty"`

	// ValidUntil is the deadline that an acquire or extend promised, on the
	// clock of Event.Time. Nil means none was promised.
	ValidUntil *int64 `json:"valid_until,omitempty"`

	// Permits is how many of a semaphore's permits an acquire takes. Zero
	// means one.
	Permits int `json:"permits,omitempty"`

	// Mode is how the hold shares its lock.
	Mode Mode `json:"mode,omitempty"`

	// Resource is the one that a stamp, read or write works on.
	Resource Resource `json:"resource,omitempty"`

	// N is what a read returned or a write sent.
	N *int64 `json:"n,omitempty"`

	// Accepted is false where the resource refused an operation because of its
	// token. Nil on a completed operation means true.
	Accepted *bool `json:"accepted,omitempty"`

	// Exactly one of these is set where the process is Nemesis or Observer,
	// but for LostHold; elsewhere none is.
	Fault *Fault `json:"-"`
	Keys  *Keys  `json:"-"`
	Stall *Stall `json:"-"`
}

// Fault phases. A fault without a phase has FaultBegin and nothing else.
const (
	FaultBegin = "begin" // written once the fault's effect is confirmed
	FaultEnd   = "end"   // written once it is healed
)

// Fault is the value of Nemesis's events. A fault that lasts has two, with the
// same ID; a fault of one moment has the first alone.
type Fault struct {
	ID        int64       `json:"id,omitempty"` // counted from 1, never used twice
	Phase     string      `json:"phase,omitempty"`
	Nodes     []string    `json:"nodes,omitempty"`
	Clients   []string    `json:"clients,omitempty"`
	Links     [][2]string `json:"links,omitempty"` // pairs of client and node
	Direction string      `json:"direction,omitempty"`
	Confirmed bool        `json:"confirmed"` // its effect was seen
}

// Keys is one round of samples of all nodes, taken past the clients' network.
type Keys struct {
	From  int64                 `json:"from"` // before the first node was asked, ns like Event.Time
	To    int64                 `json:"to"`   // after the last one answered
	Nodes map[string]NodeSample `json:"nodes"`
}

// NodeSample is what one node held. A node that did not answer is listed too,
// as not admitted.
type NodeSample struct {
	Admitted bool              `json:"admitted"`        // it may vote
	Keys     map[string]string `json:"keys,omitempty"`  // the lock's name → the id at it
	NoTTL    []string          `json:"no_ttl,omitzero"` // names of lock keys that never expire; nil means not looked at
}

// Stall is a time in which client processes did not run.
type Stall struct {
	From    int64    `json:"from"` // ns like Event.Time
	To      int64    `json:"to"`
	Clients []string `json:"clients,omitempty"` // empty means everybody
}

// accepted tells whether a completed operation on a resource took effect.
func (v *Value) accepted() bool { return v.Accepted == nil || *v.Accepted }

// Token is a fencing token; zero means none.
type Token uint64

// String returns the token in decimal.
func (t Token) String() string { return strconv.FormatUint(uint64(t), 10) }
