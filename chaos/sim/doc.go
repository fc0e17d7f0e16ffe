// Package sim runs the lock in a world that it makes up: servers in memory with
// clocks and disks of their own, a network that delays, loses, repeats and holds
// messages, and clients that pause and die. One seeded queue of events decides
// everything, so a plan gives one run, byte for byte, on any machine.
//
// What is run is the shipped protocol: clients are the state machines of package
// quorum, membership, retries and clocks included, and nodes are
// redlocktest.State, which answers as real Redis does. This package is their
// executor and decides nothing that they decide; it takes the place of package
// redlock, its driver, and Redis. The plans, the history, the properties and
// the verdict are those of live runs.
//
// # What it guarantees
//
// Equal plans give equal outcomes, digest included, whatever GOMAXPROCS is and
// whatever ran before in the same Runner. No two events are simultaneous. The
// protocol's invariants are asserted after every event that can break them. A
// plan is refused, with a typed error, or it is run: a violation is an outcome.
//
// # What it does not
//
// It shows nothing about sockets, goroutines, Redis or the library's own glue:
// live runs do. Time passes only between events; a step of a machine takes
// none. Servers have no memory limit. Messages of one connection keep their
// order, but one that is lost does not hold up those behind it, as it would
// with TCP.
//
// The package deliberately does not import the lock itself, a network, or
// anything that reads a clock.
package sim
