package redlock_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
)

// kinds are all kinds of failure, so that a test sees that an error is of one
// and of no other.
var kinds = []error{
	redlock.ErrHeld, redlock.ErrNoQuorum, redlock.ErrQuarantined, redlock.ErrExpired, redlock.ErrLost, redlock.ErrSuperseded,
	redlock.ErrUnknown, redlock.ErrReleased, redlock.ErrConfigDiffers, redlock.ErrForeignKey, redlock.ErrOperatorNeeded,
	redlock.ErrNotPrimary, redlock.ErrSameServer, redlock.ErrClosed,
}

func TestKindsOfFailedAttempts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(*testing.T, *cluster)
		kind  error
		says  []string
	}{
		{"held", func(t *testing.T, c *cluster) { lock(t, mutex(t, c.client(nil), "x")) }, redlock.ErrHeld, []string{`"x"`}},
		{"too few nodes", func(_ *testing.T, c *cluster) { c.down(1, 2) }, redlock.ErrNoQuorum, []string{"n1", "n2"}},
		{"all nodes down", func(_ *testing.T, c *cluster) { c.down() }, redlock.ErrNoQuorum, []string{"n1", "n2", "n3"}},
		{"silent", func(_ *testing.T, c *cluster) { c.hang(2, 3) }, redlock.ErrNoQuorum, []string{"n2: no answer", "n3"}},
		{"a list at the name", func(_ *testing.T, c *cluster) {
			c.each(func(n *redlocktest.Driver) {
				n.Update(func(s *redlocktest.State, now int64) { s.SetList("x", "e", 0, now) })
			}, 2, 3)
		}, redlock.ErrForeignKey, []string{"n2", "n3"}},
		{"a key without ttl", func(_ *testing.T, c *cluster) {
			c.each(func(n *redlocktest.Driver) {
				n.Update(func(s *redlocktest.State, now int64) { s.Set("x", "v", 0, now) })
			}, 2, 3)
		}, redlock.ErrForeignKey, []string{"n2", "n3"}},
		{"two of three wiped", func(_ *testing.T, c *cluster) { c.wipe(1, 2) }, redlock.ErrOperatorNeeded, []string{"n1", "n2"}},
		{"two of three flushed", func(_ *testing.T, c *cluster) {
			c.each(func(n *redlocktest.Driver) { n.FlushAll() }, 1, 2)
		}, redlock.ErrOperatorNeeded, []string{"n1", "n2"}},
		{"one wiped, one down", func(_ *testing.T, c *cluster) { c.wipe(1); c.down(2) }, redlock.ErrQuarantined, []string{"n1", "n2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := admitted(t, 3)
				client := c.client(nil)
				if err := lock(t, mutex(t, client, "warm")).Unlock(t.Context()); err != nil {
					t.Fatal(err)
				}
				tt.setup(t, c)
				start := time.Now()
				_, err := mutex(t, client, "x").TryLock(t.Context())
				within(t, "TryLock", time.Since(start), 0, nodeDeadline)
				onlyKind(t, err, tt.kind, tt.says...)
			})
		})
	}
}

// onlyKind checks that err is of the kind and of no other, and that its text
// says so.
func onlyKind(t *testing.T, err, kind error, says ...string) {
	t.Helper()
	e := is(t, "error", err, kind)
	for _, k := range kinds {
		if k != kind && errors.Is(err, k) {
			t.Errorf("the error is %q as well as %q: %v", k, kind, err)
		}
	}
	for _, s := range append(says, kind.Error()) {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
	for _, n := range e.Nodes {
		if n.Node == "" || n.Err == nil {
			t.Errorf("node error %+v of %v", n, err)
		}
	}
}

func TestNeverBootstrapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		start := time.Now()
		_, err := mutex(t, c.client(nil), "x").Lock(t.Context())
		within(t, "Lock", time.Since(start), 0, nodeDeadline)
		onlyKind(t, err, redlock.ErrOperatorNeeded, "n1", "n2", "n3", "not admitted")
	})
}

