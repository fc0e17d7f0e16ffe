package sim

import (
	"slices"
	"strings"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/redlock/quorum"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// path is a rarer way through the protocol, named as the lock's observer does.
type path uint8

const (
	pathRaise path = iota + 1
	pathRepair
	pathLateGrant
	pathRetryGrant
	pathNewView
	pathReadmission
	pathCatchUp
	pathSuperseded
	pathTooLate
	pathFenceTurn
	pathCount
)

var pathNames = [pathCount]string{
	"", "raise", "repair", "late-grant", "retry-grant", "new-view", "re-admission", "catch-up", "superseded", "too-late", "fence-turn",
}

// pathOf says which path an event tells of.
var pathOf = [eventKinds]path{
	quorum.TookRaise: pathRaise, quorum.TookRepair: pathRepair, quorum.TookLateGrant: pathLateGrant,
	quorum.TookRetry: pathRetryGrant, quorum.NewView: pathNewView, quorum.Readmitted: pathReadmission,
	quorum.CaughtUp: pathCatchUp, quorum.TookSuperseded: pathSuperseded, quorum.TookTooLate: pathTooLate,
}

func pathNamed(name scenario.Path) path {
	return path(max(0, slices.Index(pathNames[:], string(name))))
}

// pathCounts is how often each client took a path; of a fence turn, which is no
// client's, all take it together.
func (r *run) pathCounts(p path) []uint64 {
	counts := make([]uint64, len(r.clients))
	for i, c := range r.clients {
		if counts[i] = c.paths[p]; p == pathFenceTurn {
			counts[i] = r.paths[p]
		}
	}
	return counts
}

const (
	eventKinds = int(quorum.BootstrapFailed) + 1
	reasonsN   = int(quorum.Prepared) + 1
	opsN       = int(script.Retire) + 1 // 0 stands for those of foreign clients
	codesN     = quorum.Already - quorum.Reserved + 1
)

func opIndex(op script.Op) int {
	if op > script.Retire {
		return 0
	}
	return int(op)
}

func codeIndex(code int) int { return code - quorum.Reserved }

// Stage is what a client was about when a fault struck.
type Stage uint8

// The stages. The first are those of an attempt and the lease that comes of it.
const (
	StageAsking Stage = iota
	StageRaising
	StageHolding
	StageExtending
	StageReleasing
	StageLearning
	StageRejoining
	StageCatchingUp
	StageRecovering
	stages
)

var stageNames = [stages]string{
	"asking", "raising", "holding", "extending", "releasing", "learning", "re-admitting", "catching up", "recovering",
}

// String returns the stage's name.
func (s Stage) String() string { return stageNames[s] }

// kinds are all kinds of fault, in the order of the rows of a Coverage.
var kinds = scenario.SimulatedKinds()

const kindsMax = 32

// Coverage counts which branches of the protocol were taken, and which pairs of
// a kind of fault and a stage met. It is a plain value; Add sums up.
type Coverage struct {
	events  [eventKinds][reasonsN]uint64
	replies [opsN][codesN]uint64
	met     [kindsMax][stages]uint64
	turns   uint64
}

// Add adds what another run covered.
func (c *Coverage) Add(o *Coverage) {
	for i := range c.events {
		for j := range c.events[i] {
			c.events[i][j] += o.events[i][j]
		}
	}
	for i := range c.replies {
		for j := range c.replies[i] {
			c.replies[i][j] += o.replies[i][j]
		}
	}
	c.turns += o.turns
	for i := range c.met {
		for j := range c.met[i] {
			c.met[i][j] += o.met[i][j]
		}
	}
}

// Count is one thing that a Coverage counts.
type Count struct {
	What string
	N    uint64
}

// Branches lists the events that machines told, with their reasons, and the
// answers that nodes gave; those that never happened are left out.
func (c *Coverage) Branches() []Count {
	var list []Count
	for kind := range c.events {
		for why, n := range c.events[kind] {
			if n == 0 {
				continue
			}
			what := eventNames[kind]
			if why != 0 {
				what += ": " + reasons[why]
			}
			list = append(list, Count{what, n})
		}
	}
	for op := range c.replies {
		for code, n := range c.replies[op] {
			if n == 0 {
				continue
			}
			name := "a foreign client's call"
			if op > 0 {
				name = strings.ToUpper(script.Op(op).String())
			}
			list = append(list, Count{name + " → " + codeNames[code], n})
		}
	}
	if c.turns > 0 {
		list = append(list, Count{"waiter told of its turn", c.turns})
	}
	return list
}

// Pairs lists every pair of a kind of fault and a stage with how often a fault
// of that kind struck somebody in that stage, zero included.
func (c *Coverage) Pairs() []Pair {
	var list []Pair
	for i, k := range kinds {
		for s := range stages {
			list = append(list, Pair{k, s, c.met[i][s]})
		}
	}
	return list
}

// Pair is a kind of fault, a stage, and how often they met.
type Pair struct {
	Kind  scenario.Kind
	Stage Stage
	N     uint64
}

var codeNames = [codesN]string{
	"kept for another", "out of range", "too late", "foreign key", "superseded", "other configuration", "ttl too long", "not admitted",
	"refused", "ok", "already",
}

var eventNames = [eventKinds]string{
	quorum.Won: "won", quorum.Failed: "attempt failed", quorum.Extended: "extended", quorum.ExtendFailed: "extension failed",
	quorum.Extending: "extension begun", quorum.Lost: "lost", quorum.Unlocked: "unlocked", quorum.UnlockFailed: "unlock failed",
	quorum.Over: "over", quorum.NewView: "newer view met", quorum.OldView: "older view met", quorum.Unadmitted: "node without a vote met",
	quorum.OtherCluster: "other cluster met", quorum.TookRaise: "raise", quorum.TookRepair: "repair", quorum.TookLateGrant: "late grant",
	quorum.TookRetry: "retried grant", quorum.TookSuperseded: "node superseded", quorum.TookTooLate: "acquire too late", quorum.PassedOver: "keeper of the line silent",
	quorum.Known: "cluster learnt", quorum.NotKnown: "cluster not learnt", quorum.Sealed: "sealed", quorum.Readmitted: "re-admitted",
	quorum.AlreadyAdmitted: "admitted by another", quorum.RejoinFailed: "re-admission failed", quorum.CaughtUp: "caught up",
	quorum.CatchUpFailed: "catch-up failed", quorum.Bootstrapped: "bootstrapped", quorum.BootstrapFailed: "bootstrap failed",
}

// meet counts who is struck by a fault, and in which stage.
func (r *run) meet(f *scenario.Fault) {
	row := slices.Index(kinds, f.Kind)
	everybody := len(f.Clients) == 0 || f.Kind == scenario.Replace
	for _, t := range r.pool.tasks[:r.worked] {
		if t.free || t.client == nil || t.client.dead && f.Kind != scenario.Crash {
			continue
		}
		if !everybody && !slices.Contains(f.Clients, t.client.name) {
			continue
		}
		if s := t.stage(); s < stages {
			r.cover.met[row][s]++
		}
	}
}

// stage is what the task is about, or stages.
func (t *task) stage() Stage {
	switch t.job {
	case jobHold, jobForeign:
		if t.attempt.over {
			return stages
		}
		switch t.attempt.phase() {
		case quorum.Asking:
			return StageAsking
		case quorum.Raising:
			return StageRaising
		case quorum.Holding:
			if t.attempt.extends {
				return StageExtending
			}
			return StageHolding
		case quorum.Releasing:
			return StageReleasing
		}
		return stages
	case jobLearn:
		return t.unless(StageLearning)
	case jobRejoin:
		return t.unless(StageRejoining)
	case jobCatchUp:
		return t.unless(StageCatchingUp)
	}
	return t.unless(StageRecovering)
}

func (t *task) unless(s Stage) Stage {
	if t.ended {
		return stages
	}
	return s
}
