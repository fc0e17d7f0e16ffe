// Package quorum is the lock protocol as pure state machines: events go in,
// effects come out.
//
// A [Hold] is one attempt to take a lock and what becomes of it: it asks all
// nodes, decides on a token, renews, loses or releases, and cleans up after
// itself. A [Waiter] says when a refused client asks again. [Learn] finds out
// which cluster the nodes belong to, [Rejoin] admits a node that lost its
// memory, [CatchUp] brings a node's view up to date, and [Bootstrap] admits
// all nodes of a new cluster.
//
// What a client remembers from one machine to the next decides as well, and is
// as pure: [Members] which configuration to ask under and which machines to
// start for it, the Waiter whether a failed attempt is followed by another,
// [Attendance] which node keeps a lock's waiting line, [Rivals] whether others
// want it, [NodeClock] what node time a not-after bears, [Hints] which token to
// aim at.
//
// Every machine is stepped by one caller at a time with the time on the
// client's own clock. A step appends the calls to send and the events to tell
// to an [Effects]; the caller sends the calls, in order for each node, and
// steps the machine again with each answer, each failure, and whenever the
// time that Next returns has come. The live client does so with goroutines and
// sockets, a simulator with one seeded queue.
//
// States are plain values: assignment copies them, they hold no pointer, map
// or slice, and [Canonical] encodes them in exactly one way. The package
// starts no goroutine, reads no clock and draws no random number; it imports
// no other package of the project.
//
// # What it guarantees
//
// A token T counts only where a majority of nodes each assigned exactly T to
// this very attempt, and every node only ever assigns upwards. So tokens are
// unique and grow strictly from one hold to the next, whatever the clocks do,
// as long as nodes keep their memory or are kept from voting until they were
// admitted again. Mutual exclusion besides needs clocks whose relative rates
// differ by no more than ρ.
//
// # What it does not
//
// It does not make a write safe that a stale holder sends late: the resource
// must check the token. Waiters are served in the order in which they came as a rule only.
package quorum
