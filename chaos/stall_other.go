//go:build !linux

package chaos

import "time"

// threadWaits is empty: there is no such figure here, and stalls of a single
// thread go unseen.
func threadWaits() map[string]time.Duration { return nil }
