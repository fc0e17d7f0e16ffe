// Package dial turns one assumption of the lock at a time, further and further,
// and counts what breaks: how fast clocks drift apart, for how long a holder
// stands still, how far a node's clock jumps, how long a node that lost its
// memory stays away.
//
// Each setting is measured with and without a defence. What can be set, like
// the allowance for drift, is part of the plan; what cannot, like the
// quarantine, is switched off in the source: such an arm names a mutant, and
// whoever measures it must be built with that mutant's patch. The lock has no
// switch for it.
//
// It guarantees that a setting and a number of seeds give the same counts on
// every machine. It does not search for what breaks the lock: every setting is
// one directed plan, and only the times of messages vary with the seed. It
// deliberately imports neither the lock nor the mutants, only the simulator.
package dial
