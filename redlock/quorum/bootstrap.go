package quorum

import "time"

// BootstrapMode says on whose word a cluster is bootstrapped.
type BootstrapMode uint8

// The modes.
const (
	// ByOperator: a person says that no lock is held until it returns.
	ByOperator BootstrapMode = iota
	// NewCluster: a person says besides that no token was ever issued, so that
	// tokens need not begin above what a clock may have made.
	NewCluster
	// ByClock: nobody gave a word; the machine waits until every lease has
	// ended, and trusts that no node's clock ran more than ClockMargin minus
	// 60 s ahead.
	ByClock
)

// ClockMargin is how far above the largest node time the first token lies
// after a bootstrap: hints may run 60 s ahead of a node's time, and clocks may
// differ by as much again.
const ClockMargin = 120 * time.Second

// Bootstrap admits all nodes at once: those of a new cluster, or of one of
// which fewer than a majority are admitted. It probes all, binds what they
// showed into one mark, has every node take the mark, and only then admits
// them by it. Whatever interrupts it, no node votes unless all took the mark.
type Bootstrap struct {
	p     Params
	mode  BootstrapMode
	names [MaxNodes]string
	nonce string
	phase bootPhase
	tag   uint32
	first uint32 // tag of this phase's first call
	until Time
	open  int // answers still awaited

	renewed int  // how often a dead operator's marks were dropped
	retired bool // a minority of admitted nodes was retired once
	waited  bool // ByClock: the second look is under way

	nodes  [MaxNodes]probed
	before [MaxNodes]probed // ByClock: the first look
	renew  [MaxNodes]string
	mark   string
	floor  uint64
}

type bootPhase uint8

const (
	bootProbing bootPhase = iota + 1
	bootRetiring
	bootWaiting
	bootPreparing
	bootAdmitting
	bootDone
)

// NewBootstrap returns a Bootstrap of nodes of these sorted names. nonce must
// be fresh.
func NewBootstrap(p Params, mode BootstrapMode, names []string, nonce string) Bootstrap {
	b := Bootstrap{p: p, mode: mode, nonce: nonce}
	copy(b.names[:], names)
	return b
}

// Start sends PROBE to all nodes.
func (b *Bootstrap) Start(now Time, out *Effects) { b.probe(now, out) }

// Next is when the bootstrap wants the next Tick.
func (b *Bootstrap) Next() Time {
	if b.phase == bootDone {
		return Never
	}
	return b.until
}

// enter begins a phase in which n answers are awaited.
func (b *Bootstrap) enter(now Time, phase bootPhase, n int) {
	b.phase, b.until, b.open, b.first = phase, now.Add(4*b.p.NodeDeadline), n, b.tag+1
}

func (b *Bootstrap) probe(now Time, out *Effects) {
	b.enter(now, bootProbing, b.p.N)
	for i := range b.p.N {
		b.nodes[i] = probed{}
		b.tag++
		out.call(probeCall(i, b.tag, b.nonce, b.renew[i]))
	}
}

// Tick lets deadlines and the wait pass.
func (b *Bootstrap) Tick(now Time, out *Effects) {
	switch {
	case b.phase == bootDone || now < b.until:
	case b.phase == bootWaiting:
		b.waited, b.before = true, b.nodes
		b.probe(now, out)
	default:
		b.silent(out)
	}
}

// silent ends it because a node did not answer: nothing replaces its word.
func (b *Bootstrap) silent(out *Effects) {
	node := -1
	for i := range b.p.N {
		if b.phase == bootProbing && b.nodes[i].state <= unreachable {
			node = i
			break
		}
	}
	b.fail(Event{Reason: NoQuorum, Node: node}, out)
}

func (b *Bootstrap) fail(v Event, out *Effects) {
	b.phase = bootDone
	v.Kind = BootstrapFailed
	out.event(v)
}

