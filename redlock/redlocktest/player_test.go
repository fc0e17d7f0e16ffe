package redlocktest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/fencing"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// player draws random steps. It keeps a State to know which arguments matter,
// and remembers old ones, because stale values are what the scripts guard
// against.
type player struct {
	rng       *rand.Rand
	mem       State
	now       int64
	incs      []string // incarnations seen, the current one last
	nonces    []string
	fresh     int // replicas and nonces are counted by it
	demoted   int // steps until the replica is promoted
	turns     int
	backwards int
}

const (
	maxTTL1 = 2*step + half
	maxTTL2 = 3*step + half
)

var (
	statics = []string{"1/aa/3/2500000/d1", "1/bb/3/2500000/d1"}
	entries = []string{"", "0a", "9", "ff"}
	marks   = []string{"m1", "m2"}
)

func newPlayer(seed uint64) *player {
	p := &player{rng: rand.New(rand.NewPCG(seed, 0)), now: start, nonces: []string{"none"}}
	p.mem = NewState("none")
	return p
}

func pick[T any](p *player, from ...T) T { return from[p.rng.IntN(len(from))] }

func (p *player) chance(percent float64) bool { return p.rng.Float64()*100 < percent }

// next draws a step.
func (p *player) next() played {
	if p.demoted > 0 {
		if p.demoted--; p.demoted == 0 {
			return played{sync: p.restart}
		}
		return p.vote() // commands that write would be refused
	}
	switch {
	case p.chance(0.2):
		p.demoted = 12
		return played{sync: func(t *testing.T, srv *server) { p.mem.Demote(); srv.demote(t) }}
	case p.chance(0.4):
		return played{sync: p.restart}
	case p.chance(0.3):
		return played{sync: func(t *testing.T, srv *server) { srv.now = p.now; p.mem.FlushAll(); srv.flush(t) }}
	case p.chance(5):
		return p.moveTime()
	case p.chance(4):
		return p.foreign()
	}
	return p.vote()
}

// restart gives both nodes a new incarnation: that which the server draws.
func (p *player) restart(t *testing.T, srv *server) {
	srv.restart(t)
	p.incs = append(p.incs, srv.inc(t))
	p.mem.Restart(p.incs[len(p.incs)-1])
}

// play takes the step on the State.
func (p *player) play(s *played) script.Reply {
	if s.call == nil {
		s.do()
		return script.Reply{}
	}
	turned := p.mem.space(s.call.Prefix).rec.turned
	r := p.mem.Apply(s.call, p.now)
	s.woken, _ = p.mem.Woken()
	if rec := p.mem.space(s.call.Prefix).rec; rec.turned > turned && s.call.Op != script.Admit {
		p.turns++
	}
	if s.call.Op == script.Probe && r.Code == script.OK && r.Nonce != p.nonces[len(p.nonces)-1] {
		p.nonces = append(p.nonces, r.Nonce)
	}
	return r
}

// moveTime sets the clock, on the grid and by some microseconds besides.
func (p *player) moveTime() played {
	move := p.rng.Int64N(1000) - 300
	switch {
	case p.chance(20):
		move += step * 1000 * (1 + p.rng.Int64N(40))
	case p.chance(20):
		move -= step * 1000 * (1 + p.rng.Int64N(20))
	case p.chance(50):
		move += step * 1000 * (1 + p.rng.Int64N(2))
	}
	from, to := p.now, p.now+move
	p.now = to
	if move < 0 {
		p.backwards++
	}
	return played{
		cmd: "EVAL", args: shiftArgs(from, to), what: fmt.Sprintf("the clock goes to %d", to),
		do: func() { p.mem.Expire(to) },
	}
}

// foreign lets a client without the scripts touch a lock's name.
func (p *player) foreign() played {
	name, value := p.prefix()+p.name(), p.id()
	ttl := pick(p, 0, half, step+half)
	s := played{what: fmt.Sprintf("foreign client at %q, %q, ttl %d ms", name, value, ttl)}
	switch p.rng.IntN(6) {
	case 0:
		s.cmd, s.args = "SET", setArgs(name, value, ttl)
		s.do = func() { p.mem.Set(name, value, ttl, p.now) }
	case 1:
		s.cmd, s.args = "SET", append(setArgs(name, value, half), "NX")
		s.do = func() { p.mem.SetNX(name, value, half, p.now) }
	case 2:
		s.cmd = "EVAL"
		s.args = []any{"redis.call('DEL',KEYS[1]); redis.call('RPUSH',KEYS[1],ARGV[1]); if ARGV[2] ~= '0' then redis.call('PEXPIRE',KEYS[1],ARGV[2]) end", 1, name, value, ttl}
		s.do = func() { p.mem.SetList(name, value, ttl, p.now) }
	case 3:
		s.cmd = "EVAL"
		s.args = []any{"if redis.pcall('GET',KEYS[1]) == ARGV[1] then redis.call('PEXPIRE',KEYS[1],ARGV[2]) end", 1, name, value, half}
		s.do = func() { p.mem.ExpireIf(name, value, half, p.now) }
	default: // often, or nothing but foreign keys would be left
		s.cmd, s.args = "DEL", []any{name}
		s.do = func() { p.mem.Del(name, p.now) }
	}
	return s
}

func (p *player) prefix() string {
	if p.chance(6) {
		return "p:"
	}
	return ""
}

func (p *player) name() string { return pick(p, "a", "b", "c") }

func (p *player) id() string { return pick(p, "id1", "id2", "id3") }

