//go:build !linux

package redlock

import "time"

var clockBase = time.Now()

// Now reads Go's monotonic clock.
func (systemClock) Now() time.Duration { return time.Since(clockBase) }
