package testenv

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDoomed); dir != "" {
		doomedRun(dir)
	}
	// Only tests of containers are parallel, and they wait for the engine.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// testContext bounds a test generously: only a hang reaches it.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// lives reports whether a server's process or container runs.
func lives(t *testing.T, s server) bool {
	t.Helper()
	switch s := s.(type) {
	case *proc:
		return alive(s.pid)
	case *container:
		state, err := s.inspect(testContext(t))
		if err != nil && !missing(err) {
			t.Fatal(err)
		}
		return state.Running
	}
	t.Fatalf("a server of type %T", s)
	return false
}

func startEnv(t *testing.T, cfg Config) *Env {
	t.Helper()
	if cfg.Backend != BackendContainer {
		cfg.RedisServer = Require(t)
	}
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	e, err := Start(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func node(t *testing.T, e *Env, name string) *Node {
	t.Helper()
	n, ok := e.Node(name)
	if !ok {
		t.Fatalf("no node %s", name)
	}
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, n *Node, cmd string, args ...any) any {
	t.Helper()
	r, err := n.do(testContext(t), cmd, args...)
	if err != nil {
		t.Fatalf("%s: %s: %v", n.Name(), cmd, err)
	}
	return r
}

// get returns the key's value, empty if there is none.
func get(t *testing.T, n *Node, key string) string {
	t.Helper()
	if r := do(t, n, "GET", key); r != nil {
		return string(r.([]byte))
	}
	return ""
}

func dialProxy(t *testing.T, e *Env, client, node string, wait time.Duration) redis.Conn {
	t.Helper()
	c, err := redis.Dial("tcp", e.Addr(client, node), redis.DialReadTimeout(wait))
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func testStartAndClose(t *testing.T, b Backend) {
	dir := filepath.Join(t.TempDir(), "a \"quoted\" folder")
	e := startEnv(t, Config{Backend: b, Nodes: 3, Clients: []string{"c1", "c2"}, Dir: dir})
	var servers []server
	addrs := map[string]bool{}
	for i, n := range e.Nodes() {
		if want := fmt.Sprintf("n%d", i+1); n.Name() != want {
			t.Errorf("node %d is named %s, want %s", i, n.Name(), want)
		}
		addrs[n.DirectAddr()] = true
		servers = append(servers, n.running())
		if n.Pid() <= 0 || !lives(t, n.running()) {
			t.Errorf("%s: pid %d, lives %v", n.Name(), n.Pid(), lives(t, n.running()))
		}
		for _, client := range []string{"c1", "c2"} {
			addrs[e.Addr(client, n.Name())] = true
			c := dialProxy(t, e, client, n.Name(), 10*time.Second)
			if _, err := c.Do("SET", "who", n.Name()); err != nil {
				t.Fatal(err)
			}
		}
		if got := get(t, n, "who"); got != n.Name() {
			t.Errorf("%s holds who=%q", n.Name(), got)
		}
	}
	if len(addrs) != 9 || addrs[""] {
		t.Errorf("addresses are not nine different ones: %v", addrs)
	}
	if a := e.Addr("c3", "n1"); a != "" {
		t.Errorf("address %q for an unknown client", a)
	}
	must(t, e.Close())
	must(t, e.Close())
	for _, s := range servers {
		if lives(t, s) {
			t.Errorf("server %d survived Close", s.hostPid())
		}
	}
	for addr := range addrs {
		if !strings.HasPrefix(addr, "127.0.0.1:") {
			continue // its network is gone, and the address may be anybody's
		}
		if err := confirmMute(testContext(t), addr); err != nil {
			t.Errorf("%s after Close: %v", addr, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "n2", "redis.log")); err != nil {
		t.Errorf("log is not kept: %v", err)
	}
	if err := e.Nodes()[0].Kill(testContext(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("Kill after Close: %v, want ErrClosed", err)
	}
	if err := e.Cut(testContext(t), "c1", "n1", Both); !errors.Is(err, ErrClosed) {
		t.Errorf("Cut after Close: %v, want ErrClosed", err)
	}
}

func testCloseReleasesFiles(t *testing.T, b Backend) {
	open := func() int {
		t.Helper()
		files, err := os.ReadDir("/dev/fd")
		must(t, err)
		return len(files)
	}
	must(t, startEnv(t, Config{Backend: b, Nodes: 1}).Close()) // what is opened once and for all
	before := open()
	e := startEnv(t, Config{Backend: b, Nodes: 2, Clients: []string{"c1", "c2"}})
	ctx := testContext(t)
	must(t, e.Hold(ctx, "c1", "n1", Both))
	must(t, node(t, e, "n1").Freeze(ctx))
	must(t, e.Close())
	// Connections of proxies are closed a moment after the proxies.
	err := poll(ctx, func() (bool, error) {
		if now := open(); now > before {
			return false, fmt.Errorf("%d files open, %d before", now, before)
		}
		return true, nil
	})
	must(t, err)
}

func testCloseEndsFaultsUnderWay(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1})
	n := node(t, e, "n1")
	// Stopped behind the environment's back: it waits for an answer.
	must(t, n.running().freeze(testContext(t)))
	failed := make(chan error, 1)
	go func() { failed <- n.FlushAll(context.Background()) }()
	must(t, poll(testContext(t), func() (bool, error) { return len(n.turn) == 0, nil }))
	must(t, e.Close())
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("fault under way ended with %v, want ErrClosed", err)
	}
}

func testPassword(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 2, Clients: []string{"c1"}, Password: `se"cret\`})
	n := node(t, e, "n1")
	do(t, n, "SET", "k", "v")
	c := dialProxy(t, e, "c1", "n1", 10*time.Second)
	if _, err := c.Do("GET", "k"); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("without the password: %v, want NOAUTH", err)
	}
	ctx := testContext(t)
	must(t, e.Cut(ctx, "c1", "n1", Replies))
	must(t, e.Heal(ctx, "c1", "n1"))
	must(t, n.Demote(ctx, node(t, e, "n2")))
	if got := get(t, n, "k"); got != "" {
		t.Errorf("replica still holds k=%q", got)
	}
}

func TestBadConfig(t *testing.T) {
	server := Require(t)
	dir := t.TempDir()
	used := t.TempDir()
	must(t, os.Mkdir(filepath.Join(used, "n1"), 0o755))
	ok := Config{Nodes: 1, Clients: []string{"a"}, Dir: dir, RedisServer: server}
	for name, c := range map[string]struct {
		change       func(*Config)
		field, value string
	}{
		"no nodes":         {func(c *Config) { c.Nodes = 0 }, "Nodes", "0"},
		"negative nodes":   {func(c *Config) { c.Nodes = -3 }, "Nodes", "-3"},
		"too many nodes":   {func(c *Config) { c.Nodes = 100 }, "Nodes", "100"},
		"same client":      {func(c *Config) { c.Clients = []string{"a", "b", "a"} }, "Clients[2]", `"a"`},
		"nameless client":  {func(c *Config) { c.Clients = []string{"a", ""} }, "Clients[1]", `""`},
		"unknown backend":  {func(c *Config) { c.Backend = "vm" }, "Backend", `"vm"`},
		"no folder":        {func(c *Config) { c.Dir = "" }, "Dir", `""`},
		"used folder":      {func(c *Config) { c.Dir = used }, "Dir", used},
		"no such server":   {func(c *Config) { c.RedisServer = "/no/such" }, "RedisServer", `"/no/such"`},
		"no redis":         {func(c *Config) { c.RedisServer = "/bin/sh" }, "RedisServer", `"/bin/sh"`},
		"odd persistence":  {func(c *Config) { c.Persistence = "often" }, "Persistence", `"often"`},
		"shared clock":     {func(c *Config) { c.Backend, c.Clocks = BackendContainer, true }, "Clocks", "true"},
		"two settings":     {func(c *Config) { c.Settings = []string{"maxclients 9", "a\nb"} }, "Settings[1]", `"a\nb"`},
		"odd password":     {func(c *Config) { c.Password = "a b" }, "Password", "not shown"},
		"folder is a file": {func(c *Config) { c.RedisServer = dir }, "RedisServer", dir},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := ok
			c.change(&cfg)
			e, err := Start(testContext(t), cfg)
			var ce *ConfigError
			if !errors.As(err, &ce) {
				if e != nil {
					e.Close()
				}
				t.Fatalf("error %v, want a *ConfigError", err)
			}
			if ce.Field != c.field || !strings.Contains(ce.Value, c.value) {
				t.Errorf("blames %s = %s, want %s = %s", ce.Field, ce.Value, c.field, c.value)
			}
			if strings.Contains(err.Error(), "a b") {
				t.Errorf("shows the password: %v", err)
			}
		})
	}
}

func TestStartReportsWhyAServerEnds(t *testing.T) {
	Require(t)
	// Claims to be a server, and ends at once when it shall serve.
	fake := filepath.Join(t.TempDir(), "fake")
	must(t, os.WriteFile(fake, []byte("#!/bin/sh\nif [ \"$1\" = --version ]; then echo Redis server v=7.0.0; exit 0; fi\necho no luck >\"$(dirname \"$1\")/redis.log\"\n"), 0o755))
	e, err := Start(testContext(t), Config{Nodes: 2, Dir: t.TempDir(), RedisServer: fake})
	if err == nil {
		e.Close()
		t.Fatal("started a server that ends at once")
	}
	var fe *FaultError
	if !errors.As(err, &fe) || fe.Op != "start" || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("error %v, want a *FaultError with the server's log", err)
	}
}

func testUnknownNames(t *testing.T, b Backend) {
	e := startEnv(t, Config{Backend: b, Nodes: 1, Clients: []string{"c1"}})
	ctx := testContext(t)
	for what, err := range map[string]error{
		"Cut, client": e.Cut(ctx, "c9", "n1", Both),
		"Hold, node":  e.Hold(ctx, "c1", "n9", Both),
		"Heal":        e.Heal(ctx, "", ""),
	} {
		if !errors.Is(err, ErrUnknownName) {
			t.Errorf("%s: %v, want ErrUnknownName", what, err)
		}
	}
	if _, _, err := e.Replace(ctx, "n9"); !errors.Is(err, ErrUnknownName) {
		t.Errorf("Replace: %v, want ErrUnknownName", err)
	}
	if _, ok := e.Node("n9"); ok {
		t.Error("Node knows n9")
	}
	if err := e.Cut(ctx, "c1", "n1", Direction(7)); err == nil {
		t.Error("cut in an unknown direction")
	}
	if err := node(t, e, "n1").Restart(ctx, Memory(7)); err == nil {
		t.Error("restarted with an unknown memory")
	}
}

// fakeTB records how Require ended the test.
type fakeTB struct{ skipped, failed string }

func (f *fakeTB) Helper()                   {}
func (f *fakeTB) Skipf(s string, a ...any)  { f.skipped = fmt.Sprintf(s, a...) }
func (f *fakeTB) Fatalf(s string, a ...any) { f.failed = fmt.Sprintf(s, a...) }

func TestRequire(t *testing.T) {
	t.Setenv(envRedisServer, "")
	t.Setenv("PATH", t.TempDir())
	t.Chdir(t.TempDir())
	_, err := FindRedis()
	var me *MissingError
	if !errors.As(err, &me) || !strings.Contains(err.Error(), "scripts/redis-server.sh") {
		t.Errorf("FindRedis: %v, want a *MissingError that says what to do", err)
	}
	for ci, want := range map[string]fakeTB{
		"":     {skipped: "SKIP: " + err.Error()},
		"true": {failed: err.Error()},
	} {
		t.Setenv("CI", ci)
		var got fakeTB
		if Require(&got); got != want {
			t.Errorf("CI=%q: %+v, want %+v", ci, got, want)
		}
	}
}

func TestFindRedis(t *testing.T) {
	real := Require(t)
	module := t.TempDir()
	cached := filepath.Join(module, ".cache", "redis", "bin", "redis-server")
	below := filepath.Join(module, "a", "b")
	must(t, os.MkdirAll(filepath.Dir(cached), 0o755))
	must(t, os.MkdirAll(below, 0o755))
	must(t, os.WriteFile(filepath.Join(module, "go.mod"), nil, 0o644))
	must(t, os.WriteFile(cached, []byte("#!/bin/sh\n"), 0o755))
	t.Chdir(below)
	onPath := filepath.Join(t.TempDir(), "redis-server")
	must(t, os.WriteFile(onPath, []byte("#!/bin/sh\n"), 0o755))

	t.Setenv(envRedisServer, "")
	t.Setenv("PATH", "/nowhere")
	expect := func(want string) {
		t.Helper()
		if got, err := FindRedis(); err != nil || got != want {
			t.Errorf("FindRedis() = %q, %v; want %q", got, err, want)
		}
	}
	expect(cached)
	t.Setenv("PATH", filepath.Dir(onPath)+":/bin:/usr/bin")
	expect(onPath)
	t.Setenv(envRedisServer, real)
	expect(real)
	t.Setenv(envRedisServer, onPath) // no server: nothing else is taken instead
	if got, err := FindRedis(); err == nil {
		t.Errorf("took %s although %s names no server", got, envRedisServer)
	}
}
