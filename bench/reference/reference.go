// Package reference holds the protocol's two busiest scripts in their plain
// form: every rule of the protocol written down as it reads, the record's
// fields fetched one by one, patterns matched, numbers formatted. The library's
// scripts obey the same rules and must be cheaper; the package exists so that
// by how much can be measured in any clone.
//
// It guarantees that its scripts grant, refuse and free as the library's do
// (a test compares them). It is no lock: only ACQUIRE and RELEASE are here, and
// Admit writes the record without asking whether it may.
package reference

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/redlock/script"
)

//go:embed head.lua
var head string

//go:embed acquire.lua
var acquire string

//go:embed release.lua
var release string

// Sources of the scripts.
var (
	Acquire = head + acquire
	Release = release
)

// cfg has the length of one of five nodes.
var cfg = "1/0123456789abcdef/5/10000/0123456789abcdef|" + strings.Repeat("0-.", 4) + "0-"

// Eval returns what follows EVAL's script or EVALSHA's digest: the number of
// keys, the keys and the arguments of an Acquire or a Release, under the
// configuration under which Admit admits.
func Eval(c script.Call) []any {
	args := []any{3 + len(c.Names), prefix + script.NodeKey, prefix + script.YoungKey, prefix + script.OldKey}
	for _, name := range c.Names {
		args = append(args, prefix+name)
	}
	if c.Op == script.Acquire {
		return append(args, cfg, self, c.ID, c.TTL.Milliseconds(), c.Hint, c.NotAfter)
	}
	args = append(args, c.ID, c.Token)
	for _, name := range c.Names {
		args = append(args, prefix+"redlock:rel:"+name)
	}
	return args
}

const (
	prefix = "ref:" // keeps the record apart from the library's
	self   = 1
)

// Admit lets a server vote: it writes the record of a node that was just
// admitted, for the server's present life.
func Admit(c redis.Conn, maxTTL time.Duration) error {
	info, err := redis.String(c.Do("INFO", "replication"))
	if err != nil {
		return err
	}
	_, id, ok := strings.Cut(info, "master_replid:")
	id, _, _ = strings.Cut(id, "\r")
	if !ok || id == "" {
		return fmt.Errorf("no master_replid in %q", info)
	}
	_, err = c.Do("HSET", prefix+script.NodeKey, "inc", id, "cfg", cfg, "self", self, "floor", 0, "hw", 0,
		"maxttl", maxTTL.Milliseconds(), "mark", 0, "omark", 0, "turned", time.Now().UnixMicro(), "keep", (24 * time.Hour).Milliseconds())
	return err
}
