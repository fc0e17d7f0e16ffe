//go:build race

package quorum_test

// slowdown divides the number of random runs under the race detector, which has
// nothing to find in a package without goroutines.
const slowdown = 6
