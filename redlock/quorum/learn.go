package quorum

import "strconv"

// Learn finds out which cluster the nodes belong to: it probes all of them and
// takes the configuration on which a majority of admitted nodes agrees, with
// the views joined.
type Learn struct {
	p      Params
	want   Static // what it must be but for the cluster id
	nonce  string
	until  Time
	done   bool
	nodes  [MaxNodes]probed
	result Config
}

// probed is what a node's PROBE showed.
type probed struct {
	state probeState
	inc   string
	nonce string
	hw    uint64
	floor uint64
	us    int64
	mark  string
	cfg   string
}

type probeState uint8

const (
	unprobed    probeState = iota
	unreachable            // no answer
	replica
	unadmitted
	admitted
)

// note keeps a PROBE's reply.
func (n *probed) note(r Reply) {
	*n = probed{unadmitted, r.Inc, r.Nonce, r.HW, r.Floor, r.Now, r.Mark, r.Cfg}
	switch {
	case r.Code == NotAdmitted:
		n.state = replica
	case r.Admitted:
		n.state = admitted
	}
}

// NewLearn returns a Learn for nodes of these sorted names. nonce must be
// fresh.
func NewLearn(p Params, names []string, nonce string) Learn {
	return Learn{p: p, want: NewStatic("", names, p.MaxTTL), nonce: nonce}
}

// Start sends PROBE to all nodes. It waits for two node deadlines, because
// connections may have to be made first.
func (l *Learn) Start(now Time, out *Effects) {
	l.until = now.Add(2 * l.p.NodeDeadline)
	for i := range l.p.N {
		out.call(probeCall(i, 1, l.nonce, ""))
	}
}

// probeCall is a PROBE with a nonce that no other call bears.
func probeCall(node int, tag uint32, nonce, renew string) Call {
	return Call{
		Ref: Ref{node, OpProbe, tag}, Renew: renew,
		Nonce: nonce + "-" + strconv.Itoa(node) + "-" + strconv.Itoa(int(tag)),
	}
}

// Reply takes a node's answer.
func (l *Learn) Reply(now Time, ref Ref, r Reply, out *Effects) {
	l.nodes[ref.Node].note(r)
	l.decide(now, out)
}

// Fail takes the news that no answer will come.
func (l *Learn) Fail(now Time, ref Ref, _ bool, out *Effects) {
	l.nodes[ref.Node].state = unreachable
	l.decide(now, out)
}

// Tick lets the deadline pass.
func (l *Learn) Tick(now Time, out *Effects) { l.decide(now, out) }

// Next is the deadline, or Never once it has ended.
func (l *Learn) Next() Time {
	if l.done {
		return Never
	}
	return l.until
}

// State reports what a node showed: whether it answered, whether it was
// admitted, whether it is a replica, and its configuration.
func (l *Learn) State(node int) (answered, isAdmitted, isReplica bool, cfg string) {
	n := l.nodes[node]
	return n.state > unreachable, n.state == admitted, n.state == replica, n.cfg
}

func (l *Learn) decide(now Time, out *Effects) {
	if l.done {
		return
	}
	if c, ok := agreed(l.p, l.nodes[:l.p.N], l.want); ok {
		l.done, l.result = true, c
		out.event(Event{Kind: Known, Cfg: c.String()})
		for i, n := range l.nodes[:l.p.N] {
			if n.state == unadmitted {
				out.event(Event{Kind: Unadmitted, Node: i})
			}
		}
		return
	}
	open := 0
	for _, n := range l.nodes[:l.p.N] {
		if n.state == unprobed {
			open++
		}
	}
	if open == 0 || now >= l.until {
		l.done = true
		out.event(Event{Kind: NotKnown, Reason: l.reason()})
	}
}

// agreed returns the configuration that a majority of admitted nodes shares,
// their views joined.
func agreed(p Params, nodes []probed, want Static) (Config, bool) {
	for _, n := range nodes {
		if n.state != admitted {
			continue
		}
		c, err := ParseConfig(n.cfg)
		if err != nil || !c.Static.sameNodes(want) || c.View.N != p.N {
			continue
		}
		count := 0
		for _, m := range nodes {
			if o, err := ParseConfig(m.cfg); m.state == admitted && err == nil && o.Static == c.Static && o.View.N == p.N {
				c.View = c.View.Join(o.View)
				count++
			}
		}
		if count >= p.Quorum() {
			return c, true
		}
	}
	return Config{}, false
}

// reason says why no majority agreed.
func (l *Learn) reason() Reason {
	var count [admitted + 1]int
	other := 0
	for _, n := range l.nodes[:l.p.N] {
		count[n.state]++
		if n.state == admitted {
			if c, err := ParseConfig(n.cfg); err != nil || !c.Static.sameNodes(l.want) {
				other++
			}
		}
	}
	q := l.p.Quorum()
	silent := count[unprobed] + count[unreachable]
	switch {
	case other > l.p.N-q:
		return ConfigDiffers
	case count[replica] > l.p.N-q:
		return NotPrimary
	case count[admitted]-other+silent >= q && silent > 0:
		return NoQuorum
	case other > 0:
		return ConfigDiffers
	}
	return NeedsOperator
}
