package redlocktest

import "time"

// Clock is a client's clock for tests in a bubble of testing/synctest: it reads
// the bubble's time, which stands still while anything runs. Give it to the
// lock's configuration. Outside of a bubble it follows the wall clock, which
// may be set back, and must not be used. The zero value is ready.
type Clock struct{}

// Now returns the time since the Unix epoch.
func (Clock) Now() time.Duration { return time.Duration(time.Now().UnixNano()) }

// AfterFunc calls f in its own goroutine once d has passed. The function that
// it returns stops the timer and reports whether it was in time.
func (Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
