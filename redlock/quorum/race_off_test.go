//go:build !race

package quorum_test

const slowdown = 1
