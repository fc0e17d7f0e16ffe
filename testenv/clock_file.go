package testenv

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"sync"
	"time"
)

// nodeClock is the file that a node's servers have their time from: a counter,
// then two slots of three numbers each, of which the counter's last bit chooses
// one. It outlives the servers.
type nodeClock struct {
	path string

	mu    sync.Mutex // guards what follows, and the file
	count uint64
	rule  clockRule
}

// clockRule: the clock shows shown when it is really since, and gains ppm from
// there on. Times in Unix nanoseconds.
type clockRule struct{ since, shown, ppm int64 }

func (r clockRule) at(now int64) int64 {
	d := now - r.since
	return r.shown + d + d/1_000_000*r.ppm + d%1_000_000*r.ppm/1_000_000
}

func newNodeClock(path string) (*nodeClock, error) {
	c := &nodeClock{path: path}
	return c, os.WriteFile(path, make([]byte, 8+2*24), 0o600)
}

func (c *nodeClock) at(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Unix(0, c.rule.at(now.UnixNano()))
}

// set changes the clock. A running server never sees half of it: the slot that
// is not in use is written first, and the counter in one write.
func (c *nodeClock) set(now time.Time, to Clock) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := os.OpenFile(c.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	real := now.UnixNano()
	if real > math.MaxInt64-int64(maxOffset) {
		return fmt.Errorf("this machine's clock stands at %v", now)
	}
	rule := clockRule{since: real, shown: real + int64(to.Offset), ppm: to.PPM}
	var slot []byte
	for _, v := range []int64{rule.since, rule.shown, rule.ppm} {
		slot = binary.NativeEndian.AppendUint64(slot, uint64(v))
	}
	next := c.count + 1
	if _, err := f.WriteAt(slot, 8+24*int64(next&1)); err != nil {
		return err
	}
	if _, err := f.WriteAt(binary.NativeEndian.AppendUint64(nil, next), 0); err != nil {
		return err
	}
	c.count, c.rule = next, rule
	return nil
}

// wrong reports whether the clock differs from this machine's.
func (c *nodeClock) wrong() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rule.shown != c.rule.since || c.rule.ppm != 0
}
