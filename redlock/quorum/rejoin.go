package quorum

import "time"

// Rejoin admits a node that lost its memory, or a newcomer under its name:
// probe it, seal a majority of the other names, wait until every lease that an
// older view may have granted has ended, and admit it.
//
// The seal is what makes it safe. It writes the newcomer into the other nodes'
// views and reads their highest tokens in the same script, so no attempt under
// an older view finds a majority from then on, whoever still runs behind the
// old name, and every token that was completed is below the floor.
type Rejoin struct {
	p      Params
	target int
	static Static
	nonce  string
	phase  rejoinPhase
	tag    uint32
	until  Time
	tries  int
	first  uint32 // tag of this try's first SEAL
	alien  string // a boot mark of another cluster that was found on the node
	votes  int    // nodes that are known to be admitted in our cluster

	inc, pair string // the incarnation and nonce that PROBE showed
	byMark    string // admit by this boot mark: the bootstrap was complete
	entry     Entry
	view      View // join of all replies
	floor     uint64
	sealed    [MaxNodes]sealReply
}

type sealReply struct {
	ok    bool
	self  int
	entry Entry // of the node's own name
}

type rejoinPhase uint8

const (
	rejoinDelayed rejoinPhase = iota + 1
	rejoinProbing
	rejoinSurvey // reads the admitted nodes' floors, to admit by mark
	rejoinSealing
	rejoinWaiting
	rejoinAdmitting
	rejoinDone
)

// maxSealTries bounds how often a rejoin starts again because it met a larger
// entry; whoever made that one is at work too.
const maxSealTries = 3

// NewRejoin returns a Rejoin of a node under a known configuration. nonce must
// be fresh.
func NewRejoin(p Params, target int, cfg Config, nonce string) Rejoin {
	return Rejoin{p: p, target: target, static: cfg.Static, view: cfg.View, nonce: nonce}
}

// StartAfter starts after a pause. Clients that notice at the same moment that
// a node lost its memory draw different ones, and one of them does the work.
func (j *Rejoin) StartAfter(now Time, pause time.Duration) {
	j.phase, j.until = rejoinDelayed, now.Add(pause)
}

// Start sends PROBE to the node.
func (j *Rejoin) Start(now Time, out *Effects) {
	j.phase, j.until = rejoinProbing, now.Add(2*j.p.NodeDeadline)
	j.tag++
	out.call(probeCall(j.target, j.tag, j.nonce, ""))
}

// Target is the node that is to be admitted.
func (j *Rejoin) Target() int { return j.target }

// Next is when the rejoin wants the next Tick.
func (j *Rejoin) Next() Time {
	if j.phase == rejoinDone {
		return Never
	}
	return j.until
}

// Tick lets deadlines and the quarantine pass.
func (j *Rejoin) Tick(now Time, out *Effects) {
	switch {
	case j.phase == rejoinDone || now < j.until:
	case j.phase == rejoinDelayed:
		j.Start(now, out)
	case j.phase == rejoinWaiting:
		j.admit(now, out)
	case j.phase == rejoinSurvey && j.byMark == "":
		j.fail(Prepared, out)
	default:
		j.fail(NoQuorum, out)
	}
}

// Reply takes a node's answer.
func (j *Rejoin) Reply(now Time, ref Ref, r Reply, out *Effects) {
	switch {
	case ref.Op == OpProbe && j.phase == rejoinProbing && ref.Tag == j.tag:
		j.probed(now, r, out)
	case ref.Op == OpProbe && j.phase == rejoinSurvey:
		j.surveyed(now, ref, r, out)
	case ref.Op == OpSeal && j.phase == rejoinSealing && ref.Tag >= j.first:
		j.sealReply(now, ref, r, out)
	case ref.Op == OpAdmit && j.phase == rejoinAdmitting:
		j.phase = rejoinDone
		switch r.Code {
		case OK:
			out.event(Event{Kind: Readmitted, Node: j.target, Cfg: j.config(), Token: j.floor})
		case Already: // somebody else was faster
			out.event(Event{Kind: AlreadyAdmitted, Node: j.target})
		case NotAdmitted:
			out.event(Event{Kind: RejoinFailed, Node: j.target, Reason: NotPrimary})
		default:
			out.event(Event{Kind: RejoinFailed, Node: j.target, Reason: Changed})
		}
	}
}

