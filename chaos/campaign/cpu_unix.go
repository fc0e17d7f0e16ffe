//go:build unix

package campaign

import "syscall"

// processorSeconds is how much processor time this process has used. Where other
// programs share the machine, it says more than the clock about what a run costs.
func processorSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}
