package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func testKillAndRestart(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	n := node(t, e, "n1")
	ctx := testContext(t)
	do(t, n, "SET", "k", "v")
	addr, proxy, pid, first := n.DirectAddr(), e.Addr("c1", "n1"), n.Pid(), n.running()

	must(t, n.Kill(ctx))
	if lives(t, first) || n.Running() || n.Pid() != 0 {
		t.Errorf("after Kill: server lives %v, Running %v, Pid %d", lives(t, first), n.Running(), n.Pid())
	}
	for what, err := range map[string]error{
		"Kill": n.Kill(ctx), "Terminate": n.Terminate(ctx), "Freeze": n.Freeze(ctx), "Thaw": n.Thaw(ctx),
		"FlushAll": n.FlushAll(ctx), "Promote": n.Promote(ctx),
	} {
		if !errors.Is(err, ErrNotRunning) {
			t.Errorf("%s of a dead node: %v, want ErrNotRunning", what, err)
		}
	}
	must(t, n.Restart(ctx, KeepMemory))
	if got := get(t, n, "k"); got != "v" {
		t.Errorf("memory kept: k=%q, want v", got)
	}
	if n.Pid() == pid {
		t.Error("no other process after the restart")
	}
	// Of a living node as well.
	must(t, n.Restart(ctx, LoseMemory))
	if got := get(t, n, "k"); got != "" {
		t.Errorf("memory lost: k=%q, want none", got)
	}
	must(t, n.Freeze(ctx))
	must(t, n.Restart(ctx, KeepMemory))
	if n.Frozen() {
		t.Error("still frozen after the restart")
	}
	if n.DirectAddr() != addr || e.Addr("c1", "n1") != proxy {
		t.Error("addresses changed")
	}
	if _, err := dialProxy(t, e, "c1", "n1", 10*time.Second).Do("PING"); err != nil {
		t.Errorf("through the proxy after restarts: %v", err)
	}
}

func testTerminate(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1})
	n := node(t, e, "n1")
	ctx := testContext(t)
	s := n.running()
	must(t, n.Freeze(ctx))
	if err := n.Terminate(ctx); !errors.Is(err, ErrFrozen) {
		t.Errorf("Terminate of a frozen node: %v, want ErrFrozen", err)
	}
	must(t, n.Thaw(ctx))
	must(t, n.Terminate(ctx))
	if lives(t, s) {
		t.Error("server lives")
	}
	log, err := os.ReadFile(n.Log())
	must(t, err)
	if !strings.Contains(string(log), "Received SIGTERM") {
		t.Error("the server's log does not speak of SIGTERM")
	}
}

func testPartialMemory(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1})
	n := node(t, e, "n1")
	ctx := testContext(t)
	if err := n.Restart(ctx, PartialMemory); err == nil {
		t.Error("lost something although nothing was written")
	}
	must(t, n.Restart(ctx, KeepMemory))
	do(t, n, "SET", "old", "1")
	// What is older than the second before this one survives.
	past := time.Now().Unix() + 2
	must(t, poll(ctx, func() (bool, error) { return time.Now().Unix() >= past, nil }))
	do(t, n, "EVAL", "redis.call('SET','a',1) redis.call('SET','b',1)", 0)
	do(t, n, "SET", "new", "1")
	must(t, n.Restart(ctx, PartialMemory))
	if got := get(t, n, "new"); got != "" {
		t.Errorf("the newest write survived: new=%q", got)
	}
	if a, b := get(t, n, "a"), get(t, n, "b"); a != b {
		t.Errorf("half a transaction survived: a=%q b=%q", a, b)
	}
	if got := get(t, n, "old"); got != "1" {
		t.Errorf("an old write is lost: old=%q", got)
	}
}