// Fail takes the news that no answer will come.
func (b *Bootstrap) Fail(now Time, ref Ref, _ bool, out *Effects) {
	if b.phase == bootDone || ref.Tag < b.first {
		return
	}
	if b.phase == bootProbing {
		b.nodes[ref.Node].state = unreachable
	}
	// An ADMIT that failed leaves a node that the next Bootstrap, or any
	// rejoin, admits by its mark.
	b.fail(Event{Reason: NoQuorum, Node: ref.Node}, out)
}

// Reply takes a node's answer.
func (b *Bootstrap) Reply(now Time, ref Ref, r Reply, out *Effects) {
	if b.phase == bootDone || ref.Tag < b.first {
		return
	}
	b.open--
	switch b.phase {
	case bootProbing:
		b.nodes[ref.Node].note(r)
		if b.open == 0 {
			b.probed(now, out)
		}
	case bootRetiring:
		if b.open == 0 {
			b.probe(now, out)
		}
	case bootPreparing:
		if r.Code != OK {
			b.fail(Event{Reason: Changed, Node: ref.Node, Cfg: r.Cfg + r.Mark}, out)
		} else if b.open == 0 {
			b.admitAll(now, out)
		}
	case bootAdmitting:
		if r.Code != OK && r.Code != Already {
			b.fail(Event{Reason: Changed, Node: ref.Node}, out)
		} else if b.open == 0 {
			b.phase = bootDone
			out.event(Event{Kind: Bootstrapped, Cfg: b.config(), Token: b.floor})
		}
	}
}

// probed decides by what all nodes showed.
func (b *Bootstrap) probed(now Time, out *Effects) {
	nodes := b.nodes[:b.p.N]
	count := 0
	for i, n := range nodes {
		if n.state == replica {
			b.fail(Event{Reason: NotPrimary, Node: i}, out)
			return
		}
		for j := range i {
			if n.inc == nodes[j].inc && n.nonce == nodes[j].nonce {
				b.fail(Event{Reason: SameServer, Node: i}, out)
				return
			}
		}
		if n.state == admitted {
			count++
		}
	}
	switch {
	case count > 0:
		b.someAdmitted(now, out)
	case b.foreignMarks():
		// Dropping one mark changes what the others are of, so twice.
		if b.renewed == 2 {
			b.fail(Event{Reason: Prepared, Node: -1}, out)
			return
		}
		b.renewed++
		b.probe(now, out)
	case b.mode == ByClock && !b.waited:
		b.phase, b.until = bootWaiting, now.Add(b.p.Outlive(b.p.MaxTTL))
	case b.mode == ByClock && !b.same():
		b.fail(Event{Reason: Changed, Node: -1}, out)
	default:
		b.prepare(now, out)
	}
}

// someAdmitted finishes a bootstrap that was interrupted, leaves a living
// cluster alone, and retires what is left of a dead one.
func (b *Bootstrap) someAdmitted(now Time, out *Effects) {
	var clusters [MaxNodes]string
	for i, n := range b.nodes[:b.p.N] {
		if n.state != admitted {
			continue
		}
		c, err := ParseConfig(n.cfg)
		want := NewStatic("", b.names[:b.p.N], b.p.MaxTTL)
		if err != nil || !c.Static.sameNodes(want) {
			b.fail(Event{Reason: ConfigDiffers, Node: i, Cfg: n.cfg}, out)
			return
		}
		clusters[i] = c.Static.Cluster
	}
	cluster, count := commonest(clusters[:b.p.N])
	marked := 0
	for i, n := range b.nodes[:b.p.N] {
		if clusters[i] == cluster {
			b.floor = max(b.floor, n.hw, n.floor)
		}
		if n.state == unadmitted && n.mark == cluster {
			marked++
		}
	}
	switch {
	// The mark was complete, or nobody would be admitted by it. Where too few
	// bear it to make a majority, nobody could admit the others afterwards.
	case marked > 0 && count+marked >= b.p.Quorum():
		b.mark = cluster
		b.admit(now, marked, out)
	case count >= b.p.Quorum():
		b.mark, b.phase = cluster, bootDone
		out.event(Event{Kind: Bootstrapped, Cfg: b.config(), Token: b.floor})
	case b.retired:
		b.fail(Event{Reason: Changed, Node: -1}, out)
	default:
		b.retire(now, out)
	}
}

