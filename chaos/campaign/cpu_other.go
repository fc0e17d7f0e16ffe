//go:build !unix

package campaign

// processorSeconds is not known here.
func processorSeconds() float64 { return 0 }
