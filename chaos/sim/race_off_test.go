//go:build !race

package sim_test

// slowdown divides how much the tests do.
const slowdown = 1
