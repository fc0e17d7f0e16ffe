package script

import (
	"strconv"
	"time"
)

// Keys of the node itself; the prefix goes before them.
const (
	NodeKey  = "redlock:node"
	YoungKey = "redlock:fence:1"
	OldKey   = "redlock:fence:0"
	line     = "redlock:wait:"
	wake     = "redlock:wake:"
)

// Keys returns the keys of the call, prefix included, in the order in which the
// script expects them. The slice is the caller's.
func (c *Call) Keys() []string {
	switch c.Op {
	case Acquire, Raise, Extend, Release:
		keys := make([]string, 3, 3+len(c.Names))
		keys[0], keys[1], keys[2] = c.Prefix+NodeKey, c.Prefix+YoungKey, c.Prefix+OldKey
		for _, name := range c.Names {
			keys = append(keys, c.Prefix+name)
		}
		return keys
	case Probe, Seal, Prepare, Admit, Retire:
		return []string{c.Prefix + NodeKey}
	}
	return nil
}

// Args returns the arguments that follow the keys, in the order in which the
// script expects them: numbers in decimal, durations in milliseconds, rounded
// down. The slice is the caller's.
func (c *Call) Args() []string {
	switch c.Op {
	case Acquire:
		args := make([]string, 6, 9)
		args[0], args[1], args[2] = c.Cfg, strconv.Itoa(c.Self), c.ID
		args[3], args[4], args[5] = millis(c.TTL), decimal(c.Hint), strconv.FormatInt(c.NotAfter, 10)
		if c.Lines() {
			args = append(args, c.Place.String(), Channel(c.Prefix, ""), LineKey(c.Prefix, c.Names[0]))
		}
		return args
	case Raise:
		return []string{c.Cfg, strconv.Itoa(c.Self), c.ID, decimal(c.Token)}
	case Extend:
		return []string{c.Cfg, strconv.Itoa(c.Self), c.ID, decimal(c.Token), millis(c.TTL)}
	case Release:
		args := make([]string, 2, 6)
		args[0], args[1] = c.ID, decimal(c.Token)
		if c.Lines() {
			args = append(args, strconv.Itoa(int(c.Pass)), c.Place.String(), Channel(c.Prefix, ""), LineKey(c.Prefix, c.Names[0]))
		}
		return args
	case Probe:
		return []string{c.Nonce, c.Renew}
	case Seal:
		return []string{c.Static, strconv.Itoa(c.Index), strconv.Itoa(c.K), c.Entry}
	case Prepare:
		return []string{c.Inc, c.Nonce, c.Mark}
	case Admit:
		return []string{c.Inc, c.Nonce, decimal(c.Floor), millis(c.MaxTTL), c.Cfg, c.Mark, strconv.Itoa(c.Self), millis(c.Keep)}
	case Retire:
		return []string{c.Inc, c.Nonce}
	}
	return nil
}

// Lines reports whether the call has to do with the waiting line of its first
// name.
func (c *Call) Lines() bool {
	if len(c.Names) == 0 {
		return false
	}
	return c.Op == Acquire && c.Place != (Place{}) || c.Op == Release && c.Pass != 0
}

// LineKey returns the key of the waiting line of a lock's name.
func LineKey(prefix, name string) string { return prefix + line + name }

// Channel returns the channel on which a node tells a client, with the text of
// the place as payload, that it is the turn of one of its waiters.
func Channel(prefix, client string) string { return prefix + wake + client }

// Place is a waiter's place in a lock's waiting line. It is the same for all
// attempts of one waiter, whose ids are fresh. The zero value is none.
type Place struct {
	Client string        // its channel is told of the turn
	Number uint64        // tells the client's waiters apart
	Turn   time.Duration // how long the lock is kept for it, whole milliseconds, at least one
}

// Millis is Turn as nodes read it.
func (p Place) Millis() int64 { return max(1, p.Turn.Milliseconds()) }

// String returns the form in which nodes keep it, "" for none.
func (p Place) String() string {
	if p == (Place{}) {
		return ""
	}
	b := make([]byte, 0, len(p.Client)+28)
	b = append(append(b, p.Client...), ':')
	b = append(strconv.AppendUint(b, p.Number, 10), ':')
	return string(strconv.AppendInt(b, p.Millis(), 10))
}

// Pass is what a Release does about the waiting line.
type Pass uint8

// The kinds of Pass; 0 leaves the line alone.
const (
	PassOn Pass = iota + 1 // a hold ended: whoever waited longest gets the turn
	PassUp                 // a waiter gave up: it leaves the line, and passes on the turn if it had it
)

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
