package script

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
		c.names(p)
	case Release:
		c.names(p)
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

func (c *Call) names(p *params) {
	for _, name := range c.Names {
		p.text(c.Prefix, name)
	}
}

func (c *Call) args(p *params) {
	switch c.Op {
	case Acquire:
		p.who(c)
		p.text(c.ID)
		p.millis(c.TTL)
		p.decimal(c.Hint)
		p.integer(c.NotAfter)
	case Raise:
		p.who(c)
		p.text(c.ID)
		p.decimal(c.Token)
	case Extend:
		p.who(c)
		p.text(c.ID)
		p.decimal(c.Token)
		p.millis(c.TTL)
	case Release:
		p.text(c.ID)
		p.decimal(c.Token)
		for _, name := range c.Names {
			p.text(c.Prefix, channel, name)
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

// Channel returns the channel on which Release announces, with the id as
// payload, that a name was freed.
func Channel(prefix, name string) string { return prefix + channel + name }
