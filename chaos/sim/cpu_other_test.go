//go:build !linux

package sim_test

import "time"

func processorTime() time.Duration { return 0 }
