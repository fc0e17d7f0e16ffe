package redlock

import (
	"syscall"
	"time"
	"unsafe"
)

const clockBoottime = 7 // CLOCK_BOOTTIME in the kernel's time.h

// Now reads CLOCK_BOOTTIME, which the standard library does not offer.
func (systemClock) Now() time.Duration {
	var ts syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		// Linux has had this clock since 2.6.39; without it no deadline can be
		// kept, and no caller could go on.
		panic("redlock: CLOCK_BOOTTIME: " + errno.Error())
	}
	return time.Duration(ts.Nano())
}
