package sim_test

import (
	"syscall"
	"time"
)

// processorTime is how long this process has used processors, the collector's
// threads included.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
