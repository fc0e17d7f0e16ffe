package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKillAndRestart(t *testing.T) {
	e := startEnv(t, Config{Nodes: 1, Clients: []string{"c1"}})
	n := node(t, e, "n1")
	ctx := testContext(t)
	do(t, n, "SET", "k", "v")
	addr, proxy, pid := n.DirectAddr(), e.Addr("c1", "n1"), n.Pid()

	must(t, n.Kill(ctx))
	if alive(pid) || n.Running() || n.Pid() != 0 {
		t.Errorf("after Kill: process lives %v, Running %v, Pid %d", alive(pid), n.Running(), n.Pid())
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

func TestTerminate(t *testing.T) {
	e := startEnv(t, Config{Nodes: 1})
	n := node(t, e, "n1")
	ctx := testContext(t)
	pid := n.Pid()
	must(t, n.Freeze(ctx))
	if err := n.Terminate(ctx); !errors.Is(err, ErrFrozen) {
		t.Errorf("Terminate of a frozen node: %v, want ErrFrozen", err)
	}
	must(t, n.Thaw(ctx))
	must(t, n.Terminate(ctx))
	if alive(pid) {
		t.Error("process lives")
	}
	log, err := os.ReadFile(n.Log())
	must(t, err)
	if !strings.Contains(string(log), "Received SIGTERM") {
		t.Error("the server's log does not speak of SIGTERM")
	}
}

func TestPartialMemory(t *testing.T) {
	e := startEnv(t, Config{Nodes: 1})
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
			must(t, forgetNewest(data, time.Unix(1000, 0)))
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
		if err := forgetNewest(data, time.Unix(1000, 0)); err == nil && text != "REDIS0011" {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFreezeAndThaw(t *testing.T) {
	e := startEnv(t, Config{Nodes: 1, Clients: []string{"c1"}})
	n := node(t, e, "n1")
	ctx := testContext(t)
	must(t, n.Freeze(ctx))
	if stopped, err := stoppedByPS(ctx, n.Pid()); err != nil || !stopped {
		t.Errorf("ps says stopped = %v, %v", stopped, err)
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

func TestFlush(t *testing.T) {
	e := startEnv(t, Config{Nodes: 1})
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

func TestDemoteAndPromote(t *testing.T) {
	e := startEnv(t, Config{Nodes: 2})
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
func TestReplaceAndRoute(t *testing.T) {
	e := startEnv(t, Config{Nodes: 2, Clients: []string{"c1", "c2"}})
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

func TestHealAll(t *testing.T) {
	e := startEnv(t, Config{Nodes: 4, Clients: []string{"c1", "c2"}})
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
