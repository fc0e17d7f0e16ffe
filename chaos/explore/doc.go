// Package explore visits every interleaving of small scopes of the shipped
// protocol: the state machines of package quorum over nodes in memory.
//
// A scope is a handful of nodes and attempts, and a list of what may happen how
// often: calls that are lost, answered late or executed twice, keys that
// expire, nodes that lose their memory, two servers behind one name, rejoins,
// bootstraps, foreign clients. The search is breadth first, so the first
// violation that it finds is a shortest one, and it is told step by step in
// plain English.
//
// # What it guarantees
//
// Explore looks at every state of a scope that can be reached, and at every
// step from each, or says that it did not. It decides nothing of the protocol
// itself: who wins, what a node answers and what is sent next is decided by
// packages quorum, script and redlocktest, of which it holds values. States are
// compared whole, not by a hash. Two runs find the same states in the same
// order and tell the same story.
//
// # What it does not
//
// It says nothing beyond its scopes: not of more attempts, nodes or losses than
// they have, and not of clocks that drift or jump, which are the simulator's to
// try. Time passes in whole ticks, for everybody at once; when a caller asks
// again (quorum.Waiter) and which client begins a rejoin is left open, so that
// anybody may do it at any time, which is more than clients do.
//
// A run that is interrupted cannot be resumed: it begins again.
//
// # How it is made fast
//
// A state is a tuple of numbers, one for each server and each actor; equal
// servers and actors have equal numbers. What a step makes of a server or an
// actor is computed once, by the shipped code, and remembered. Symmetric states
// are explored once: see symmetry.
//
// The package imports no harness and no checker: it must be able to judge a
// protocol that they judge too, independently of them.
package explore
