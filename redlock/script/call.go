package script

import "time"

// Op names one of the scripts.
type Op uint8

// The scripts, in the order in which a lock meets them.
const (
	Acquire Op = iota + 1
	Raise
	Extend
	Release
	Probe
	Seal
	Prepare
	Admit
	Retire
)

// Call is one call of a script on one node. Which fields count depends on Op;
// the others are ignored.
//
// A Call is a plain value. Names is shared, never written to.
type Call struct {
	Op     Op
	Prefix string   // goes before every key and channel
	Names  []string // lock names: one token covers all of them

	ID       string        // Acquire, Raise, Extend, Release: the attempt's id
	Cfg      string        // Acquire, Raise, Extend, Admit: static part, '|', view
	Self     int           // Acquire, Raise, Extend, Admit: 1-based index of the addressed name
	TTL      time.Duration // Acquire, Extend: whole milliseconds
	Hint     uint64        // Acquire: 0 for none
	NotAfter int64         // Acquire: node time in Unix µs after which it is refused; 0 for never
	Token    uint64        // Raise, Extend; Release: 0 unless an Extend was ever sent
	Place    Place         // Acquire, and Release with Pass: the waiter's place in the line, or zero
	Pass     Pass          // Release: what it does about the line

	Inc    string        // Prepare, Admit, Retire: the incarnation that PROBE showed
	Nonce  string        // Probe: a fresh one; Prepare, Admit, Retire: the one that PROBE showed
	Renew  string        // Probe: the boot mark to get rid of, or empty
	Mark   string        // Prepare, Admit: the boot mark; empty for a rejoin
	Floor  uint64        // Admit
	MaxTTL time.Duration // Admit: whole milliseconds
	Keep   time.Duration // Admit: retention of fences, whole milliseconds

	Static string // Seal: the static part of the configuration
	Index  int    // Seal: 1-based index of the sealed name
	K      int    // Seal: how many times that name was replaced
	Entry  string // Seal: the newcomer's short id, hex
}

// The codes of a Reply. What each script can answer is listed at its Lua file.
const (
	Refused     = 0  // Acquire: busy; Raise, Extend: not the holder; Seal: a larger entry is there; Prepare, Admit, Retire: see the script
	OK          = 1  // granted, raised, prolonged, sealed, prepared, admitted, retired; Probe: it answered
	Already     = 2  // Acquire: already mine; Extend: repaired; Admit: was admitted
	NotAdmitted = -1 // the node may not vote: it lost its memory, was replaced, or is no primary
	TTLTooLong  = -2 // ttl above the node's maxttl; MaxTTL says which
	OtherConfig = -3 // the node's configuration or own name differs; Cfg and Self say how
	Superseded  = -4 // Extend: the fence reads above the token; the key was left alone
	ForeignKey  = -5 // a key of another type or without a ttl stands at a lock's name
	TooLate     = -6 // Acquire: not-after has passed; Now says by how much
	OutOfRange  = -7 // a value that no correct client sends, or a counter near 2^53; nothing was written
	Reserved    = -8 // Acquire: free, but kept for another waiter for Wait
)

// Reply is the typed answer of a script. Fields that the script does not
// return are zero.
type Reply struct {
	Code     int
	Token    uint64        // Acquire, Raise, Extend: the node's counter for the names after the call
	Wait     time.Duration // Acquire refused: the longest remaining ttl among the names; Reserved
	Now      int64         // node time, Unix µs: Acquire granted, refused, reserved or too late, Probe
	MaxTTL   time.Duration // TTLTooLong, Probe
	Cfg      string        // OtherConfig, Probe, Seal, Prepare refused
	Self     int           // OtherConfig, Probe, Seal: the index under which the node was admitted
	Name     int           // ForeignKey: 1-based index into Names
	Deleted  int           // Release: how many of the names it deleted
	Admitted bool          // Probe
	Inc      string        // Probe
	Nonce    string        // Probe
	HW       uint64        // Probe, Seal: the highest token ever assigned on the node
	Floor    uint64        // Probe
	Mark     string        // Probe; Prepare refused: the boot mark that is there
}
