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
	var p params
	c.keys(&p)
	return p.list
}

// Args returns the arguments that follow the keys, in the order in which the
// script expects them: numbers in decimal, durations in milliseconds, rounded
// down. The slice is the caller's.
func (c *Call) Args() []string {
	var p params
	c.args(&p)
	return p.list
}

func (c *Call) keys(p *params) {
	switch c.Op {
	case Acquire, Raise, Extend:
		c.tables(p)
		c.locks(p)
	case Release:
		c.locks(p)
		if c.Token > 0 {
			c.tables(p)
		}
	case Probe, Seal, Prepare, Admit, Retire:
		p.text(c.Prefix, NodeKey)
	}
}

func (c *Call) tables(p *params) {
	p.text(c.Prefix, NodeKey)
	p.text(c.Prefix, YoungKey)
	p.text(c.Prefix, OldKey)
}

func (c *Call) locks(p *params) {
	for _, name := range c.Names {
		p.text(c.Prefix, name)
	}
}

// who is the sender's word about itself that a node compares whole.
func (c *Call) who(p *params) { p.text(strconv.Itoa(c.Self), " ", c.Cfg) }

func (c *Call) args(p *params) {
	switch c.Op {
	case Acquire:
		c.who(p)
		p.text(c.ID)
		p.millis(c.TTL)
		p.decimal(c.Hint)
		p.integer(c.NotAfter)
		if c.Lines() {
			p.place(c.Place)
			p.text(c.Prefix, wake)
			p.text(c.Prefix, line, c.Names[0])
		}
	case Raise:
		c.who(p)
		p.text(c.ID)
		p.decimal(c.Token)
	case Extend:
		c.who(p)
		p.text(c.ID)
		p.decimal(c.Token)
		p.millis(c.TTL)
	case Release:
		p.text(c.ID)
		p.decimal(c.Token)
		if c.Lines() {
			p.text(c.Prefix, line, c.Names[0])
			p.text(c.Prefix, wake)
			if c.Pass == PassUp || c.Place != (Place{}) {
				p.place(c.Place)
			}
			if c.Pass == PassUp {
				p.text("1")
			}
		}
	case Probe:
		p.text(c.Nonce)
		p.text(c.Renew)
	case Seal:
		p.text(c.Static)
		p.integer(int64(c.Index))
		p.integer(int64(c.K))
		p.text(c.Entry)
	case Prepare:
		p.text(c.Inc)
		p.text(c.Nonce)
		p.text(c.Mark)
	case Admit:
		p.text(c.Inc)
		p.text(c.Nonce)
		p.decimal(c.Floor)
		p.millis(c.MaxTTL)
		p.text(c.Cfg)
		p.text(c.Mark)
		p.integer(int64(c.Self))
		p.millis(c.Keep)
	case Retire:
		p.text(c.Inc)
		p.text(c.Nonce)
	}
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
func (p Place) String() string { return string(p.append(nil)) }

func (p Place) append(b []byte) []byte {
	if p == (Place{}) {
		return b
	}
	b = append(append(b, p.Client...), ':')
	b = append(strconv.AppendUint(b, p.Number, 10), ':')
	return strconv.AppendInt(b, p.Millis(), 10)
}

// Pass is what a Release does about the waiting line.
type Pass uint8

// The kinds of Pass; 0 leaves the line alone.
const (
	PassOn Pass = iota + 1 // a hold ended: whoever waited longest gets the turn
	PassUp                 // a waiter gave up: it leaves the line, and passes on the turn if it had it
)
