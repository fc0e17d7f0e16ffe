// Package script holds what a Redis server executes for the lock: the Lua
// texts, how a Call is turned into their keys and arguments, and how their
// replies are read.
//
// It guarantees that a reply that does not have the documented form is an
// error and never a vote. It does not send anything, knows no connection and
// no clock, and does not decide what a reply means: that is for the protocol.
// It deliberately imports no Redis client, so that any of them can carry a
// Call, and nothing else of this module.
//
// The scripts run on Redis 6.2 and later and on Valkey, with one server per
// node: the keys of a call lie in several hash slots, so a Redis Cluster
// refuses them.
//
// # Keys
//
// With the prefix before all of them:
//
//	NAME               the lock: the attempt's id, with a ttl
//	redlock:node       the node's record, a hash
//	redlock:fence:1    young fences: name → highest token assigned for it, a hash
//	redlock:fence:0    old fences, likewise
//	redlock:wait:NAME  the waiting line: a sorted set of places, see queue.lua
//
// The record's fields are adm, the string "inc floor maxttl keep self cfg" of
// the last admission (inc empty once it was withdrawn); hw, the highest token
// ever assigned; mark and omark, lower bounds for names that are in neither
// table, and turned, when the tables last moved (Unix µs); the nonce q with
// qrid, the incarnation it was drawn under; and boot, the boot mark.
package script

import (
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"regexp"
	"strconv"
)

// MaxToken is the largest token that a node assigns. One less than 2^53 would do
// for Lua's numbers; this leaves room for the sums that the scripts form.
const MaxToken = 1<<53 - 4

// MaxSent is the largest token that the scripts accept from a client: as the
// token of Raise, Extend and Release and as the floor of Admit. It lies 2·10^11
// below what a node still assigns by itself, so that one wild value cannot use
// up a node's counter for every name.
const MaxSent = 9_007_000_000_000_000

// MaxHint is how far above node time, in microseconds, a hint may lie.
const MaxHint = 60_000_000

// ErrNotSent is matched by every error of a driver that says: the node has not
// executed the call and never will.
var ErrNotSent = errors.New("not sent")

//go:embed *.lua
var files embed.FS

var opNames = [...]string{
	Acquire: "acquire",
	Raise:   "raise",
	Extend:  "extend",
	Release: "release",
	Probe:   "probe",
	Seal:    "seal",
	Prepare: "prepare",
	Admit:   "admit",
	Retire:  "retire",
}

type text struct{ source, sha1 string }

var texts = load()

func load() (t [len(opNames)]text) {
	for op := Acquire; op <= Retire; op++ {
		source := read(opNames[op])
		switch op {
		case Acquire, Raise, Extend:
			source = read("head") + source
		case Probe, Seal, Prepare, Admit, Retire:
			source = read("node") + source
		case Release:
		}
		sum := sha1.Sum([]byte(source))
		t[op] = text{source, hex.EncodeToString(sum[:])}
	}
	return t
}

// included finds the lines "--- NAME" of a script, where the text of NAME.lua
// stands: what several scripts share costs less in place than as a function,
// which Lua would make anew in every call.
var included = regexp.MustCompile(`(?m)^ *--- ([a-z]+)\n`)

func read(name string) string {
	b, err := files.ReadFile(name + ".lua")
	if err != nil {
		panic(err) // the file was there when the program was built
	}
	return included.ReplaceAllStringFunc(string(b), func(line string) string {
		return read(included.FindStringSubmatch(line)[1])
	})
}

// Source returns the script's Lua text, as EVAL takes it, or "" for an unknown
// op.
func (op Op) Source() string { return op.text().source }

// SHA1 returns the hex digest of Source, as EVALSHA takes it, or "" for an
// unknown op.
func (op Op) SHA1() string { return op.text().sha1 }

func (op Op) text() text {
	if int(op) < len(texts) {
		return texts[op]
	}
	return text{}
}

// String returns the script's name in lower case, or "op(N)" for an unknown op.
func (op Op) String() string {
	if int(op) < len(opNames) && opNames[op] != "" {
		return opNames[op]
	}
	return "op(" + strconv.Itoa(int(op)) + ")"
}
