package main

import (
	"syscall"
	"time"

	"github.com/quorumlock/quorumlock/testenv"
)

// onWay is the direction in which a delay is put: a round trip takes longer by
// it once.
const onWay = testenv.Requests

// ownCPU is the CPU that this process has used, user and system.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it has no reason to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
