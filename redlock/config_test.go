package redlock_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
)

// memoryNodes are n nodes that nobody talks to.
func memoryNodes(n int) []redlock.Node {
	var nodes []redlock.Node
	for i := range n {
		nodes = append(nodes, redlock.Node{Name: fmt.Sprintf("n%d", i+1), Driver: redlocktest.NewDriver(nil)})
	}
	return nodes
}

func TestConfigErrors(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for _, tt := range []struct {
		name         string
		change       func(*redlock.Config)
		field, value string // value is contained in ConfigError.Value
	}{
		{"no nodes", func(c *redlock.Config) { c.Nodes = nil }, "Nodes", "[]"},
		{"16 nodes", func(c *redlock.Config) { c.Nodes = memoryNodes(16) }, "Nodes", "16 nodes"},
		{"node twice", func(c *redlock.Config) { c.Nodes[2].Name = "n1" }, "Nodes", `"n1"`},
		{"URL and Driver", func(c *redlock.Config) { c.Nodes[1].URL = "redis://:hidden@h:1" }, "Nodes[1].URL", "h:1"},
		{"neither URL nor Driver", func(c *redlock.Config) { c.Nodes[1].Driver = nil }, "Nodes[1].URL", `""`},
		{"Driver without name", func(c *redlock.Config) { c.Nodes[0].Name = "" }, "Nodes[0].Name", `""`},
		{"long node name", func(c *redlock.Config) { c.Nodes[0].Name = long }, "Nodes[0].Name", "1025 bytes"},
		{"drift NaN", func(c *redlock.Config) { c.Drift = math.NaN() }, "Drift", "NaN"},
		{"drift negative", func(c *redlock.Config) { c.Drift = -0.1 }, "Drift", "-0.1"},
		{"drift 1", func(c *redlock.Config) { c.Drift = 1 }, "Drift", "1"},
		{"drift 2", func(c *redlock.Config) { c.Drift = 2 }, "Drift", "2"},
		{"drift infinite", func(c *redlock.Config) { c.Drift = math.Inf(1) }, "Drift", "Inf"},
		{"drift leaves nothing", func(c *redlock.Config) { c.Drift = 0.99 }, "TTL", "2s"},
		{"node deadline negative", func(c *redlock.Config) { c.NodeDeadline = -time.Second }, "NodeDeadline", "-1s"},
		{"node deadline below 1ms", func(c *redlock.Config) { c.NodeDeadline = time.Microsecond }, "NodeDeadline", "1µs"},
		{"maxttl negative", func(c *redlock.Config) { c.MaxTTL, c.TTL = -time.Second, time.Second }, "MaxTTL", "-1s"},
		{"maxttl with µs", func(c *redlock.Config) { c.MaxTTL, c.TTL = time.Second+1000, time.Second }, "MaxTTL", "1.000001s"},
		{"maxttl above a day", func(c *redlock.Config) { c.MaxTTL = 25 * time.Hour }, "MaxTTL", "25h"},
		{"ttl negative", func(c *redlock.Config) { c.TTL = -time.Second }, "TTL", "-1s"},
		{"ttl with µs", func(c *redlock.Config) { c.TTL = time.Second + 1000 }, "TTL", "1.000001s"},
		{"ttl below 10 node deadlines", func(c *redlock.Config) { c.TTL = 499 * time.Millisecond }, "TTL", "499ms"},
		{"ttl above maxttl", func(c *redlock.Config) { c.TTL = 2001 * time.Millisecond }, "TTL", "2.001s"},
		{"default ttl below 10 node deadlines", func(c *redlock.Config) { c.NodeDeadline = 201 * time.Millisecond }, "TTL", "2s"},
		{"retention negative", func(c *redlock.Config) { c.FenceRetention = -1 }, "FenceRetention", "-1ns"},
		{"poll negative", func(c *redlock.Config) { c.Poll = -1 }, "Poll", "-1ns"},
		{"TLS beside Driver", func(c *redlock.Config) { c.Nodes[1].TLS = &tls.Config{} }, "Nodes[1].TLS", "set"},
		{"TLS without rediss", func(c *redlock.Config) {
			c.Nodes[1] = redlock.Node{URL: "redis://h", TLS: &tls.Config{}}
		}, "Nodes[1].TLS", "set"},
		{"TLS on a socket", func(c *redlock.Config) {
			c.Nodes[1] = redlock.Node{Name: "n2", URL: "unix:///s", TLS: &tls.Config{}}
		}, "Nodes[1].TLS", "set"},
		{"nameless socket", func(c *redlock.Config) { c.Nodes[1] = redlock.Node{URL: "unix:///s"} }, "Nodes[1].Name", `""`},
		{"unknown URL scheme", func(c *redlock.Config) { c.Nodes[1] = redlock.Node{URL: "http://:hidden@h:1"} }, "Nodes[1].URL", "http://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := redlock.Config{Nodes: memoryNodes(3), MaxTTL: 2 * time.Second, NodeDeadline: 50 * time.Millisecond}
			tt.change(&cfg)
			client, err := redlock.New(cfg)
			if err == nil {
				client.Close()
			}
			checkConfigError(t, err, tt.field, tt.value)
		})
	}
}

