package redlocktest

import (
	"slices"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// ballot is one call of Acquire, Raise or Extend on a node that may vote, and
// what it found at the names.
type ballot struct {
	s     *State
	sp    *space
	call  *script.Call
	now   int64
	c     uint64 // the highest counter among the names
	wait  int64  // the longest remaining ttl, ms
	taken bool   // some key stands
	other bool   // some key is another's
	mine  bool   // every key is the caller's
	live  bool   // every fence was assigned in this life of the node
	even  bool   // all fences are equal
}

// open makes the checks that the three scripts share, on a blank ballot. Where
// the node may not vote it returns false and the answer.
func (b *ballot) open(s *State, c *script.Call, now int64) (script.Reply, bool) {
	sp := s.space(c.Prefix)
	rec := &sp.rec
	if !s.votes(rec) {
		return code(script.NotAdmitted), false
	}
	if rec.cfg != c.Cfg || rec.self != c.Self {
		return script.Reply{Code: script.OtherConfig, Cfg: rec.cfg, Self: rec.self}, false
	}
	*b = ballot{s: s, sp: sp, call: c, now: now, c: rec.floor, mine: true, live: true, even: true}
	var first uint64
	for i, name := range c.Names {
		if !b.look(name) {
			return script.Reply{Code: script.ForeignKey, Name: i + 1}, false
		}
		fence, kept := sp.fence(name)
		b.live = b.live && kept && fence > rec.floor
		if i == 0 {
			first = fence
		}
		b.even = b.even && fence == first
		b.c = max(b.c, fence)
	}
	return script.Reply{}, true
}

// look takes in what stands at a lock's key and reports whether it is a lock.
func (b *ballot) look(name string) bool {
	k := b.s.find(joined{b.call.Prefix, name})
	if k == nil {
		b.mine = false
		return true
	}
	if k.list || k.expire == 0 {
		return false
	}
	b.taken = true
	b.wait = max(b.wait, k.left(b.now))
	if k.value != b.call.ID {
		b.mine, b.other = false, true
	}
	return true
}

// fence returns the counter of a lock and whether it stands in a table; one
// that is in neither reads as mark.
func (sp *space) fence(lock string) (token uint64, kept bool) {
	for _, table := range [2][]fence{sp.young, sp.old} {
		if i, ok := searchFence(table, joined{sp.prefix, lock}); ok {
			return table[i].token, true
		}
	}
	return sp.rec.mark, false
}

// searchFence looks for the fence of a lock's key.
func searchFence(table []fence, key joined) (int, bool) {
	return slices.BinarySearchFunc(table, key, func(f fence, j joined) int { return j.compare(f.name) })
}

// setFence writes to the young table.
func (sp *space) setFence(lock string, token uint64) {
	i, found := searchFence(sp.young, joined{sp.prefix, lock})
	if !found {
		sp.young = slices.Insert(sp.young, i, fence{name: sp.prefix + lock})
	}
	sp.young[i].token = token
}

// turn moves the fence tables on when their time has come.
func (sp *space) turn(now int64) {
	rec := &sp.rec
	switch {
	case now < rec.turned:
		rec.turned = now
	case now >= rec.turned+rec.keep*1000:
		rec.mark, rec.omark, rec.turned = rec.omark, rec.hw, now
		sp.old, sp.young = sp.young, nil
	}
}

// assign writes token as the fence of every name.
func (b *ballot) assign(token uint64) {
	b.sp.turn(b.now)
	b.sp.rec.hw = max(b.sp.rec.hw, token)
	for _, name := range b.call.Names {
		b.sp.setFence(name, token)
	}
}

// lock sets a lock's key, whose fence assign has written. The name that the
// fence bears serves as the key's, so that none is put together each time.
func (b *ballot) lock(name string, ttl int64) {
	i, _ := searchFence(b.sp.young, joined{b.sp.prefix, name})
	b.s.put(key{name: b.sp.young[i].name, value: b.call.ID, expire: expiry(ttl, b.now)})
}

func (b *ballot) acquire() script.Reply {
	ttl := b.call.TTL.Milliseconds()
	switch {
	case ttl < 1:
		return code(script.OutOfRange)
	case ttl > b.sp.rec.maxTTL:
		return b.tooLong()
	case b.mine && b.live && b.even:
		return script.Reply{Code: script.Already, Token: b.c, Now: b.now}
	case b.call.NotAfter != 0 && b.now > b.call.NotAfter:
		return script.Reply{Code: script.TooLate, Now: b.now}
	}
	kept := int64(0)
	if b.call.Lines() {
		kept = b.queue()
	}
	switch {
	case b.taken:
		return script.Reply{Code: script.Refused, Token: b.c, Wait: b.waitTime(), Now: b.now}
	case kept > 0:
		return script.Reply{Code: script.Reserved, Token: b.c, Wait: time.Duration(kept) * time.Millisecond, Now: b.now}
	}
	token := b.c + 1
	if hint := b.call.Hint; hint > token && hint <= uint64(b.now+script.MaxHint) {
		token = hint
	}
	if token > script.MaxToken {
		return code(script.OutOfRange)
	}
	b.assign(token)
	for _, name := range b.call.Names {
		b.lock(name, ttl)
	}
	return script.Reply{Code: script.OK, Token: token, Now: b.now}
}

func (b *ballot) raise() script.Reply {
	token := b.call.Token
	switch {
	case token < 1 || token > script.MaxSent:
		return code(script.OutOfRange)
	case !b.mine || !b.live || b.c > token:
		return script.Reply{Code: script.Refused, Token: b.c}
	}
	b.assign(token)
	return script.Reply{Code: script.OK, Token: token}
}

func (b *ballot) extend() script.Reply {
	token, ttl := b.call.Token, b.call.TTL.Milliseconds()
	switch {
	case token < 1 || token > script.MaxSent || ttl < 1:
		return code(script.OutOfRange)
	case ttl > b.sp.rec.maxTTL:
		return b.tooLong()
	case b.other:
		return script.Reply{Code: script.Refused, Token: b.c, Wait: b.waitTime()}
	case b.c > token:
		return script.Reply{Code: script.Superseded, Token: b.c}
	}
	b.assign(token)
	for _, name := range b.call.Names {
		if k := b.s.find(joined{b.call.Prefix, name}); k == nil || k.left(b.now) < ttl {
			b.lock(name, ttl)
		}
	}
	if b.mine {
		return script.Reply{Code: script.OK, Token: token}
	}
	return script.Reply{Code: script.Already, Token: token}
}

func (b *ballot) tooLong() script.Reply {
	return script.Reply{Code: script.TTLTooLong, MaxTTL: time.Duration(b.sp.rec.maxTTL) * time.Millisecond}
}

func (b *ballot) waitTime() time.Duration { return time.Duration(b.wait) * time.Millisecond }

// release frees the names that are the caller's and keeps late Extends out. A
// replica refuses the write, and so answers only where there is one.
func (s *State) release(c *script.Call, now int64) script.Reply {
	r := script.Reply{Code: script.OK}
	for _, name := range c.Names {
		i, found := s.search(joined{c.Prefix, name})
		if !found || s.keys[i].list || s.keys[i].value != c.ID {
			continue
		}
		if s.replica {
			r.Code = script.NotAdmitted
			continue
		}
		s.keys = slices.Delete(s.keys, i, i+1)
		r.Deleted++
	}
	if s.replica {
		if r.Code == script.OK && c.Lines() {
			s.retell(c, now)
		}
		return r
	}
	if sp := s.space(c.Prefix); c.Token > 0 && c.Token <= script.MaxSent {
		for _, name := range c.Names {
			if fence, _ := sp.fence(name); fence <= c.Token {
				sp.rec.hw = max(sp.rec.hw, c.Token+1)
				if sp.rec.known { // or else hw alone keeps a late EXTEND out
					sp.setFence(name, c.Token+1)
				}
			}
		}
	}
	if c.Lines() {
		s.pass(c, now)
	}
	return r
}
