package redlocktest_test

import (
	"fmt"
	"time"

	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// A simulator owns the nodes' clocks, and so the instant of every step.
func ExampleState() {
	now := int64(1_750_000_000_000_000)
	node := redlocktest.NewState("a1")

	probed := node.Apply(&script.Call{Op: script.Probe, Nonce: "n"}, now)
	node.Apply(&script.Call{
		Op: script.Admit, Inc: probed.Inc, Nonce: probed.Nonce,
		Cfg: "cfg|0-", Self: 1, MaxTTL: time.Minute,
	}, now)

	acquire := script.Call{
		Op: script.Acquire, Names: []string{"orders"}, ID: "first",
		Cfg: "cfg|0-", Self: 1, TTL: 10 * time.Second,
	}
	fmt.Println("first token:", node.Apply(&acquire, now).Token)

	acquire.ID = "second"
	now += 4_000_000
	fmt.Println("to wait:", node.Apply(&acquire, now).Wait)
	now += 6_001_000
	fmt.Println("second token:", node.Apply(&acquire, now).Token)
	// Output:
	// first token: 1
	// to wait: 6s
	// second token: 2
}
