package redlock_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
)

func TestObserverSeesALocksLife(t *testing.T) {
	for _, tt := range []struct {
		name string
		live func(t *testing.T, c *cluster, m *redlock.Mutex)
		want []string
	}{
		{"whole", func(t *testing.T, c *cluster, m *redlock.Mutex) {
			l := lock(t, m)
			wait(maxTTL/3 + time.Millisecond)
			if err := l.Extend(t.Context(), time.Second); err != nil {
				t.Error(err)
			}
			if err := l.Unlock(t.Context()); err != nil {
				t.Error(err)
			}
		}, []string{"attempt", "acquired", "auto-extend", "auto-extended", "extend", "extended", "release", "released", "cleaned"}},
		{"refused", func(t *testing.T, c *cluster, m *redlock.Mutex) {
			c.each(func(n *redlocktest.Driver) {
				n.Update(func(s *redlocktest.State, now int64) { s.Set("x", "other", 1000, now) })
			})
			m.TryLock(t.Context())
		}, []string{"attempt", "attempt-failed", "cleaned"}},
		{"lost", func(t *testing.T, c *cluster, m *redlock.Mutex) {
			l := lock(t, m)
			c.down()
			wait(maxTTL/3 + time.Millisecond)
			c.each(func(n *redlocktest.Driver) {
				n.Update(func(s *redlocktest.State, now int64) { s.Set("x", "other", 5000, now) })
			})
			c.heal()
			<-l.Context().Done()
			l.Unlock(t.Context())
		}, []string{"attempt", "acquired", "auto-extend", "auto-extend-failed", "lost", "cleaned"}},
		{"released too late", func(t *testing.T, c *cluster, m *redlock.Mutex) {
			l := lock(t, m)
			c.each(func(n *redlocktest.Driver) {
				n.Update(func(s *redlocktest.State, now int64) { s.Del("x", now) })
			})
			l.Unlock(t.Context())
		}, []string{"attempt", "acquired", "release", "release-failed", "cleaned"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := admitted(t, 3)
				var seen events
				tt.live(t, c, mutex(t, c.client(func(cfg *redlock.Config) { cfg.Observer = &seen }), "x"))
				wait(3 * maxTTL)
				// A renewal that fails is tried again, as often as there is time.
				if got := merged(seen.story()); !slices.Equal(got, tt.want) {
					t.Errorf("got  %v\nwant %v", got, tt.want)
				}
				seen.check(t)
			})
		})
	}
}

// merged drops repetitions of a failed renewal.
func merged(story []string) []string {
	var out []string
	for _, w := range story {
		if n := len(out); n > 0 && w == "auto-extend" && out[n-1] == "auto-extend-failed" {
			out = out[:n-1]
			continue
		}
		out = append(out, w)
	}
	return out
}

// check looks at the fields of a lock's events.
func (r *events) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var last time.Duration
	for _, e := range r.all {
		if e.Name != "x" || e.ID == "" || e.ID != r.all[0].ID {
			t.Errorf("event %v: name %q, id %q; the first had id %q", e.Kind, e.Name, e.ID, r.all[0].ID)
		}
		if e.At < last {
			t.Errorf("event %v at %v, after one at %v", e.Kind, e.At, last)
		}
		last = e.At
		failed := false
		switch e.Kind {
		case redlock.EventAcquired, redlock.EventExtended:
			if e.Token == 0 || e.Deadline <= e.At {
				t.Errorf("event %v: token %v, deadline %v at %v", e.Kind, e.Token, e.Deadline, e.At)
			}
		case redlock.EventLost, redlock.EventAttemptFailed, redlock.EventExtendFailed, redlock.EventReleaseFailed:
			failed = true
		}
		if (e.Err != nil) != failed {
			t.Errorf("event %v: error %v", e.Kind, e.Err)
		}
	}
}

func TestPathNames(t *testing.T) {
	seen := make(map[string]bool)
	for p := redlock.PathRaise; p <= redlock.PathTooLate; p++ {
		if name := p.String(); name == "unknown" || seen[name] {
			t.Errorf("path %d is called %q", p, name)
		} else {
			seen[name] = true
		}
	}
	if got := redlock.Path(200).String(); got != "unknown" {
		t.Errorf("path 200 is called %q", got)
	}
}

// skewed is the bubble's clock, wound forward at will, with late timers.
type skewed struct {
	redlocktest.Clock
	ahead atomic.Int64
	late  time.Duration
}

// Now reads the clock.
func (s *skewed) Now() time.Duration { return s.Clock.Now() + time.Duration(s.ahead.Load()) }

// AfterFunc fires too late.
func (s *skewed) AfterFunc(d time.Duration, f func()) func() bool {
	return s.Clock.AfterFunc(d+s.late, f)
}

func TestLossIsToldBeforeTheDeadline(t *testing.T) {
	for _, late := range []time.Duration{0, time.Millisecond, 9 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			c := admitted(t, 3)
			clock := &skewed{late: late}
			l := lock(t, mutex(t, c.client(func(cfg *redlock.Config) { cfg.Clock = clock }), "x"))
			c.hang()
			deadline := l.Deadline()
			<-l.Context().Done()
			if now := time.Now(); now.After(deadline) {
				t.Errorf("timers %v late: the loss was told %v after the deadline", late, now.Sub(deadline))
			}
			is(t, "cause", context.Cause(l.Context()), redlock.ErrLost, redlock.ErrExpired)
			is(t, "Unlock of a lost lease", l.Unlock(t.Context()), redlock.ErrExpired, redlock.ErrLost)
			c.heal()
		})
	}
}

// TestLossAfterSuspend lets the clock jump, as it does when a machine slept and
// its timers with it.
func TestLossAfterSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 3)
		clock := new(skewed)
		client := c.client(func(cfg *redlock.Config) { cfg.Clock = clock })
		for _, opts := range [][]redlock.Option{nil, {redlock.NoRenew()}} {
			l := lock(t, mutex(t, client, "x", opts...))
			wait(100 * time.Millisecond)
			clock.ahead.Add(int64(time.Minute))
			if l.Valid() {
				t.Error("the lease is valid after a minute's sleep")
			}
			start := time.Now()
			<-l.Context().Done()
			within(t, "noticing the sleep", time.Since(start), 0, 25*time.Millisecond)
			is(t, "cause", context.Cause(l.Context()), redlock.ErrLost, redlock.ErrExpired)
			wait(100 * time.Millisecond)
		}
		// Anybody who asks before the timer does is told at once.
		l := lock(t, mutex(t, client, "x", redlock.NoRenew()))
		clock.ahead.Add(int64(time.Minute))
		is(t, "Extend", l.Extend(t.Context(), maxTTL), redlock.ErrExpired, redlock.ErrLost)
		if l.Context().Err() == nil {
			t.Error("the context goes on")
		}
	})
}
