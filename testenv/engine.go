package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ory/dockertest/v3"
	docker "github.com/ory/dockertest/v3/docker"
)

// enginePatience bounds the first answer of a container engine.
const enginePatience = 5 * time.Second

// engine is a connection to a container engine.
type engine struct {
	*docker.Client
	host string // its URL
}

// newEngine connects to the engine that DOCKER_HOST names, else the local one,
// and sees whether it answers. The error is an *EngineError.
func newEngine(ctx context.Context) (*engine, error) {
	host := os.Getenv("DOCKER_HOST")
	pool, err := dockertest.NewPool("")
	if err != nil {
		return nil, &EngineError{Host: host, Err: err}
	}
	e := &engine{Client: pool.Client, host: pool.Client.Endpoint()}
	ctx, cancel := context.WithTimeout(ctx, enginePatience)
	defer cancel()
	if err := e.PingWithContext(ctx); err != nil {
		e.hangUp()
		return nil, &EngineError{Host: e.host, Err: err}
	}
	return e, nil
}

// hangUp closes idle connections.
func (e *engine) hangUp() { e.HTTPClient.CloseIdleConnections() }

// within calls what knows no context. If the engine hangs, the call is left
// behind.
func within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lasting is for what must not be given up half way: whatever the engine still
// made of it then, nobody would know to remove. It ends in bounded time.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), opTimeout)
}

// missing reports whether the engine said that there is no such thing.
func missing(err error) bool {
	var c *docker.NoSuchContainer
	var n *docker.NoSuchNetwork
	return errors.As(err, &c) || errors.As(err, &n) || errors.Is(err, docker.ErrNoSuchVolume)
}

// hostname is where ports that the engine publishes are reached, and whether
// that is this machine alone.
func (e *engine) hostname() (name string, local bool) {
	u, err := url.Parse(e.host)
	if err != nil || u.Hostname() == "" {
		return "127.0.0.1", true // a Unix socket
	}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() == "localhost" || ip.IsLoopback() {
		return "127.0.0.1", true
	}
	return u.Hostname(), false
}

// RequireEngine returns if a container engine answers, and ends the test
// otherwise: skipped with the reason, or failed when CI=true, where nobody reads
// what was skipped, unless the module's .ci/absent says why there is none: in a
// line "docker: REASON".
func RequireEngine(t TB) {
	t.Helper()
	e, err := newEngine(context.Background())
	if err == nil {
		e.hangUp()
		return
	}
	Missing(t, "docker", err)
}

// Missing ends a test that needs what this machine has not got, err saying
// what: skipped with the reason, or failed when CI=true, where nobody reads what
// was skipped, unless the module's .ci/absent has a line "NAME: REASON".
func Missing(t TB, name string, err error) {
	t.Helper()
	if os.Getenv("CI") != "true" {
		t.Skipf("SKIP: %v", err)
		return
	}
	reason, named := absent(name)
	if !named {
		t.Fatalf("%v; where there is none, .ci/absent must say why, in a line \"%s: REASON\"", err, name)
		return
	}
	t.Skipf("SKIP: %v (.ci/absent: %s)", err, reason)
}

// absent looks a name up in the module's .ci/absent.
func absent(name string) (reason string, ok bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", false
	}
	text, err := os.ReadFile(filepath.Join(dir, ".ci", "absent"))
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		engine, reason, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(engine) == name && strings.TrimSpace(reason) != "" {
			return strings.TrimSpace(reason), true
		}
	}
	return "", false
}

// bridgeHere reports whether the network's bridge is an interface of this
// machine, so that its addresses can be reached.
func bridgeHere(networkID, gateway string) bool {
	if len(networkID) < 12 {
		return false
	}
	// An address alone may be that of another network, seen from elsewhere.
	nic, err := net.InterfaceByName("br-" + networkID[:12])
	if err != nil {
		return false
	}
	addrs, err := nic.Addrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.String() == gateway {
			return true
		}
	}
	return false
}

// overlaps reports whether the engine refused a subnet that somebody else has
// taken meanwhile.
func overlaps(err error) bool {
	var e *docker.Error
	return errors.As(err, &e) && strings.Contains(strings.ToLower(e.Message), "overlap")
}

// taken reports whether the engine could not publish a port since somebody else
// has it.
func taken(err error) bool {
	var e *docker.Error
	if !errors.As(err, &e) {
		return false
	}
	m := strings.ToLower(e.Message)
	return strings.Contains(m, "already allocated") || strings.Contains(m, "already in use")
}

// dockerPort is a port as the engine names it.
func dockerPort(num int) docker.Port { return docker.Port(fmt.Sprintf("%d/tcp", num)) }
