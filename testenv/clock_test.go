package testenv

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

func TestClockRule(t *testing.T) {
	start := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c, err := newNodeClock(filepath.Join(t.TempDir(), "clock"))
	must(t, err)
	if got := c.at(start); !got.Equal(start) || c.wrong() {
		t.Fatalf("a new clock shows %v at %v", got, start)
	}
	must(t, c.set(start, Clock{Offset: -time.Hour, PPM: 250_000}))
	if got, want := c.at(start.Add(8*time.Second)), start.Add(-time.Hour+10*time.Second); !got.Equal(want) || !c.wrong() {
		t.Errorf("an hour behind and a quarter fast: %v, want %v", got, want)
	}
	must(t, c.set(start, Clock{PPM: -500_000}))
	if got, want := c.at(start.Add(8*time.Second)), start.Add(4*time.Second); !got.Equal(want) {
		t.Errorf("half as fast: %v, want %v", got, want)
	}
}

// TestSetClock: the server's time, its keys' ages and its rate follow, across
// restarts, and other nodes' do not.
func TestSetClock(t *testing.T) {
	RequireClocks(t)
	e := startEnv(t, Config{Nodes: 2, Clocks: true})
	ctx := t.Context()
	n, other := e.Nodes()[0], e.Nodes()[1]

	_, err := n.do(ctx, "SET", "k", "v", "PX", 60_000)
	must(t, err)
	must(t, n.SetClock(ctx, Clock{Offset: time.Hour}))
	if left, err := redis.Int64(n.do(ctx, "PTTL", "k")); err != nil || left != -2 {
		t.Errorf("a key of a minute has %d ms left after an hour's jump, %v", left, err)
	}
	near(t, n, time.Hour)
	near(t, other, 0)
	must(t, n.Restart(ctx, KeepMemory))
	near(t, n, time.Hour)
	must(t, n.SetClock(ctx, Clock{Offset: -time.Hour}))
	near(t, n, -time.Hour)

	must(t, n.SetClock(ctx, Clock{PPM: 1_000_000})) // twice as fast
	before, err := n.Time(ctx)
	must(t, err)
	start := time.Now()
	var ran, real time.Duration
	must(t, poll(ctx, func() (bool, error) {
		now, err := n.Time(ctx)
		ran, real = now.Sub(before), time.Since(start)
		return ran > time.Second, err
	}))
	if ran < real*3/2 || ran > real*5/2 {
		t.Errorf("a clock at twice the rate ran %v in %v", ran, real)
	}
	must(t, e.HealAll(ctx))
	near(t, n, 0)
}

// near fails unless the node's clock is off this machine's by about the offset.
func near(t *testing.T, n *Node, offset time.Duration) {
	t.Helper()
	now, err := n.Time(t.Context())
	must(t, err)
	if off := time.Until(now); (off - offset).Abs() > 900*time.Millisecond {
		t.Errorf("%s is %v ahead, want %v", n.Name(), off, offset)
	}
}

// TestSetClockIsConfirmed: a server that does not follow is noticed.
func TestSetClockIsConfirmed(t *testing.T) {
	e := startEnv(t, Config{Nodes: 1})
	n := e.Nodes()[0]
	clock, err := newNodeClock(filepath.Join(t.TempDir(), "clock"))
	must(t, err)
	n.clock = clock // which the running server does not read
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := n.SetClock(ctx, Clock{Offset: time.Hour}); !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("%v", err)
	}
}

func TestSetClockRefuses(t *testing.T) {
	e := startEnv(t, Config{Nodes: 1})
	if err := e.Nodes()[0].SetClock(t.Context(), Clock{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("without Config.Clocks: %v", err)
	}
	for _, c := range []Clock{{Offset: 2 * maxOffset}, {PPM: -1_000_000}, {PPM: 1_000_001}} {
		var bad *ConfigError
		if err := c.validate(); !errors.As(err, &bad) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	dir := t.TempDir()
	t.Setenv("CC", filepath.Join(dir, "no-such-compiler"))
	var missing *ClockError
	_, err := Start(context.Background(), Config{Nodes: 1, Clocks: true, Dir: filepath.Join(dir, "nodes"), RedisServer: Require(t)})
	if !errors.As(err, &missing) {
		t.Errorf("without a compiler: %v", err)
	}
}

// TestPersistNothing: no file is written, and what cannot be kept is refused.
func TestPersistNothing(t *testing.T) {
	e := startEnv(t, Config{Nodes: 1, Persistence: PersistNothing})
	ctx := t.Context()
	n := e.Nodes()[0]
	_, err := n.do(ctx, "SET", "k", "v")
	must(t, err)
	if files, err := filepath.Glob(filepath.Join(n.Dir(), "data-*", "*")); err != nil || len(files) > 0 {
		t.Errorf("the server wrote %v, %v", files, err)
	}
	for _, m := range []Memory{KeepMemory, PartialMemory} {
		if err := n.Restart(ctx, m); !errors.Is(err, ErrUnsupported) || !n.Running() {
			t.Errorf("Restart(%v): %v", m, err)
		}
	}
	must(t, n.Restart(ctx, LoseMemory))
	if v, err := n.do(ctx, "GET", "k"); v != nil || err != nil {
		t.Errorf("the key is %v after a restart, %v", v, err)
	}
}
