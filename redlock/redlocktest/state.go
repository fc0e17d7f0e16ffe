// Package redlocktest provides lock nodes in memory: State for a simulator that
// decides every step and every instant itself, and Driver for tests of programs
// that use the lock.
//
// It guarantees that a State answers every script as a real Redis server does
// and holds the same keys afterwards; a test plays random calls to both and
// compares. It knows no network and no persistence, of publish/subscribe only
// which waiter a call told (Woken), and of Redis only what lock nodes meet: the
// scripts, and a foreign client that sets and deletes keys. Memory never runs out.
//
// It deliberately does not import the lock itself, only the scripts' calls and
// replies: the lock's own tests and its simulator stand on this package.
package redlocktest

import (
	"slices"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// State is one node: all keys of one Redis server, its incarnation and its
// role. It has no clock: every method that depends on time is told the node
// time in Unix microseconds, which may run backwards, and first removes the
// keys that have expired by then.
//
// Its methods are deterministic. They are not safe for concurrent use. The zero
// value is unusable, because a server has an incarnation: use NewState.
// Assigning a State shares memory; use Clone.
type State struct {
	inc     string
	replica bool
	spaces  []space      // sorted by prefix
	keys    []key        // sorted by name
	woken   script.Place // told of its turn by the last Apply; not part of what a server keeps
}

// space is what the scripts keep under one prefix, besides the locks.
type space struct {
	prefix     string
	rec        record
	young, old []fence // sorted by name
	lines      []line  // sorted by key; none is empty
}

// record is the hash redlock:node. Empty strings stand for absent fields.
type record struct {
	known  bool   // admitted once: the fields down to turned are there
	inc    string // of the admission; empty once the vote was withdrawn
	floor  uint64
	maxTTL int64 // ms
	keep   int64 // ms
	self   int
	cfg    string
	hw     uint64
	mark   uint64
	omark  uint64
	turned int64 // Unix µs
	nonce  string
	qrid   string // the incarnation under which nonce was drawn
	boot   string
}

type fence struct {
	name  string // the lock's key
	token uint64
}

// key is a lock, or what a foreign client left at a lock's name.
type key struct {
	name   string
	list   bool // a list of the one element value, rather than a string
	value  string
	expire int64 // Unix ms; 0 for never
}

// NewState returns an empty primary of the given incarnation: 40 lower-case hex
// digits on a real server, any such non-empty string here.
func NewState(inc string) State { return State{inc: inc} }

// Clone returns a copy that shares nothing with s.
func (s *State) Clone() State {
	c := *s
	c.keys = slices.Clone(s.keys)
	c.spaces = slices.Clone(s.spaces)
	for i := range c.spaces {
		c.spaces[i].young = slices.Clone(c.spaces[i].young)
		c.spaces[i].old = slices.Clone(c.spaces[i].old)
		c.spaces[i].lines = slices.Clone(c.spaces[i].lines)
		for j := range c.spaces[i].lines {
			l := &c.spaces[i].lines[j]
			l.places = slices.Clone(l.places)
		}
	}
	return c
}

// Inc returns the incarnation.
func (s *State) Inc() string { return s.inc }

// Replica reports whether the node is a replica.
func (s *State) Replica() bool { return s.replica }

// Restart gives the server a new incarnation and keeps its memory, as a restart
// from an append-only file does. Restart and FlushAll together are a restart
// without persistence. A replica comes back as a primary.
func (s *State) Restart(inc string) { s.inc, s.replica = inc, false }

// Demote makes the server a replica that keeps its memory: no script that
// writes or votes works until Restart promotes it.
func (s *State) Demote() { s.replica = true }

// FlushAll removes all keys. The incarnation stays.
func (s *State) FlushAll() { s.keys, s.spaces = nil, nil }

// Expire removes the keys whose time has passed at node time now.
func (s *State) Expire(now int64) {
	s.expireLines(now)
	for i := range s.keys {
		if s.keys[i].expired(now) { // rare, so look before the slice is rewritten
			s.keys = slices.DeleteFunc(s.keys, func(k key) bool { return k.expired(now) })
			return
		}
	}
}

// expired judges as Redis does: a key still stands in its last millisecond.
func (k *key) expired(now int64) bool { return k.expire != 0 && now/1000 > k.expire }

// left is the remaining ttl in ms, -1 for a key without one.
func (k *key) left(now int64) int64 {
	if k.expire == 0 {
		return -1
	}
	return k.expire - now/1000
}

// Set sets key to value as a foreign client does. A ttl of 0 ms means none.
func (s *State) Set(name, value string, ttl, now int64) {
	s.Expire(now)
	s.put(key{name: name, value: value, expire: expiry(ttl, now)})
}

// SetNX is Set where no key stands; it reports whether it set it. A redsync
// client acquires like this.
func (s *State) SetNX(name, value string, ttl, now int64) bool {
	s.Expire(now)
	if s.find(joined{rest: name}) != nil {
		return false
	}
	s.put(key{name: name, value: value, expire: expiry(ttl, now)})
	return true
}

// SetList puts a list with one element at the key, a type that no lock has. A
// ttl of 0 ms means none.
func (s *State) SetList(name, elem string, ttl, now int64) {
	s.Expire(now)
	s.put(key{name: name, list: true, value: elem, expire: expiry(ttl, now)})
}

// Get returns the string at the key.
func (s *State) Get(name string, now int64) (value string, ok bool) {
	s.Expire(now)
	if k := s.find(joined{rest: name}); k != nil && !k.list {
		return k.value, true
	}
	return "", false
}

// Del deletes the key and reports whether it was there.
func (s *State) Del(name string, now int64) bool {
	s.Expire(now)
	i, found := s.search(joined{rest: name})
	if found {
		s.keys = slices.Delete(s.keys, i, i+1)
	}
	return found
}

// DelIf deletes the key if it is the string value, as a redsync client
// releases, and reports whether it did.
func (s *State) DelIf(name, value string, now int64) bool {
	v, ok := s.Get(name, now)
	return ok && v == value && s.Del(name, now)
}

// ExpireIf sets the ttl of the key in ms if it is the string value, as a
// redsync client extends, and reports whether it did.
func (s *State) ExpireIf(name, value string, ttl, now int64) bool {
	if v, ok := s.Get(name, now); !ok || v != value {
		return false
	}
	s.find(joined{rest: name}).expire = expiry(ttl, now)
	return true
}

func expiry(ttl, now int64) int64 {
	if ttl == 0 {
		return 0
	}
	return now/1000 + ttl
}

func (s *State) search(name joined) (int, bool) {
	return slices.BinarySearchFunc(s.keys, name, func(k key, j joined) int { return j.compare(k.name) })
}

func (s *State) find(name joined) *key {
	if i, ok := s.search(name); ok {
		return &s.keys[i]
	}
	return nil
}

func (s *State) put(k key) {
	i, found := s.search(joined{rest: k.name})
	if found {
		s.keys[i] = k
		return
	}
	s.keys = slices.Insert(s.keys, i, k)
}

// space returns what is kept under the prefix; it begins blank.
func (s *State) space(prefix string) *space {
	i := 0 // there is one prefix, as a rule
	for i < len(s.spaces) && s.spaces[i].prefix < prefix {
		i++
	}
	if i == len(s.spaces) || s.spaces[i].prefix != prefix {
		s.spaces = slices.Insert(s.spaces, i, space{prefix: prefix})
	}
	return &s.spaces[i]
}

// Apply executes a call at node time now and returns what the script answers.
// An unknown op changes nothing and answers OutOfRange.
func (s *State) Apply(c *script.Call, now int64) script.Reply {
	s.Expire(now)
	s.woken = script.Place{}
	switch c.Op {
	case script.Acquire, script.Raise, script.Extend:
		var b ballot
		if refusal, ok := b.open(s, c, now); !ok {
			return refusal
		}
		switch c.Op {
		case script.Acquire:
			return b.acquire()
		case script.Raise:
			return b.raise()
		}
		return b.extend()
	case script.Release:
		return s.release(c, now)
	case script.Probe, script.Seal, script.Prepare, script.Admit, script.Retire:
		if s.replica {
			return code(script.NotAdmitted)
		}
		return s.admission(c, now)
	}
	return code(script.OutOfRange)
}

func code(n int) script.Reply { return script.Reply{Code: n} }
