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
	channel  = "redlock:rel:"
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
		return []string{c.Cfg, strconv.Itoa(c.Self), c.ID, millis(c.TTL), decimal(c.Hint), strconv.FormatInt(c.NotAfter, 10)}
	case Raise:
		return []string{c.Cfg, strconv.Itoa(c.Self), c.ID, decimal(c.Token)}
	case Extend:
		return []string{c.Cfg, strconv.Itoa(c.Self), c.ID, decimal(c.Token), millis(c.TTL)}
	case Release:
		args := make([]string, 2, 2+len(c.Names))
		args[0], args[1] = c.ID, decimal(c.Token)
		for _, name := range c.Names {
			args = append(args, Channel(c.Prefix, name))
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

// Channel returns the channel on which Release announces, with the id as
// payload, that a name was freed.
func Channel(prefix, name string) string { return prefix + channel + name }

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