// Fail takes the news that no answer will come. Only the target's silence
// matters; the deadline judges the others'.
func (j *Rejoin) Fail(_ Time, ref Ref, _ bool, out *Effects) {
	if ref.Node == j.target && j.phase != rejoinDone && j.phase != rejoinWaiting {
		j.fail(NoQuorum, out)
	}
}

func (j *Rejoin) fail(why Reason, out *Effects) {
	j.phase = rejoinDone
	out.event(Event{Kind: RejoinFailed, Node: j.target, Reason: why})
}

// probed decides by what the node showed.
func (j *Rejoin) probed(now Time, r Reply, out *Effects) {
	switch {
	case r.Code == NotAdmitted:
		j.fail(NotPrimary, out)
	case r.Admitted:
		j.alreadyAdmitted(r, out)
	case r.Mark == "":
		j.inc, j.pair = r.Inc, r.Nonce
		j.seal(now, out)
	case r.Mark == j.static.Cluster:
		// A majority was admitted under this mark, so all nodes had taken it
		// and this one has voted for nobody since: it needs no quarantine.
		j.inc, j.pair, j.byMark = r.Inc, r.Nonce, r.Mark
		j.survey(now, out)
	case j.alien != "":
		j.fail(Prepared, out) // it was dropped once already
	default:
		j.alien = r.Mark
		j.survey(now, out)
	}
}

// survey probes the other nodes, to learn which are admitted under our cluster.
func (j *Rejoin) survey(now Time, out *Effects) {
	j.phase, j.until = rejoinSurvey, now.Add(2*j.p.NodeDeadline)
	for i := range j.p.N {
		if i != j.target {
			j.tag++
			out.call(probeCall(i, j.tag, j.nonce, ""))
		}
	}
}

// alreadyAdmitted ends a rejoin that somebody else completed first.
func (j *Rejoin) alreadyAdmitted(r Reply, out *Effects) {
	j.phase = rejoinDone
	c, err := ParseConfig(r.Cfg)
	if err != nil || c.Static != j.static {
		out.event(Event{Kind: RejoinFailed, Node: j.target, Reason: ConfigDiffers, Cfg: r.Cfg})
		return
	}
	out.event(Event{Kind: AlreadyAdmitted, Node: j.target, Cfg: r.Cfg})
}

// surveyed counts an admitted node.
//
// To admit by the mark one is enough: each has the floor that the bootstrap
// computed, or a larger one. To drop a mark that is not of our cluster it takes
// a majority: while that many vote in our cluster, the other mark can never be
// complete; with fewer it may be a bootstrap that is under way.
func (j *Rejoin) surveyed(now Time, ref Ref, r Reply, out *Effects) {
	c, err := ParseConfig(r.Cfg)
	if !r.Admitted || err != nil || c.Static != j.static {
		return
	}
	if r.Self != ref.Node+1 {
		return
	}
	if j.byMark == "" {
		if j.votes++; j.votes == j.p.Quorum() {
			j.phase, j.until = rejoinProbing, now.Add(2*j.p.NodeDeadline)
			j.tag++
			out.call(probeCall(j.target, j.tag, j.nonce, j.alien))
		}
		return
	}
	// It is admitted under the view of the bootstrap; a CatchUp brings what came since.
	j.floor, j.view = max(r.HW, r.Floor), View{N: j.p.N}
	j.admit(now, out)
}

// seal writes the newcomer into the views of the other nodes.
func (j *Rejoin) seal(now Time, out *Effects) {
	id := digest(j.inc, j.pair)
	top := j.view.Entries[j.target]
	if top.ID != id {
		top = Entry{top.K + 1, id}
	}
	j.entry = top
	j.view.Entries[j.target] = top
	j.sealed = [MaxNodes]sealReply{}
	j.floor = 0
	j.phase, j.until, j.first = rejoinSealing, now.Add(2*j.p.NodeDeadline), j.tag+1
	for i := range j.p.N {
		if i == j.target {
			continue
		}
		j.tag++
		out.call(Call{
			Ref: Ref{i, OpSeal, j.tag}, Static: j.static.String(),
			Index: j.target + 1, K: top.K, Entry: top.ID,
		})
	}
}

