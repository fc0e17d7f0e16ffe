//go:build race

package sim_test

// slowdown divides how much the tests do: the race detector is slow, and looks
// for nothing that more seeds would show.
const slowdown = 20
