//go:build race

package redlock_test

// raceEnabled says that the race detector is on.
const raceEnabled = true