// sealReply counts a seal, and begins the wait once enough count.
func (j *Rejoin) sealReply(now Time, ref Ref, r Reply, out *Effects) {
	c, err := ParseConfig(r.Cfg)
	if r.Code != OK && r.Code != Refused || err != nil || c.Static != j.static {
		return // it cannot vote, or belongs to others
	}
	j.view = j.view.Join(c.View)
	if r.Code == Refused {
		j.again(now, out)
		return
	}
	if c.View.Entries[j.target] != j.entry {
		return // it does not say what was asked of it
	}
	j.floor = max(j.floor, r.HW)
	j.sealed[ref.Node] = sealReply{true, r.Self, c.View.Entries[ref.Node]}
	count := 0
	for i := range j.p.N {
		// A server that is not the newest life of its name, or that was
		// reached under another name, says nothing about that name's votes.
		if s := j.sealed[i]; s.ok && s.self == i+1 && s.entry == j.view.Entries[i] {
			count++
		}
	}
	if count >= j.p.Quorum() && j.view.Entries[j.target] == j.entry {
		j.phase, j.until = rejoinWaiting, now.Add(j.p.Outlive(j.p.MaxTTL))
		out.event(Event{Kind: Sealed, Node: j.target, Deadline: j.until})
	}
}

// again starts from PROBE, because a larger entry was met.
func (j *Rejoin) again(now Time, out *Effects) {
	if j.tries++; j.tries >= maxSealTries {
		j.fail(Changed, out)
		return
	}
	j.Start(now, out)
}

// config is what the node is admitted under.
func (j *Rejoin) config() string { return Config{j.static, j.view}.String() }

func (j *Rejoin) admit(now Time, out *Effects) {
	j.phase, j.until = rejoinAdmitting, now.Add(2*j.p.NodeDeadline)
	j.tag++
	out.call(Call{
		Ref: Ref{j.target, OpAdmit, j.tag}, Inc: j.inc, Nonce: j.pair,
		Floor: j.floor, Cfg: j.config(), Mark: j.byMark,
	})
}

// CatchUp brings a node whose view is older up to date, entry by entry. A node
// that learns of a newcomer under its own name gives up its vote.
type CatchUp struct {
	p     Params
	node  int
	cfg   Config
	have  View
	open  int
	until Time
	done  bool
}

// NewCatchUp returns a CatchUp of a node that answered with theirs to a client
// that knows cfg.
func NewCatchUp(p Params, node int, cfg, theirs Config) CatchUp {
	return CatchUp{p: p, node: node, cfg: cfg, have: theirs.View}
}

// Start sends a SEAL for every entry that the node lacks.
func (c *CatchUp) Start(now Time, out *Effects) {
	c.until = now.Add(2 * c.p.NodeDeadline)
	for i := range c.p.N {
		if e := c.cfg.View.Entries[i]; c.have.Entries[i].less(e) {
			c.open++
			out.call(Call{
				Ref: Ref{c.node, OpSeal, uint32(i + 1)}, Static: c.cfg.Static.String(),
				Index: i + 1, K: e.K, Entry: e.ID,
			})
		}
	}
	if c.open == 0 {
		c.end(Event{Kind: CaughtUp, Node: c.node}, out)
	}
}

func (c *CatchUp) end(v Event, out *Effects) {
	c.done = true
	out.event(v)
}

// Reply takes the node's answer.
func (c *CatchUp) Reply(_ Time, ref Ref, r Reply, out *Effects) {
	if c.done {
		return
	}
	switch r.Code {
	case NotAdmitted:
		c.end(Event{Kind: Unadmitted, Node: c.node}, out)
		return
	case OtherConfig:
		c.end(Event{Kind: CatchUpFailed, Node: c.node, Reason: ConfigDiffers, Cfg: r.Cfg}, out)
		return
	case Refused:
		out.event(Event{Kind: NewView, Node: c.node, Cfg: r.Cfg})
	case OutOfRange:
		c.end(Event{Kind: CatchUpFailed, Node: c.node, Reason: Changed}, out)
		return
	}
	if c.open--; c.open == 0 {
		c.end(Event{Kind: CaughtUp, Node: ref.Node}, out)
	}
}

// Fail takes the news that no answer will come.
func (c *CatchUp) Fail(_ Time, _ Ref, _ bool, out *Effects) {
	if !c.done {
		c.end(Event{Kind: CatchUpFailed, Node: c.node, Reason: NoQuorum}, out)
	}
}

// Tick lets the deadline pass.
func (c *CatchUp) Tick(now Time, out *Effects) {
	if !c.done && now >= c.until {
		c.end(Event{Kind: CatchUpFailed, Node: c.node, Reason: NoQuorum}, out)
	}
}

// Next is the deadline, or Never once it has ended.
func (c *CatchUp) Next() Time {
	if c.done {
		return Never
	}
	return c.until
}