func TestCutAt(t *testing.T) {
	set := func(k string) string { return command("SET", k, "v") }
	sel := command("SELECT", "0")
	tx := command("MULTI") + set("x") + set("y") + command("EXEC")
	for name, c := range map[string]struct {
		kept, gone string
	}{
		"no notes: the last command":       {sel + set("a") + set("b"), set("c")},
		"no notes: the last transaction":   {sel + set("a"), tx},
		"the only command, with SELECT":    {"", sel + set("a")},
		"torn command":                     {set("a"), set("b") + set("c")[:9]},
		"torn transaction":                 {set("a"), set("b") + command("MULTI") + set("x")},
		"this second and the one before":   {"#TS:998\r\n" + set("a") + "#TS:999\r\n", set("b") + "#TS:1000\r\n" + set("c")},
		"nothing of them: the last of old": {"#TS:10\r\n" + set("a"), set("b")},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			path := filepath.Join(data, "appendonly.aof")
			must(t, os.WriteFile(path, []byte(c.kept+c.gone), 0o644))
			cut, err := forgetNewest(data, time.Unix(1000, 0))
			must(t, err)
			if cut != path {
				t.Errorf("cut %s, want %s", cut, path)
			}
			left, err := os.ReadFile(path)
			must(t, err)
			if string(left) != c.kept {
				t.Errorf("kept %q, want %q", left, c.kept)
			}
		})
	}
	for name, text := range map[string]string{"empty": "", "no write": sel, "no file format": "REDIS0011", "bad length": "*x\r\n"} {
		data := t.TempDir()
		must(t, os.WriteFile(filepath.Join(data, "appendonly.aof"), []byte(text), 0o644))
		if _, err := forgetNewest(data, time.Unix(1000, 0)); err == nil && text != "REDIS0011" {
			t.Errorf("%s: no error", name)
		}
	}
}

func testFreezeAndThaw(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	n := node(t, e, "n1")
	ctx := testContext(t)
	must(t, n.Freeze(ctx))
	if b == BackendProcess {
		if stopped, err := stoppedByPS(ctx, n.Pid()); err != nil || !stopped {
			t.Errorf("ps says stopped = %v, %v", stopped, err)
		}
	}
	if !n.Frozen() || !n.Running() {
		t.Errorf("Frozen %v, Running %v", n.Frozen(), n.Running())
	}
	if err := n.FlushAll(ctx); !errors.Is(err, ErrFrozen) {
		t.Errorf("FlushAll: %v, want ErrFrozen", err)
	}
	c := dialProxy(t, e, "c1", "n1", 50*time.Millisecond)
	if _, err := c.Do("SET", "late", "1"); !isTimeout(err) {
		t.Errorf("a frozen node answered: %v", err)
	}
	must(t, n.Thaw(ctx))
	must(t, n.Thaw(ctx))
	if n.Frozen() {
		t.Error("still frozen")
	}
	// It does what it was sent.
	must(t, poll(ctx, func() (bool, error) { return get(t, n, "late") == "1", nil }))
}

func testFlush(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1})
	n := node(t, e, "n1")
	ctx := testContext(t)
	do(t, n, "SET", "k", "v")
	sha := do(t, n, "SCRIPT", "LOAD", "return 1")
	must(t, n.ScriptFlush(ctx))
	if _, err := n.do(ctx, "EVALSHA", sha, 0); err == nil || !strings.Contains(err.Error(), "NOSCRIPT") {
		t.Errorf("script is still there: %v", err)
	}
	if got := get(t, n, "k"); got != "v" {
		t.Errorf("ScriptFlush touched a key: k=%q", got)
	}
	must(t, n.FlushAll(ctx))
	if size := do(t, n, "DBSIZE"); size != int64(0) {
		t.Errorf("%v keys after FlushAll", size)
	}
}

func testDemoteAndPromote(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 2})
	n1, n2 := node(t, e, "n1"), node(t, e, "n2")
	ctx := testContext(t)
	do(t, n1, "SET", "k", "mine")
	do(t, n2, "SET", "k", "yours")
	run, err := n1.info(ctx, "server", "run_id")
	must(t, err)
	must(t, n1.Demote(ctx, n2))
	if _, err := n1.do(ctx, "SET", "k", "x"); err == nil || !strings.Contains(err.Error(), "READONLY") {
		t.Errorf("write to a replica: %v, want READONLY", err)
	}
	must(t, n1.Promote(ctx))
	do(t, n1, "SET", "written", "1")
	if got := get(t, n1, "k"); got != "yours" {
		t.Errorf("k=%q after demotion and promotion, want the other's", got)
	}
	if now, err := n1.info(ctx, "server", "run_id"); err != nil || now != run {
		t.Errorf("run_id changed from %s to %s, %v", run, now, err)
	}
	for what, err := range map[string]error{"itself": n1.Demote(ctx, n1), "nobody": n1.Demote(ctx, nil)} {
		if err == nil {
			t.Errorf("replica of %s", what)
		}
	}
	must(t, n2.Kill(ctx))
	if err := n1.Demote(ctx, n2); !errors.Is(err, ErrNotRunning) {
		t.Errorf("replica of a dead node: %v, want ErrNotRunning", err)
	}
}

