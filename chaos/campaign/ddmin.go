package campaign

import "slices"

// ddmin returns a part of 0 … n-1, in order, for which fails holds and which
// cannot do without any one of its elements. fails must hold for the whole;
// it is not asked again about that. It stops, with the best so far, when stop
// says so.
//
// The algorithm is that of Zeller and Hildebrandt, Simplifying and Isolating
// Failure-Inducing Input (2002): try to do without ever smaller chunks. Trying
// chunks alone, as the paper does first, seldom helps where parts depend on
// each other, so only the complements are tried, the last chunk first: what
// comes late in a run seldom matters to a failure before it.
func ddmin(n int, fails func(keep []int) bool, stop func() bool) []int {
	keep := make([]int, n)
	for i := range keep {
		keep[i] = i
	}
	for chunk := n; len(keep) > 0 && !stop(); {
		chunk = min(chunk, len(keep))
		shrunk := false
		for end := len(keep); end > 0 && !stop(); {
			start := max(0, end-chunk)
			if rest := slices.Concat(keep[:start], keep[end:]); fails(rest) {
				keep, shrunk = rest, true
			}
			end = start
		}
		if chunk == 1 && !shrunk {
			break
		}
		chunk = (chunk + 1) / 2
	}
	return keep
}
