package testenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
)

const envRedisServer = "QUORUMLOCK_REDIS_SERVER"

// FindRedis returns the path of a redis-server: that of the environment
// variable QUORUMLOCK_REDIS_SERVER, else the first of the PATH, else what
// scripts/redis-server.sh left in the module's .cache folder, looked for from
// the working directory upwards. The error is a *MissingError.
func FindRedis() (path string, err error) {
	if p := os.Getenv(envRedisServer); p != "" {
		// Somebody who names a server wants that one or none.
		if _, err := serverVersion(context.Background(), p); err != nil {
			return "", &MissingError{Tried: []string{envRedisServer + "=" + p}}
		}
		return filepath.Abs(p)
	}
	tried := []string{envRedisServer, "PATH"}
	for _, name := range []string{"redis-server", "valkey-server"} {
		if p, err := exec.LookPath(name); err == nil {
			return filepath.Abs(p)
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", &MissingError{Tried: tried}
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			p := filepath.Join(dir, ".cache", "redis", "bin", "redis-server")
			if _, err := exec.LookPath(p); err == nil {
				return p, nil
			}
			tried = append(tried, p)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", &MissingError{Tried: tried}
		}
		dir = parent
	}
}

// TB is the part of testing.TB that Require needs.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Require returns the path of a redis-server, or ends the test: skipped with
// the reason, or failed when CI=true, where nobody reads what was skipped.
func Require(t TB) string {
	t.Helper()
	path, err := FindRedis()
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%v", err)
	} else {
		t.Skipf("SKIP: %v", err)
	}
	return ""
}
