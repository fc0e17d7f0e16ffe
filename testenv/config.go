package testenv

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxNodes keeps a typing error from starting thousands of servers.
const maxNodes = 99

// Config says what to start.
type Config struct {
	_ struct{}

	// Nodes is the number of servers, 1 to 99. They are named n1, n2, ….
	Nodes int
	// Clients are the names of those who get proxies of their own, one per node.
	// They must differ. Without any, nodes are reached directly only.
	Clients []string
	// Backend is what the nodes run in; empty means BackendProcess.
	Backend Backend
	// Dir receives one folder per server: its log and, if it is a process, its
	// configuration and its append-only file. It is created if absent, and kept
	// by Close. It must not hold the servers of an earlier run.
	Dir string
	// RedisServer is the path of the server's program; empty means that of
	// FindRedis. Containers run an image made out of it; if it is empty, the
	// image redis:7 if there is one to be had.
	RedisServer string
	// Password, if any, is asked for by every server (requirepass). Containers on
	// another machine must have one, since that machine's network reaches them.
	Password string
	// Persistence is what the servers write to disk; empty means PersistAlways.
	Persistence Persistence
	// Clocks lets SetClock give every server a wall clock of its own. It needs
	// 64-bit Linux, a C compiler ($CC, or cc), a server that is linked to its C
	// library dynamically, and BackendProcess: containers share a clock.
	Clocks bool
	// Settings are lines added to every server's configuration file, after all
	// others: what a test needs beyond the usual, such as "unixsocket PATH".
	Settings []string
	// Seed is where Delay's jitter is drawn from. Every value is a seed, zero
	// as well.
	Seed uint64
}

// Persistence is how much of its memory a server writes to disk.
type Persistence string

// The kinds of persistence.
const (
	// PersistAlways writes everything before its reply (appendfsync always).
	PersistAlways Persistence = "always"
	// PersistNothing writes nothing, so that benchmarks measure no disk. A
	// server's memory ends with its process: Restart refuses KeepMemory and
	// PartialMemory, and HealAll brings a dead server back empty.
	PersistNothing Persistence = "nothing"
)

// validate fills in the defaults and checks all but the server's program.
func (c *Config) validate() error {
	if c.Nodes < 1 || c.Nodes > maxNodes {
		return &ConfigError{"Nodes", strconv.Itoa(c.Nodes), fmt.Sprintf("must be 1 to %d", maxNodes)}
	}
	if err := validateClients(c.Clients); err != nil {
		return err
	}
	switch c.Backend {
	case "":
		c.Backend = BackendProcess
	case BackendProcess, BackendContainer:
	default:
		reason := fmt.Sprintf("unknown; must be %q or %q", BackendProcess, BackendContainer)
		return &ConfigError{"Backend", strconv.Quote(string(c.Backend)), reason}
	}
	switch c.Persistence {
	case "":
		c.Persistence = PersistAlways
	case PersistAlways, PersistNothing:
	default:
		reason := fmt.Sprintf("unknown; must be %q or %q", PersistAlways, PersistNothing)
		return &ConfigError{"Persistence", strconv.Quote(string(c.Persistence)), reason}
	}
	if c.Clocks && c.Backend == BackendContainer {
		return &ConfigError{"Clocks", "true", "containers share this machine's clock"}
	}
	if strings.ContainsAny(c.Password, " \t\r\n\x00") {
		return &ConfigError{"Password", "(not shown)", "must not contain white space"}
	}
	for i, line := range c.Settings {
		if strings.ContainsAny(line, "\r\n\x00") {
			return &ConfigError{fmt.Sprintf("Settings[%d]", i), strconv.Quote(line), "must be one line"}
		}
	}
	return c.validateDir()
}

// findServer fills in the server's program and returns its version.
func (c *Config) findServer(ctx context.Context) (version, error) {
	if c.RedisServer == "" {
		path, err := FindRedis()
		if err != nil {
			return version{}, err
		}
		c.RedisServer = path
	}
	v, err := serverVersion(ctx, c.RedisServer)
	if err != nil {
		return version{}, &ConfigError{"RedisServer", strconv.Quote(c.RedisServer), err.Error()}
	}
	return v, nil
}

func validateClients(names []string) error {
	seen := make(map[string]int)
	for i, name := range names {
		field := fmt.Sprintf("Clients[%d]", i)
		if name == "" {
			return &ConfigError{field, `""`, "must not be empty"}
		}
		if j, ok := seen[name]; ok {
			return &ConfigError{field, strconv.Quote(name), fmt.Sprintf("same as Clients[%d]", j)}
		}
		seen[name] = i
	}
	return nil
}

// validateDir makes the folder's path absolute, since servers run elsewhere.
func (c *Config) validateDir() error {
	if c.Dir == "" {
		return &ConfigError{"Dir", `""`, "must name a folder"}
	}
	abs, err := filepath.Abs(c.Dir)
	if err != nil {
		return &ConfigError{"Dir", strconv.Quote(c.Dir), err.Error()}
	}
	c.Dir = abs
	// An old append-only file would be this run's memory.
	if _, err := os.Lstat(filepath.Join(abs, "n1")); err == nil {
		return &ConfigError{"Dir", strconv.Quote(abs), "holds the servers of an earlier run"}
	}
	return nil
}

// version is a server's version: 7.0.15 is {7, 0}.
type version struct{ major, minor int }

// serverVersion asks a program whether it is a server, and which.
func serverVersion(ctx context.Context, path string) (version, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return versionSaid(exec.CommandContext(ctx, path, "--version"))
}

// versionSaid reads what the command prints of a server's version.
func versionSaid(cmd *exec.Cmd) (version, error) {
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return version{}, fmt.Errorf("cannot be run: %w", err)
	}
	var v version
	_, after, ok := bytes.Cut(out, []byte("server v="))
	if !ok {
		return version{}, fmt.Errorf("is no redis-server: --version says %.60q", out)
	}
	if _, err := fmt.Sscanf(string(after), "%d.%d", &v.major, &v.minor); err != nil {
		return version{}, fmt.Errorf("has an unreadable version: %.60q", out)
	}
	return v, nil
}
