package redlocktest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// Entry is one key as a Redis server would show it.
type Entry struct {
	Key  string
	Type string // string, list, hash or zset
	// Value is the string, the list's elements, the hash's fields and values in
	// turn, ordered by field, or the sorted set's members and scores.
	Value []string
	// PTTL is the remaining ttl in milliseconds, -1 for none.
	PTTL int64
}

// Dump returns the whole key space at node time now, ordered by key.
func (s *State) Dump(now int64) []Entry {
	s.Expire(now)
	var out []Entry
	for i := range s.keys {
		k := &s.keys[i]
		e := Entry{Key: k.name, Type: "string", Value: []string{k.value}, PTTL: k.left(now)}
		if k.list {
			e.Type = "list"
		}
		out = append(out, e)
	}
	for i := range s.spaces {
		sp := &s.spaces[i]
		out = appendHash(out, sp.prefix+script.NodeKey, sp.rec.fields())
		out = appendHash(out, sp.prefix+script.YoungKey, fields(sp.young))
		out = appendHash(out, sp.prefix+script.OldKey, fields(sp.old))
		for j := range sp.lines {
			l := &sp.lines[j]
			out = append(out, Entry{Key: l.key, Type: "zset", Value: l.fields(), PTTL: l.expire - now/1000})
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func appendHash(out []Entry, key string, fields []string) []Entry {
	if len(fields) == 0 {
		return out
	}
	return append(out, Entry{Key: key, Type: "hash", Value: fields, PTTL: -1})
}

// fields returns the record's hash, ordered by field.
func (rec *record) fields() []string {
	var out []string
	add := func(name, value string) { out = append(out, name, value) }
	decimal := func(n uint64) string { return strconv.FormatUint(n, 10) }
	if rec.known {
		add("adm", strings.Join([]string{
			rec.inc, decimal(rec.floor), strconv.FormatInt(rec.maxTTL, 10),
			strconv.FormatInt(rec.keep, 10), strconv.Itoa(rec.self), rec.cfg,
		}, " "))
	}
	if rec.boot != "" {
		add("boot", rec.boot)
	}
	if rec.known || rec.hw > 0 {
		add("hw", decimal(rec.hw))
	}
	if rec.known {
		add("mark", decimal(rec.mark))
		add("omark", decimal(rec.omark))
	}
	if rec.nonce != "" {
		add("q", rec.nonce)
	}
	if rec.qrid != "" {
		add("qrid", rec.qrid)
	}
	if rec.known {
		add("turned", strconv.FormatInt(rec.turned, 10))
	}
	return out
}

func fields(table []fence) []string {
	var out []string
	for _, f := range table {
		out = append(out, f.name, strconv.FormatUint(f.token, 10))
	}
	return out
}

func (l *line) fields() []string {
	var out []string
	for _, w := range l.places {
		out = append(out, w.place.String(), strconv.FormatInt(w.score, 10))
	}
	return out
}

// Append appends the canonical encoding of the state to dst: two states with
// the same encoding answer every future call alike. Keys that expired before
// node time now are left out.
func (s *State) Append(dst []byte, now int64) []byte {
	s.Expire(now)
	dst = appendText(dst, s.inc)
	dst = strconv.AppendBool(dst, s.replica)
	for i := range s.keys {
		k := &s.keys[i]
		dst = appendText(append(dst, 'k'), k.name)
		dst = strconv.AppendBool(dst, k.list)
		dst = appendText(dst, k.value)
		dst = strconv.AppendInt(append(dst, ' '), k.expire, 10)
	}
	for i := range s.spaces {
		sp := &s.spaces[i]
		if sp.rec == (record{}) {
			continue // only looked at; fences and lines never stand without a record
		}
		dst = appendText(append(dst, 's'), sp.prefix)
		dst = appendTexts(dst, sp.rec.fields())
		dst = appendTexts(dst, fields(sp.young))
		dst = appendTexts(dst, fields(sp.old))
		for j := range sp.lines {
			l := &sp.lines[j]
			dst = appendText(append(dst, 'l'), l.key)
			dst = strconv.AppendInt(append(dst, ' '), l.expire, 10)
			dst = appendTexts(dst, l.fields())
		}
	}
	return dst
}

func appendTexts(dst []byte, texts []string) []byte {
	dst = strconv.AppendInt(append(dst, '#'), int64(len(texts)), 10)
	for _, t := range texts {
		dst = appendText(dst, t)
	}
	return dst
}

// appendText writes the length first, so that no two lists of texts look alike.
func appendText(dst []byte, text string) []byte {
	dst = strconv.AppendInt(append(dst, ' '), int64(len(text)), 10)
	return append(append(dst, ':'), text...)
}
