package redlocktest

import (
	"strconv"
	"strings"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// admission executes the scripts that decide whether this primary may vote.
func (s *State) admission(c *script.Call, now int64) script.Reply {
	rec := &s.space(c.Prefix).rec
	switch c.Op {
	case script.Probe:
		return s.probe(rec, c, now)
	case script.Seal:
		return s.seal(rec, c)
	case script.Prepare:
		return s.prepare(rec, c)
	case script.Admit:
		return s.admit(rec, c, now)
	default:
		return s.retire(rec, c)
	}
}

func (s *State) admitted(rec *record) bool { return rec.inc != "" && rec.inc == s.inc }

// drop takes the vote and the pair of incarnation and nonce; the rest stays.
func (rec *record) drop() { rec.inc, rec.nonce, rec.qrid, rec.boot = "", "", "", "" }

func (s *State) probe(rec *record, c *script.Call, now int64) script.Reply {
	stale := rec.nonce == "" || rec.qrid != s.inc || c.Renew != "" && c.Renew == rec.boot
	if !s.admitted(rec) && stale {
		rec.drop()
		rec.nonce, rec.qrid = c.Nonce+"."+strconv.FormatInt(now, 10), s.inc
	}
	return script.Reply{
		Code:     script.OK,
		Admitted: s.admitted(rec),
		Inc:      s.inc,
		Nonce:    rec.nonce,
		HW:       rec.hw,
		Floor:    rec.floor,
		MaxTTL:   time.Duration(rec.maxTTL) * time.Millisecond,
		Cfg:      rec.cfg,
		Self:     rec.self,
		Now:      now,
		Mark:     rec.boot,
	}
}

func (s *State) seal(rec *record, c *script.Call) script.Reply {
	if !s.admitted(rec) {
		return code(script.NotAdmitted)
	}
	static, view, found := strings.Cut(rec.cfg, "|")
	if !found || static != c.Static {
		return script.Reply{Code: script.OtherConfig, Cfg: rec.cfg, Self: rec.self}
	}
	entries := strings.FieldsFunc(view, func(r rune) bool { return r == '.' })
	if c.Index < 1 || c.Index > len(entries) || strings.Trim(c.Entry, "0123456789abcdef") != "" {
		return code(script.OutOfRange)
	}
	number, oldID, found := strings.Cut(entries[c.Index-1], "-")
	oldK, err := strconv.Atoi(number)
	if !found || err != nil {
		return code(script.OutOfRange)
	}
	r := script.Reply{Code: script.OK}
	switch {
	case c.K > oldK || c.K == oldK && c.Entry > oldID:
		if rec.self == c.Index {
			rec.drop() // its name was given anew since it was admitted, be it to itself
			return code(script.NotAdmitted)
		}
		entries[c.Index-1] = strconv.Itoa(c.K) + "-" + c.Entry
		rec.cfg = static + "|" + strings.Join(entries, ".")
	case c.K != oldK || c.Entry != oldID:
		r.Code = script.Refused
	}
	r.HW, r.Cfg, r.Self = rec.hw, rec.cfg, rec.self
	return r
}

func (s *State) prepare(rec *record, c *script.Call) script.Reply {
	switch {
	case c.Mark == "":
		return code(script.OutOfRange)
	case s.admitted(rec):
		return script.Reply{Code: script.Refused, Cfg: rec.cfg}
	case !s.pair(rec, c) || rec.boot != "" && rec.boot != c.Mark:
		return script.Reply{Code: script.Refused, Mark: rec.boot}
	}
	rec.boot = c.Mark
	return code(script.OK)
}

// pair reports whether the call names the server's incarnation and the nonce
// that was drawn under it.
func (s *State) pair(rec *record, c *script.Call) bool {
	return c.Inc == s.inc && rec.qrid == s.inc && rec.nonce == c.Nonce
}

func (s *State) admit(rec *record, c *script.Call, now int64) script.Reply {
	if s.admitted(rec) {
		return code(script.Already)
	}
	if !s.pair(rec, c) || rec.boot != c.Mark {
		return code(script.Refused)
	}
	floor, maxTTL := max(c.Floor, rec.hw), c.MaxTTL.Milliseconds()
	if floor > script.MaxSent || maxTTL < 1 {
		return code(script.OutOfRange)
	}
	*rec = record{
		known:  true,
		inc:    s.inc,
		floor:  floor,
		maxTTL: maxTTL,
		keep:   max(c.Keep.Milliseconds(), 10*maxTTL),
		self:   c.Self,
		cfg:    c.Cfg,
		hw:     floor,
		mark:   floor,
		omark:  floor,
		turned: now,
		nonce:  rec.nonce,
	}
	return code(script.OK)
}

func (s *State) retire(rec *record, c *script.Call) script.Reply {
	if rec.inc == "" || rec.inc != c.Inc || rec.nonce != c.Nonce {
		return code(script.Refused)
	}
	rec.drop()
	return code(script.OK)
}
