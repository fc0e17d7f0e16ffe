// Package fencing lets a resource refuse a stale lock holder.
//
// A lock that can be lost while its holder sleeps does not protect a resource
// by itself: the holder wakes up, believes it still holds the lock, and
// writes. A fencing token closes that gap. Tokens grow strictly from one
// holder to the next, the resource remembers the highest one it has seen, and
// a write that carries a lower one is refused.
//
// The package imports the standard library only, so that a resource can use it
// without the lock.
package fencing

import "strconv"

// Token is a fencing token: a positive integer that is unique among all holds
// of a lock and greater than that of every earlier hold. Zero means none.
//
// Tokens stay below 2^53 so that Redis, Lua and JavaScript can carry them
// without loss.
type Token uint64

// Max is the largest token that a lock hands out.
const Max Token = 1<<53 - 4

// String returns the token in decimal.
func (t Token) String() string { return strconv.FormatUint(uint64(t), 10) }
