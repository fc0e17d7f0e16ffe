// Package scenario plans a chaos run: what every client does, which directed
// stories are told first, and which faults strike when.
//
// It guarantees that one set of Options gives one Plan, byte for byte in its
// JSON form, whatever machine it is made on; that each path of the protocol
// which the plan means to exercise has a story that takes it there; and that
// the planned faults leave a majority of nodes unimpaired, but for the rare
// moments in which all of them stop on purpose.
//
// It does not guarantee that a run follows the plan to the millisecond: a
// restart takes as long as it takes, and the runner postpones a fault that
// would cost a vote too many. The interleaving of clients is never repeated.
//
// The package does no I/O, reads no clock and starts no goroutine. It
// deliberately does not import the lock, so that other locks, and a simulator,
// can be run through the same plans.
package scenario