// place draws one of a few, some of which get very short turns.
func (p *player) place() script.Place {
	n := 1 + p.rng.Uint64N(3)
	return script.Place{Client: pick(p, "c", "d:d"), Number: n, Turn: millis([]int64{0, 1, step, 3 * step}[n])}
}

func (p *player) names() []string {
	if p.chance(65) {
		return []string{p.name()}
	}
	names := []string{"a", "b", "c"}
	p.rng.Shuffle(3, func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names[:2+p.rng.IntN(2)]
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// vote draws a call of any script.
func (p *player) vote() played {
	c := &script.Call{Prefix: p.prefix()}
	rec := &p.mem.space(c.Prefix).rec
	c.Cfg, c.Self = rec.cfg, rec.self
	if p.chance(4) {
		c.Cfg = p.cfg()
	}
	if p.chance(2) {
		c.Self = 1 + p.rng.IntN(3)
	}
	// A node that may not vote is soon helped, or little else would happen.
	if !p.mem.Replica() && !p.mem.admitted(rec) && p.chance(60) {
		p.admission(c, rec)
		return played{call: c}
	}
	c.Names, c.ID, c.TTL = p.names(), p.id(), millis(pick(p, half, step+half, maxTTL1))
	c.Token = p.token(c, rec)
	switch n := p.rng.IntN(100); {
	case n < 38:
		c.Op = script.Acquire
		c.Hint = pick(p, 0, 0, c.Token, uint64(p.now), uint64(p.now+script.MaxHint), uint64(p.now+script.MaxHint+1))
		c.NotAfter = pick(p, 0, 0, 0, 0, p.now, p.now+1, p.now-1)
		if p.chance(60) {
			c.Place = p.place()
		}
	case n < 52:
		c.Op = script.Raise
	case n < 70:
		c.Op = script.Extend
	case n < 86:
		c.Op = script.Release
		c.Token *= pick(p, uint64(0), 1)
		if p.chance(60) {
			c.Pass, c.Place = pick(p, script.PassOn, script.PassUp), pick(p, script.Place{}, p.place(), p.place())
		}
	default:
		p.admission(c, rec)
	}
	if p.chance(3) {
		c.TTL = pick(p, 0, 500*time.Microsecond, millis(maxTTL2), millis(4*step+half))
	}
	return played{call: c}
}

// token draws a token near those that matter, and rarely a wild one.
func (p *player) token(c *script.Call, rec *record) uint64 {
	if p.chance(0.5) {
		return pick[uint64](p, 0, script.MaxSent+1, uint64(fencing.Max), 1<<53, 1<<60)
	}
	if p.chance(0.05) {
		return pick[uint64](p, script.MaxSent-1, script.MaxSent)
	}
	fence, _ := p.mem.space(c.Prefix).fence(c.Prefix + c.Names[0])
	return pick(p, fence, fence, fence, fence+1, fence+3, max(fence, 1)-1, rec.hw, rec.hw+1, rec.floor)
}

func (p *player) cfg() string {
	return fmt.Sprintf("%s|%d-%s.0-.%d-%s", pick(p, statics...), p.rng.IntN(3), pick(p, entries...), p.rng.IntN(2), pick(p, entries...))
}

// admission draws a call of Probe, Seal, Prepare, Admit or Retire, its pair
// mostly the true one.
func (p *player) admission(c *script.Call, rec *record) {
	c.Inc, c.Nonce, c.Mark = p.mem.Inc(), rec.nonce, rec.boot
	if p.chance(8) {
		c.Inc = pick(p, append(p.incs, "", "f")...)
	}
	if p.chance(8) {
		c.Nonce = pick(p, append(p.nonces, "")...)
	}
	switch n := p.rng.IntN(100); {
	case n < 22:
		p.fresh++
		c.Op, c.Nonce, c.Renew = script.Probe, fmt.Sprintf("n%d", p.fresh), pick(p, "", "", marks[0], marks[1])
	case n < 46:
		p.seal(c, rec)
	case n < 58:
		c.Op = script.Prepare
		c.Mark = pick(p, "", marks[0], marks[1], marks[1])
	case n < 93:
		c.Op = script.Admit
		if p.chance(10) {
			c.Mark = pick(p, "", marks[0], marks[1])
		}
		c.Cfg, c.Self = p.cfg(), 1+p.rng.IntN(2)
		c.MaxTTL, c.Keep = millis(pick(p, maxTTL1, maxTTL1, maxTTL2)), millis(pick(p, 0, 20*step, 50*step))
		c.Floor = pick(p, 0, rec.hw, rec.hw+5, rec.floor)
		if p.chance(1) {
			c.Floor = pick[uint64](p, script.MaxSent-1, script.MaxSent, script.MaxSent+1, 1<<53, 1<<60)
		}
		if p.chance(1) {
			c.MaxTTL = 0
		}
	default:
		c.Op = script.Retire
	}
}

func (p *player) seal(c *script.Call, rec *record) {
	c.Op = script.Seal
	c.Static = statics[0]
	if len(rec.cfg) >= len(statics[0]) && p.chance(90) {
		c.Static = rec.cfg[:len(statics[0])]
	}
	c.Index, c.K, c.Entry = 1+p.rng.IntN(3), p.rng.IntN(3), pick(p, entries...)
	if p.chance(5) {
		c.Index = pick(p, 0, 4, -1)
	}
	if p.chance(5) {
		c.Entry = pick(p, "XY", "A", "a.b", "é")
	}
	if p.chance(3) {
		c.K = 12
	}
}
