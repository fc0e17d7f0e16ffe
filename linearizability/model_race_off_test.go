//go:build !race

package linearizability

// race tells that the race detector is on, which makes everything slow.
const race = false
