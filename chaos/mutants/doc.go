// Package mutants plants mistakes in the lock and has the harness convict them.
//
// A harness that finds nothing shows something only if it would find what is
// there. So each mutant is one small change to the source that is shipped: it
// is applied to a copy of the file, the engines are built with that copy in
// its place (go build -overlay), and each engine that is named for the mutant
// must end in a violation of the property that the mistake breaks. The library
// has no hook for it. A mistake in what a node does is made twice, in the
// script and in the node in memory, and the two must still agree with each
// other in the conformance test: else the simulator would convict another
// mistake than the one that a server would run.
//
// A mutant that no longer applies is an error, never a skip; and every command
// that convicts a mutant is run on the lock as it is as well, which must pass
// it, or it would convict anything. The package imports nothing of the project:
// it drives built commands as a person would, and reads what they leave.
package mutants
