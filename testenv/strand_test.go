package testenv

import (
	"strings"
	"testing"
	"time"
)

// What an old connection sent arrives after what a newer one sent later.
func testStrand(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	ctx := testContext(t)
	n := node(t, e, "n1")
	old := rawDial(t, e, "c1", "n1")
	send(t, old, "PING")
	if !hears(t, old, 10*time.Second) {
		t.Fatal("no answer before anything happened")
	}
	must(t, e.Strand(ctx, "c1", "n1", Requests))
	send(t, old, "APPEND", "k", "old")
	if hears(t, old, quiet) {
		t.Error("an answer came from a stranded connection")
	}
	must(t, old.Close())
	fresh := rawDial(t, e, "c1", "n1")
	send(t, fresh, "APPEND", "k", "new")
	if !hears(t, fresh, 10*time.Second) {
		t.Fatal("a new connection is stranded too")
	}
	must(t, e.Heal(ctx, "c1", "n1"))
	must(t, poll(ctx, func() (bool, error) { return get(t, n, "k") == "newold", nil }))
	if err := e.Strand(ctx, "c1", "n1", Direction(9)); err == nil || !strings.Contains(err.Error(), "direction") {
		t.Errorf("unknown direction: %v", err)
	}
}

// What was copied is executed a second time, and nothing else is.
func testRepeat(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}, Password: "secret"})
	ctx := testContext(t)
	n := node(t, e, "n1")
	c := rawDial(t, e, "c1", "n1")
	say := func(args ...string) {
		t.Helper()
		send(t, c, args...)
		if !hears(t, c, 10*time.Second) {
			t.Fatalf("no answer to %v", args)
		}
	}
	say("AUTH", "secret")
	say("INCR", "before")
	must(t, e.Copy(ctx, "c1", "n1"))
	say("INCR", "copied")
	say("HGET", "copied", "of another type") // an error is an answer too
	if answers, err := e.Repeat(ctx, "c1", "n1"); err != nil || answers != 2 {
		t.Errorf("repeated %d requests, %v; want 2", answers, err)
	}
	say("INCR", "after")
	for key, want := range map[string]string{"before": "1", "copied": "2", "after": "1"} {
		if got := get(t, n, key); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	if _, err := e.Repeat(ctx, "c1", "n1"); err == nil {
		t.Error("repeated what was not copied")
	}
}

// A standby is reached by nobody, and is a copy once it was demoted and promoted.
func testStandby(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1})
	ctx := testContext(t)
	n := node(t, e, "n1")
	do(t, n, "SET", "k", "then")
	before, err := n.info(ctx, "replication", "master_replid")
	must(t, err)
	s, err := e.Standby(ctx, "n1")
	must(t, err)
	must(t, s.Demote(ctx, n))
	must(t, s.Promote(ctx))
	do(t, n, "SET", "k", "now")
	if node(t, e, "n1") != n || get(t, s, "k") != "then" || get(t, n, "k") != "now" {
		t.Errorf("the standby has k=%q, the node %q", get(t, s, "k"), get(t, n, "k"))
	}
	if after, err := n.info(ctx, "replication", "master_replid"); err != nil || after == before {
		t.Errorf("the node's replication id is %s still, %v", after, err)
	}
	if _, err := e.Standby(ctx, "n9"); err == nil {
		t.Error("a standby of a node that there is not")
	}
}