// A name moves to a new, empty server while the old one lives on, and one
// client sees the one, one the other.
func testReplaceAndRoute(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 2, Clients: []string{"c1", "c2"}})
	ctx := testContext(t)
	before := node(t, e, "n1")
	do(t, before, "SET", "k", "old")
	addrs := []string{e.Addr("c1", "n1"), e.Addr("c2", "n1")}
	c1 := dialProxy(t, e, "c1", "n1", 10*time.Second)

	old, fresh, err := e.Replace(ctx, "n1")
	must(t, err)
	if now := node(t, e, "n1"); old != before || now != fresh || fresh == old || fresh.Name() != "n1" {
		t.Fatalf("Replace returned %p, %p; before %p, now %p", old, fresh, before, now)
	}
	reads := func(client string) string {
		r, err := dialProxy(t, e, client, "n1", 10*time.Second).Do("GET", "k")
		must(t, err)
		return fmt.Sprintf("%s", r)
	}
	if a, b := reads("c1"), reads("c2"); a != "old" || b != "old" {
		t.Errorf("before Route: %s, %s; want old, old", a, b)
	}
	must(t, e.Route(ctx, "c1", "n1", fresh))
	do(t, fresh, "SET", "k", "fresh")
	if a, b := reads("c1"), reads("c2"); a != "fresh" || b != "old" {
		t.Errorf("after Route of c1: %s, %s; want fresh, old", a, b)
	}
	if _, err := c1.Do("PING"); err == nil {
		t.Error("a connection to the old server outlived Route")
	}
	if addrs[0] != e.Addr("c1", "n1") || addrs[1] != e.Addr("c2", "n1") {
		t.Error("addresses changed")
	}
	must(t, e.Cut(ctx, "c2", "n1", Both))
	must(t, e.Route(ctx, "c2", "n1", fresh)) // while a fault lasts
	must(t, e.Route(ctx, "c1", "n1", old))   // and back
	must(t, e.HealAll(ctx))
	if a, b := reads("c1"), reads("c2"); a != "old" || b != "fresh" {
		t.Errorf("after both Routes: %s, %s; want old, fresh", a, b)
	}
	if err := e.Route(ctx, "c1", "n1", nil); err == nil {
		t.Error("routed to nothing")
	}
}

func testHealAll(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 4, Clients: []string{"c1", "c2"}})
	ctx := testContext(t)
	n := e.Nodes()
	do(t, n[0], "SET", "k", "v")
	must(t, e.Hold(ctx, "c1", "n2", Both))
	must(t, n[0].Kill(ctx))
	must(t, n[1].Freeze(ctx))
	must(t, n[2].Demote(ctx, n[3]))
	must(t, e.Cut(ctx, "c1", "n1", Both))
	must(t, e.Hold(ctx, "c2", "n2", Requests))
	must(t, e.Delay(ctx, "c1", "n3", Both, time.Hour, 0))
	must(t, e.Reset(ctx, "c2", "n4"))
	must(t, e.HealAll(ctx))
	for _, client := range []string{"c1", "c2"} {
		for _, n := range n {
			c := dialProxy(t, e, client, n.Name(), 10*time.Second)
			if _, err := c.Do("SET", client, "1"); err != nil {
				t.Errorf("%s→%s after HealAll: %v", client, n.Name(), err)
			}
		}
	}
	if got := get(t, n[0], "k"); got != "v" {
		t.Errorf("restarted node lost its memory: k=%q", got)
	}
}

// What a frozen server was sent before it was killed is never done: nothing
// lets it run for a moment in between.
func testKillOfAFrozenNode(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	n := node(t, e, "n1")
	ctx := testContext(t)
	c := dialProxy(t, e, "c1", "n1", quiet)
	if _, err := c.Do("SET", "before", "1"); err != nil {
		t.Fatal(err)
	}
	must(t, n.Freeze(ctx))
	if _, err := c.Do("SET", "after", "1"); !isTimeout(err) {
		t.Errorf("a frozen node answered: %v", err)
	}
	must(t, n.Kill(ctx))
	must(t, n.Restart(ctx, KeepMemory))
	if before, after := get(t, n, "before"), get(t, n, "after"); before != "1" || after != "" {
		t.Errorf("before=%q after=%q, want 1 and none", before, after)
	}
}

