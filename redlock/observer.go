package redlock

import (
	"time"

	"github.com/quorumlock/quorumlock/fencing"
)

// Observer is told what a client does. Observe is called by the goroutine to
// which it happens, in order for each lease; it must return quickly and must
// not call the client.
type Observer interface {
	Observe(Event)
}

// ObserverFunc makes an Observer of a function.
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of event.
const (
	EventAttempt       EventKind = iota + 1 // an attempt begins; ID is its id, new for each
	EventAttemptFailed                      // it failed; Err says why
	EventAcquired                           // it succeeded; Token and Deadline are set
	EventExtend                             // an extension begins; Auto tells renewals
	EventExtended                           // a majority prolonged; Deadline is the new one
	EventExtendFailed                       // it did not; Err says why. The lease lives until its deadline
	EventLost                               // the lease ended before it was released; Err says why
	EventRelease                            // Unlock was called
	EventReleased                           // a majority deleted the key
	EventReleaseFailed                      // it did not, or nobody knows; Err says which
	EventCleaned                            // nothing of the attempt or lease can be left on any node, or its ttl has passed
	EventPath                               // the protocol took the rarer way that Path names
	EventNode                               // Node's standing changed; Err is nil when it was admitted
)

// Path names a rarer way that the protocol took.
type Path uint8

// The paths.
const (
	PathRaise       Path = iota + 1 // grants differed and the lower ones were raised
	PathRepair                      // an extension filled in a node that lacked the lock
	PathLateGrant                   // a grant arrived after its attempt had ended, and was undone
	PathRetryGrant                  // a node answered that the lock was this attempt's already
	PathNewView                     // an attempt or an extension learnt a newer view and began again
	PathReadmission                 // this client admitted a node again
	PathCatchUp                     // this client brought a node's view up to date
	PathSuperseded                  // a node no longer takes a lease's token
	PathTooLate                     // a node refused a request that was held up in the network
)

// String returns the path's name as reports show it.
func (p Path) String() string {
	switch p {
	case PathRaise:
		return "raise"
	case PathRepair:
		return "repair"
	case PathLateGrant:
		return "late-grant"
	case PathRetryGrant:
		return "retry-grant"
	case PathNewView:
		return "new-view"
	case PathReadmission:
		return "re-admission"
	case PathCatchUp:
		return "catch-up"
	case PathSuperseded:
		return "superseded"
	case PathTooLate:
		return "too-late"
	}
	return "unknown"
}

// Event is one thing that happened in a client. Fields that a kind does not
// mention are zero.
type Event struct {
	Kind     EventKind
	At       time.Duration // on the client's Clock
	Name     string        // the lock's name
	ID       string        // the attempt's id, which is the lease's once acquired
	Token    fencing.Token
	Deadline time.Duration // on the client's Clock
	Auto     bool          // EventExtend and its ends: a renewal rather than a call of Extend
	Node     string
	Path     Path
	Err      error
}
