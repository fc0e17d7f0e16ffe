// Package linearizability reads and writes histories of locks under test and
// says which properties they break.
//
// A history is a file of JSON objects, one a line, in the order in which things
// happened: what clients asked and were answered, what an observer saw past
// them, and which faults were injected. [Reader] and [Writer] carry it, [Order]
// puts recorded events in order, [Judge] gives each property its verdict, and
// [Plan.Vacuous] says whether a run was busy enough for a verdict to mean
// anything. [Check] judges a history against one model alone.
//
// What is guaranteed: a violation that is reported is one by the definition of
// its property, and comes with the lines that show it. Every check of [Judge]
// takes O(n log n) time in the size of the history, as long as ids on the nodes
// are unique. So does [Check] where its sweep is exact; elsewhere it searches,
// within limits, and says Unknown where it met one. A history that breaks its own
// rules is refused, with the line and the reason, and is not judged.
//
// What is not: that no violation was found does not mean that the lock is
// correct, only that this history shows nothing against it. A property that a
// history says too little about is reported as not judged, never as valid.
//
// The package knows nothing of Redis, networks, processes or clocks, and
// deliberately does not import the lock that it judges: a mistake in the lock
// must not be able to hide itself here.
package linearizability