// TestConfigDiffers has clients that disagree about the cluster.
func TestConfigDiffers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*redlock.Config)
		what   string
	}{
		{"another node", func(cfg *redlock.Config) { cfg.Nodes[2].Name = "n9" }, "nodes"},
		{"more nodes", func(cfg *redlock.Config) {
			cfg.Nodes = append(cfg.Nodes, redlock.Node{Name: "n4", Driver: redlocktest.NewDriver(nil)})
		}, "number of nodes"},
		{"fewer nodes", func(cfg *redlock.Config) { cfg.Nodes = cfg.Nodes[:2] }, "number of nodes"},
		{"another maxttl", func(cfg *redlock.Config) { cfg.MaxTTL = 3 * time.Second }, "maxttl"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := admitted(t, 3)
				client := c.client(tt.change)
				_, err := mutex(t, client, "x").Lock(t.Context())
				onlyKind(t, err, redlock.ErrConfigDiffers, "n1", tt.what)
				checkDiffers(t, err, tt.what)
				err = client.Bootstrap(t.Context(), redlock.BootstrapOptions{})
				onlyKind(t, err, redlock.ErrConfigDiffers, "n1", tt.what)
				checkDiffers(t, err, tt.what)
				if got := c.keyed("x"); len(got) > 0 {
					t.Errorf("keys on nodes %v", got)
				}
			})
		})
	}
}

func checkDiffers(t *testing.T, err error, what string) {
	t.Helper()
	var d *redlock.DiffersError
	if !errors.As(err, &d) {
		t.Fatalf("no *DiffersError in %v", err)
	}
	if d.What != what || d.Node == d.Client {
		t.Errorf("got %+v, want %q", d, what)
	}
}

func TestSameServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := func(c *cluster, numbers ...int) func(*redlock.Config) {
			return func(cfg *redlock.Config) {
				for _, i := range numbers {
					cfg.Nodes[i-1].Driver = c.nodes[0].Handle()
				}
			}
		}
		c := newCluster(t, 3)
		err := c.client(both(c, 2)).Bootstrap(t.Context(), redlock.BootstrapOptions{})
		onlyKind(t, err, redlock.ErrSameServer, "n2")

		c = admitted(t, 3)
		if _, err := mutex(t, c.client(both(c, 2)), "x").TryLock(t.Context()); err != nil {
			t.Errorf("one server under two of three names does no harm: %v", err)
		}
		_, err = mutex(t, c.client(both(c, 2, 3)), "y").Lock(t.Context())
		onlyKind(t, err, redlock.ErrSameServer, "n2", "n3")
		if got := c.keyed("y"); len(got) > 0 {
			t.Errorf("keys on nodes %v", got)
		}
	})
}

func TestNotPrimary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		demote := func(n *redlocktest.Driver) {
			n.Update(func(s *redlocktest.State, _ int64) { s.Demote() })
		}
		c := newCluster(t, 3)
		c.each(demote, 2)
		err := c.client(nil).Bootstrap(t.Context(), redlock.BootstrapOptions{})
		onlyKind(t, err, redlock.ErrNotPrimary, "n2")

		c = admitted(t, 3)
		c.each(demote, 2)
		lock(t, mutex(t, c.client(nil), "x"))
		c.each(demote, 3)
		_, err = mutex(t, c.client(nil), "y").Lock(t.Context())
		onlyKind(t, err, redlock.ErrNotPrimary, "n2", "n3")
	})
}

// TestQuarantinedUntil asks while two nodes wait to be admitted again and a
// third is down.
func TestQuarantinedUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := admitted(t, 5)
		m := mutex(t, c.client(nil), "x")
		c.wipe(1, 2)
		if err := lock(t, m).Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(soon) // the rejoins have sealed the others
		c.down(3)
		_, err := m.TryLock(t.Context())
		onlyKind(t, err, redlock.ErrQuarantined, "n1", "n2", "n3", "until")
		e := is(t, "error", err)
		within(t, "the quarantine", time.Until(e.Until), outlive-soon, outlive)
		wait(time.Until(e.Until) + soon)
		if _, err := m.TryLock(t.Context()); err != nil {
			t.Errorf("after the quarantine: %v", err)
		}
	})
}

func TestErrorTexts(t *testing.T) {
	cause := errors.New("why")
	e := &redlock.Error{
		Op: "lock", Name: "x", Kind: redlock.ErrQuarantined, Cause: cause,
		Nodes: []*redlock.NodeError{{Node: "n1", Err: redlock.ErrHeld}, {Node: "n2", Err: cause}},
		Until: time.Date(2000, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	want := `redlock: lock "x": nodes are quarantined until 2000-01-02T03:04:05Z: why (n1: held by another; n2: why)`
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !errors.Is(e, redlock.ErrQuarantined) || !errors.Is(e, cause) {
		t.Errorf("%v is neither its kind nor its cause", e)
	}
	if errors.Is(e, redlock.ErrHeld) {
		t.Errorf("what one node said makes %v look like ErrHeld", e)
	}
	if n := new(redlock.NodeError); !errors.As(e, &n) || n.Node != "n1" {
		t.Errorf("the first node error of %v is %v", e, n)
	}
}
