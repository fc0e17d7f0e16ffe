package testenv

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Clock says how a server's wall clock differs from this machine's. Zero: not.
type Clock struct {
	// Offset is by how much it is ahead, negative if behind.
	Offset time.Duration
	// PPM is how many microseconds it gains in each second from now on, negative
	// if it is slow; more than -1,000,000 and at most 1,000,000.
	PPM int64
}

// maxOffset keeps times within what the kernel can represent, by far.
const maxOffset = 100 * 365 * 24 * time.Hour

func (c Clock) validate() error {
	switch {
	case c.Offset < -maxOffset || c.Offset > maxOffset:
		return &ConfigError{"Clock.Offset", c.Offset.String(), "must be within 100 years"}
	case c.PPM <= -1_000_000 || c.PPM > 1_000_000:
		return &ConfigError{"Clock.PPM", strconv.FormatInt(c.PPM, 10), "must be above -1,000,000 and at most 1,000,000"}
	}
	return nil
}

// SetClock makes the server's wall clock jump to this machine's time plus
// c.Offset, and run from there at the rate that c.PPM says, until SetClock or
// HealAll changes it. Processes that serve at the node later have the same
// clock: it is the machine's. The monotonic clock is left alone, as a step of
// the wall clock leaves it.
//
// It returns once a running server was seen to have that time (give or take a
// second, and the rate by itself is not observed); with a frozen or dead one,
// once it is set. Without Config.Clocks it is ErrUnsupported.
func (n *Node) SetClock(ctx context.Context, c Clock) error {
	return n.fault(ctx, "set clock", func(ctx context.Context) error { return n.setClock(ctx, c) })
}

func (n *Node) setClock(ctx context.Context, c Clock) error {
	if n.clock == nil {
		return ErrUnsupported
	}
	if err := c.validate(); err != nil {
		return err
	}
	if err := n.clock.set(time.Now(), c); err != nil || !n.reachable() {
		return err
	}
	// A server that was linked statically, say, never follows.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		shown, err := n.Time(ctx)
		if err != nil {
			return false, err
		}
		if off := shown.Sub(n.clock.at(time.Now())); off.Abs() > time.Second {
			return false, fmt.Errorf("the server's clock is %v off what was set", off)
		}
		return true, nil
	})
	if err != nil {
		return errors.Join(ErrUnconfirmed, err)
	}
	return nil
}

// Time asks the server for its wall clock (TIME), past the proxies.
func (n *Node) Time(ctx context.Context) (time.Time, error) {
	parts, err := redis.Int64s(n.do(ctx, "TIME"))
	if err != nil {
		return time.Time{}, err
	}
	if len(parts) != 2 {
		return time.Time{}, fmt.Errorf("TIME: %d numbers, not 2", len(parts))
	}
	return time.Unix(parts[0], parts[1]*1000), nil
}

// now is the server's wall clock, as far as we set it.
func (n *Node) now() time.Time {
	if n.clock == nil {
		return time.Now()
	}
	return n.clock.at(time.Now())
}

//go:embed shim/clock.c
var clockSource []byte

// envClock leads the shim to its file.
const envClock = "TESTENV_CLOCK"

// compileClock makes the shim. It returns its path, or a *ClockError.
func compileClock(ctx context.Context, dir string) (string, error) {
	if runtime.GOOS != "linux" || strconv.IntSize != 64 {
		return "", &ClockError{fmt.Errorf("needs 64-bit Linux, and this is %s/%s", runtime.GOOS, runtime.GOARCH)}
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	source, lib := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so")
	if err := os.WriteFile(source, clockSource, 0o644); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, cc, "-shared", "-fPIC", "-O2", "-o", lib, source).CombinedOutput()
	if err != nil {
		return "", &ClockError{fmt.Errorf("%s: %w: %.500s", cc, err, out)}
	}
	return lib, nil
}

// ClockError says why servers cannot have clocks of their own here.
type ClockError struct{ Err error }

// Error says why.
func (e *ClockError) Error() string {
	return fmt.Sprintf("testenv: no clocks of their own for servers: %v", e.Err)
}

// Unwrap returns the cause.
func (e *ClockError) Unwrap() error { return e.Err }

// RequireClocks returns if servers can have clocks of their own here, and ends
// the test otherwise as Missing does, under the name cc.
func RequireClocks(t TB) {
	t.Helper()
	dir, err := os.MkdirTemp("", "testenv-clock-")
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	_, err = compileClock(context.Background(), dir)
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		Missing(t, "cc", err)
	}
}
