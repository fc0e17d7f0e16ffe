package chaos

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// parts are the modules whose version a report names: those that a run's
// outcome may hang on.
var parts = []string{"github.com/gomodule/redigo", "github.com/Shopify/toxiproxy/v2", "github.com/anishathalye/porcupine", "github.com/ory/dockertest/v3"}

// versions lists what took part in a run, with versions.
func versions(dir string) map[string]string {
	list := buildVersions()
	if v := redisVersions(dir); v != "" {
		list["Redis"] = v
	}
	return list
}

// buildVersions lists what this program was built from.
func buildVersions() map[string]string {
	list := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return list
	}
	list[info.Main.Path] = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			list["revision"] = s.Value
		case "vcs.modified":
			list["uncommitted changes"] = s.Value
		}
	}
	for _, d := range info.Deps {
		if slices.Contains(parts, d.Path) {
			list[d.Path] = d.Version
		}
	}
	return list
}

var redisVersion = regexp.MustCompile(`Redis version=([0-9.]+)`)

// redisVersions returns the versions that the servers' logs name, each once, or
// "" if they name none.
func redisVersions(dir string) string {
	logs, _ := filepath.Glob(filepath.Join(dir, "nodes", "*", "redis.log")) // the pattern is well-formed
	var found []string
	for _, path := range logs {
		f, err := os.Open(path)
		if err != nil {
			continue // the report says less
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if m := redisVersion.FindStringSubmatch(lines.Text()); m != nil {
				found = append(found, m[1])
				break
			}
		}
		f.Close()
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), ", ")
}