func testDisconnect(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 2, Clients: []string{"c1"}})
	n, other := node(t, e, "n1"), node(t, e, "n2")
	ctx := testContext(t)
	if b == BackendProcess {
		for what, err := range map[string]error{"Disconnect": n.Disconnect(ctx), "Reconnect": n.Reconnect(ctx)} {
			var fe *FaultError
			if !errors.Is(err, ErrUnsupported) || !errors.As(err, &fe) || n.Disconnected() {
				t.Errorf("%s: %v, Disconnected %v; want ErrUnsupported", what, err, n.Disconnected())
			}
		}
		return
	}
	do(t, n, "SET", "k", "v")
	addr := n.DirectAddr()
	c := rawDial(t, e, "c1", "n1")
	send(t, c, "PING")
	if !hears(t, c, 10*time.Second) {
		t.Fatal("no answer before")
	}
	must(t, n.Disconnect(ctx))
	send(t, c, "SET", "late", "1")
	if hears(t, c, quiet) {
		t.Error("a disconnected node answered")
	}
	for what, err := range map[string]error{
		"Disconnect": n.Disconnect(ctx), "FlushAll": n.FlushAll(ctx), "Demote": n.Demote(ctx, other), "Thaw": n.Thaw(ctx),
	} {
		if !errors.Is(err, ErrDisconnected) {
			t.Errorf("%s of a disconnected node: %v, want ErrDisconnected", what, err)
		}
	}
	if !n.Running() || !n.Disconnected() || n.Frozen() {
		t.Errorf("Running %v, Disconnected %v, Frozen %v", n.Running(), n.Disconnected(), n.Frozen())
	}
	if _, err := dialProxy(t, e, "c1", "n2", 10*time.Second).Do("PING"); err != nil {
		t.Errorf("the other node is gone as well: %v", err)
	}
	// While both addresses are free, neither must be given the other's.
	both := []*Node{n, other}
	must(t, other.Disconnect(ctx))
	slices.SortFunc(both, func(a, b *Node) int { return -strings.Compare(a.DirectAddr(), b.DirectAddr()) })
	for _, n := range both {
		must(t, n.Reconnect(ctx))
		must(t, n.Reconnect(ctx))
	}
	if n.DirectAddr() != addr || n.Disconnected() || get(t, n, "k") != "v" {
		t.Errorf("after Reconnect: %s, Disconnected %v, k=%q", n.DirectAddr(), n.Disconnected(), get(t, n, "k"))
	}
	// As through a cable that is plugged in again.
	must(t, poll(ctx, func() (bool, error) { return get(t, n, "late") == "1", nil }))
	if !hears(t, c, 10*time.Second) {
		t.Error("the connection from before is dead")
	}
}

// A node that is disconnected and broken besides.
func testDisconnectOfBrokenNodes(t *testing.T, b Backend) {
	if b == BackendProcess {
		t.Skip("SKIP: a process has no network of its own")
	}
	e := startEnv(t, Config{Backend: b, Nodes: 2, Clients: []string{"c1"}})
	n, frozen := node(t, e, "n1"), node(t, e, "n2")
	ctx := testContext(t)
	do(t, n, "SET", "k", "v")
	must(t, n.Disconnect(ctx))
	must(t, n.Kill(ctx))
	must(t, n.Restart(ctx, KeepMemory))
	if n.Disconnected() || get(t, n, "k") != "v" {
		t.Errorf("after Restart: Disconnected %v, k=%q", n.Disconnected(), get(t, n, "k"))
	}
	must(t, n.Kill(ctx))
	must(t, n.Disconnect(ctx))
	must(t, n.Reconnect(ctx))
	must(t, n.Disconnect(ctx))
	must(t, frozen.Freeze(ctx))
	must(t, frozen.Disconnect(ctx))
	must(t, e.Cut(ctx, "c1", "n2", Both))
	must(t, e.HealAll(ctx))
	for _, n := range e.Nodes() {
		if _, err := dialProxy(t, e, "c1", n.Name(), 10*time.Second).Do("PING"); err != nil {
			t.Errorf("%s after HealAll: %v", n.Name(), err)
		}
	}
}
