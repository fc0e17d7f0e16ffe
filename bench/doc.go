// Package bench holds what is measured and tested beside other Go locks. A
// figure means something only as a ratio to another of the same run, on the
// same servers, taken in turn.
//
//	cmd/locksbench  the program behind `make bench`: cases, ratios, plots
//	measure         samples, spreads, ratios, targets, benchstat lines, charts
//	subject         every lock under one interface, and the floors below them
//	pipe            the bare pipelined connections that the floors use
//	reference       the protocol's scripts in their plain form, to compare with
//	defects         what goes wrong in other locks, and does not here
//
// It is a module of its own, so that the library requires none of the locks
// that it is compared with.
package bench