// checkConfigError checks that err names the field and the value, and hides
// passwords.
func checkConfigError(t *testing.T, err error, field, value string) {
	t.Helper()
	var ce *redlock.ConfigError
	if !errors.As(err, &ce) {
		t.Fatalf("got %T %v, want a *ConfigError", err, err)
	}
	if ce.Field != field || !strings.Contains(ce.Value, value) || ce.Reason == "" {
		t.Errorf("got field %q, value %q, reason %q; want %q, %q", ce.Field, ce.Value, ce.Reason, field, value)
	}
	for _, part := range []string{field, ce.Value, ce.Reason} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("the error shows a password: %v", err)
	}
}

func TestConfigLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*redlock.Config)
	}{
		{"one node", func(c *redlock.Config) { c.Nodes = c.Nodes[:1] }},
		{"15 nodes", func(c *redlock.Config) { c.Nodes = memoryNodes(15) }},
		{"ttl of 10 node deadlines", func(c *redlock.Config) { c.TTL = 500 * time.Millisecond }},
		{"name of 1 KiB", func(c *redlock.Config) { c.Nodes[0].Name = strings.Repeat("x", 1024) }},
		{"all defaults", func(c *redlock.Config) { c.MaxTTL, c.NodeDeadline = 0, 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := redlock.Config{Nodes: memoryNodes(3), MaxTTL: 2 * time.Second, NodeDeadline: 50 * time.Millisecond}
			tt.change(&cfg)
			client, err := redlock.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMutexErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newCluster(t, 3).client(nil)
		for _, tt := range []struct {
			lock         string
			ttl          time.Duration
			field, value string
		}{
			{"", time.Second, "name", `""`},
			{strings.Repeat("x", 1025), time.Second, "name", "1025 bytes"},
			{"redlock:x", time.Second, "name", `"redlock:x"`},
			{"redlock:node", time.Second, "name", `"redlock:node"`},
			{"x", -time.Second, "TTL", "-1s"},
			{"x", time.Second + 1, "TTL", "1.000000001s"},
			{"x", 0, "TTL", "0s"},
			{"x", 499 * time.Millisecond, "TTL", "499ms"},
			{"x", 3 * time.Second, "TTL", "3s"},
		} {
			_, err := client.Mutex(tt.lock, redlock.TTL(tt.ttl))
			checkConfigError(t, err, tt.field, tt.value)
		}
		for _, name := range []string{"x", "redlock", strings.Repeat("x", 1024), "a:redlock:", "ü\x00\n"} {
			if m, err := client.Mutex(name); err != nil || m.Name() != name {
				t.Errorf("Mutex(%.20q): %v", name, err)
			}
		}
	})
}
