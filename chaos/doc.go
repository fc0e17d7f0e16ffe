// Package chaos runs many clients of the lock against real Redis servers while
// it breaks those servers and the links to them, records what every client
// saw, and has the record judged.
//
// It guarantees that a fault counts only once its effect was observed; that
// what clients saw is recorded by a wrapper around the lock's public API and
// its observer, on one clock, so that the verdict rests on nothing that the
// lock says about itself beyond what a user is told; that a run in which too
// little happened is reported as vacuous rather than valid; and that nothing
// is left running when Run returns.
//
// It does not guarantee that a run finds what is wrong, and a verdict without
// violation is never a proof. A replay repeats the schedule, not the
// interleaving. All clients live in one process: a stall of it stalls all of
// them, and is recorded.
//
// It deliberately knows nothing of the lock's scripts or state machines; the
// plans are made in scenario and the judging is done in linearizability.
package chaos
