package redlock

import "time"

// Clock measures time for a client. It must never run backwards and must go on
// while the machine sleeps, as a Redis server's clock does; otherwise a lease
// seems valid after its keys have expired.
//
// All methods may be called from many goroutines at once.
type Clock interface {
	// Now is the time since an arbitrary fixed point.
	Now() time.Duration
	// AfterFunc calls f in its own goroutine once d has passed, perhaps later.
	// The function that it returns stops the timer and reports whether it was
	// in time.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// WallClock is a Clock that tells the time of day too. Tokens aim at it, unless
// hints are off; with other clocks they aim at the machine's. Only speed depends
// on it, so it may be wrong and may jump.
type WallClock interface {
	Clock
	// Wall is the time of day.
	Wall() time.Time
}

// SystemClock is the clock that clients use by default: CLOCK_BOOTTIME on
// Linux, Go's monotonic clock elsewhere. Its timers stand still while the
// machine sleeps, so clients read the clock again at short intervals.
func SystemClock() Clock { return systemClock{} }

type systemClock struct{}

func (systemClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
