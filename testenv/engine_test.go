package testenv

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	docker "github.com/ory/dockertest/v3/docker"
)

func TestRequireEngine(t *testing.T) {
	module := t.TempDir()
	must(t, os.WriteFile(filepath.Join(module, "go.mod"), nil, 0o644))
	must(t, os.MkdirAll(filepath.Join(module, ".ci"), 0o755))
	must(t, os.MkdirAll(filepath.Join(module, "a", "b"), 0o755))
	t.Chdir(filepath.Join(module, "a", "b"))
	host := "unix://" + filepath.Join(module, "no.sock")
	t.Setenv("DOCKER_HOST", host)
	var ee *EngineError
	if _, err := newEngine(testContext(t)); !errors.As(err, &ee) || ee.Host != host {
		t.Errorf("newEngine: %v, want an *EngineError about %s", err, host)
	}
	if _, err := Start(testContext(t), Config{Backend: BackendContainer, Nodes: 1, Dir: t.TempDir()}); !errors.As(err, &ee) {
		t.Errorf("Start: %v, want an *EngineError", err)
	}
	for name, c := range map[string]struct {
		ci, absent      string
		skipped, failed string
	}{
		"not in CI":         {"", "", "SKIP: testenv: no usable container engine", ""},
		"in CI":             {"true", "", "", ".ci/absent must say why"},
		"in CI, named":      {"true", "\n docker : the runner has none: sorry \n", "(.ci/absent: the runner has none: sorry)", ""},
		"in CI, no reason":  {"true", "docker:\ndocker\n", "", ".ci/absent must say why"},
		"in CI, other name": {"true", "podman: none\n", "", ".ci/absent must say why"},
	} {
		t.Setenv("CI", c.ci)
		must(t, os.WriteFile(filepath.Join(module, ".ci", "absent"), []byte(c.absent), 0o644))
		var got fakeTB
		RequireEngine(&got)
		if !strings.Contains(got.skipped, c.skipped) || !strings.Contains(got.failed, c.failed) ||
			(got.skipped == "") != (c.skipped == "") || (got.failed == "") != (c.failed == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// tcpEngine makes the engine reachable by TCP and counts how often it is.
func tcpEngine(t *testing.T) (host string, used *atomic.Int64) {
	t.Helper()
	e := testEngine(t)
	socket, ok := strings.CutPrefix(e.host, "unix://")
	if !ok {
		t.Skipf("SKIP: DOCKER_HOST=%s names no socket", e.host)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	used = new(atomic.Int64)
	pass := func(to, from net.Conn) {
		defer to.Close()
		io.Copy(to, from)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			used.Add(1)
			s, err := net.Dial("unix", socket)
			if err != nil {
				c.Close()
				continue
			}
			go pass(s, c)
			go pass(c, s)
		}
	}()
	return "tcp://" + l.Addr().String(), used
}

// An engine whose networks cannot be reached publishes ports, which stay the
// same as well.
func TestPublishedPorts(t *testing.T) {
	host, used := tcpEngine(t)
	t.Setenv("DOCKER_HOST", host)
	publishAlways = true
	defer func() { publishAlways = false }()
	e := startEnv(t, Config{Backend: BackendContainer, Nodes: 2, Clients: []string{"c1"}})
	ctx := testContext(t)
	n := node(t, e, "n1")
	addr := n.DirectAddr()
	if used.Load() == 0 || !strings.HasPrefix(addr, "127.0.0.1:") {
		t.Errorf("DOCKER_HOST was used %d times, and the node is at %s", used.Load(), addr)
	}
	do(t, n, "SET", "k", "v")
	must(t, n.Restart(ctx, KeepMemory))
	must(t, n.Disconnect(ctx))
	must(t, n.Reconnect(ctx))
	must(t, n.Freeze(ctx))
	must(t, n.Thaw(ctx))
	if got := get(t, n, "k"); got != "v" || n.DirectAddr() != addr {
		t.Errorf("k=%q at %s", got, n.DirectAddr())
	}
	must(t, n.Demote(ctx, node(t, e, "n2"))) // servers reach each other
	must(t, e.HealAll(ctx))
	must(t, e.Close())
}

func TestHostname(t *testing.T) {
	for host, want := range map[string]struct {
		name  string
		local bool
	}{
		"unix:///var/run/docker.sock": {"127.0.0.1", true},
		"tcp://127.0.0.1:2375":        {"127.0.0.1", true},
		"http://localhost:2375":       {"127.0.0.1", true},
		"tcp://[::1]:2375":            {"127.0.0.1", true},
		"tcp://build.example:2376":    {"build.example", false},
		"tcp://192.0.2.7:2375":        {"192.0.2.7", false},
	} {
		if name, local := (&engine{host: host}).hostname(); name != want.name || local != want.local {
			t.Errorf("%s: %s, local %v", host, name, local)
		}
	}
}

// Servers that a network reaches must not be open to it.
func TestRemoteEngineNeedsAPassword(t *testing.T) {
	b := &containers{engine: &engine{host: "tcp://192.0.2.7:2375"}}
	err := b.prepare(testContext(t), &Config{})
	var ce *ConfigError
	if !errors.As(err, &ce) || ce.Field != "Password" || !strings.Contains(err.Error(), "192.0.2.7") {
		t.Errorf("prepare: %v, want a *ConfigError about the password", err)
	}
}

// The engine's refusals are known by their words.
func TestRefusals(t *testing.T) {
	t.Parallel()
	engine := testEngine(t)
	e := startEnv(t, Config{Backend: BackendContainer, Nodes: 1})
	ctx := testContext(t)
	b := e.backend.(*containers)
	_, err := engine.CreateNetwork(docker.CreateNetworkOptions{
		Name: b.name("second"), Driver: "bridge", Labels: b.claim.labels(), Context: ctx,
		IPAM: &docker.IPAMOptions{Driver: "default", Config: []docker.IPAMConfig{{Subnet: b.subnet.String()}}},
	})
	if !overlaps(err) || taken(err) {
		t.Errorf("a subnet that is in use: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	num := l.Addr().(*net.TCPAddr).Port
	c, err := engine.CreateContainer(docker.CreateContainerOptions{
		Name:   b.name("third"),
		Config: &docker.Config{Image: b.image.name, Entrypoint: []string{"redis-server"}, Labels: b.claim.labels(), ExposedPorts: map[docker.Port]struct{}{dockerPort(1): {}}},
		HostConfig: &docker.HostConfig{PortBindings: map[docker.Port][]docker.PortBinding{
			dockerPort(1): {{HostIP: "127.0.0.1", HostPort: dockerPort(num).Port()}},
		}},
		Context: ctx,
	})
	must(t, err)
	if err := engine.StartContainerWithContext(c.ID, nil, ctx); !taken(err) || overlaps(err) {
		t.Errorf("a port that is in use: %v", err)
	}
	if _, err := engine.InspectContainerWithContext("nobody", ctx); !missing(err) {
		t.Errorf("a container that is not there: %v", err)
	}
	if missing(nil) || overlaps(nil) || taken(nil) {
		t.Error("a refusal without an error")
	}
}