// commonest returns the string that occurs most often, "" left out, and how
// often that is. An old server that came back must not pass for its cluster.
func commonest(names []string) (most string, count int) {
	for _, a := range names {
		c := 0
		for _, b := range names {
			if a == b {
				c++
			}
		}
		if a != "" && c > count {
			most, count = a, c
		}
	}
	return most, count
}

// retire takes the vote from the nodes that are left. Their memory stays.
func (b *Bootstrap) retire(now Time, out *Effects) {
	b.retired = true
	b.enter(now, bootRetiring, 0)
	for i, n := range b.nodes[:b.p.N] {
		if n.state == admitted {
			b.open++
			b.tag++
			out.call(Call{Ref: Ref{i, OpRetire, b.tag}, Inc: n.inc, Nonce: n.nonce})
		}
	}
}

// foreignMarks looks for marks that are not of exactly what the nodes show now,
// and sets them down to be dropped.
func (b *Bootstrap) foreignMarks() bool {
	own, found := b.computeMark(), false
	for i, n := range b.nodes[:b.p.N] {
		b.renew[i] = ""
		if n.mark != "" && n.mark != own {
			b.renew[i], found = n.mark, true
		}
	}
	return found
}

// same reports whether both looks showed the same nodes.
func (b *Bootstrap) same() bool {
	for i := range b.p.N {
		if b.nodes[i].inc != b.before[i].inc || b.nodes[i].nonce != b.before[i].nonce {
			return false
		}
	}
	return true
}

// computeMark is the hash of everything that identifies this set of nodes in
// this state. It becomes the cluster's id.
func (b *Bootstrap) computeMark() string {
	parts := make([]string, 0, 3*b.p.N)
	for i, n := range b.nodes[:b.p.N] {
		parts = append(parts, b.names[i], n.inc, n.nonce)
	}
	return digest(parts...)
}

func (b *Bootstrap) prepare(now Time, out *Effects) {
	b.mark = b.computeMark()
	b.floor = 0
	for _, n := range b.nodes[:b.p.N] {
		b.floor = max(b.floor, n.hw, n.floor)
		if b.mode != NewCluster {
			b.floor = max(b.floor, uint64(n.us)+uint64(ClockMargin/time.Microsecond))
		}
	}
	b.enter(now, bootPreparing, b.p.N)
	for i, n := range b.nodes[:b.p.N] {
		b.tag++
		out.call(Call{Ref: Ref{i, OpPrepare, b.tag}, Inc: n.inc, Nonce: n.nonce, Mark: b.mark})
	}
}

func (b *Bootstrap) admitAll(now Time, out *Effects) {
	for i := range b.p.N {
		b.nodes[i].mark = b.mark
	}
	b.admit(now, b.p.N, out)
}

// admit admits the nodes that bear the mark.
func (b *Bootstrap) admit(now Time, n int, out *Effects) {
	b.enter(now, bootAdmitting, n)
	for i, v := range b.nodes[:b.p.N] {
		if v.state == unadmitted && v.mark == b.mark {
			b.tag++
			out.call(Call{
				Ref: Ref{i, OpAdmit, b.tag}, Inc: v.inc, Nonce: v.nonce,
				Floor: b.floor, Mark: b.mark, Cfg: b.config(),
			})
		}
	}
}

// config is the configuration of a cluster in which no name was replaced.
func (b *Bootstrap) config() string {
	return Config{NewStatic(b.mark, b.names[:b.p.N], b.p.MaxTTL), View{N: b.p.N}}.String()
}
