package linearizability

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// NewEDNWriter returns a Writer of Jepsen's history.edn to w: one operation a
// line, the same fields under keywords. It passes over the observer's events,
// for which Jepsen has no place, and numbers the others without gaps.
func NewEDNWriter(w io.Writer) *Writer {
	out := NewWriter(w)
	out.edn = true
	return out
}

// appendEDNEvent appends the form of e to b.
func appendEDNEvent(b []byte, e *Event) ([]byte, error) {
	var process any = int64(e.Process)
	switch {
	case e.Process == Nemesis:
		process = ednKeyword("nemesis")
	case e.Process < 0:
		return nil, fmt.Errorf("process %d is negative", int64(e.Process))
	}
	m := ednMap{
		{ednKeyword("index"), int64(e.Index)}, {ednKeyword("time"), e.Time}, {ednKeyword("process"), process},
		{ednKeyword("type"), keywordOf(string(e.Type))}, {ednKeyword("f"), keywordOf(string(e.F))},
	}
	if e.Key != "" {
		m = append(m, ednPair{ednKeyword("key"), e.Key})
	}
	value := ednValue(&e.Value)
	if e.Value.Fault != nil {
		value = ednFaultMap(e.Value.Fault)
	}
	m = append(m, ednPair{ednKeyword("value"), value})
	if e.Error != "" {
		m = append(m, ednPair{ednKeyword("error"), e.Error})
	}
	return appendEDN(b, m), nil
}

// ednValue returns the value of a client's event as a form.
func ednValue(v *Value) ednMap {
	m := ednMap{}
	add := func(there bool, name string, value any) {
		if there {
			m = append(m, ednPair{ednKeyword(name), value})
		}
	}
	add(v.Client != "", "client", v.Client)
	add(v.Hold != "", "hold", v.Hold)
	add(v.ID != "", "id", v.ID)
	add(v.Token != 0, "token", int64(v.Token))
	if v.ValidUntil != nil {
		add(true, "valid_until", *v.ValidUntil)
	}
	add(v.Permits != 0, "permits", int64(v.Permits))
	add(v.Mode != "", "mode", string(v.Mode))
	add(v.Resource != "", "resource", string(v.Resource))
	if v.N != nil {
		add(true, "n", *v.N)
	}
	if v.Accepted != nil {
		add(true, "accepted", *v.Accepted)
	}
	return m
}

func ednFaultMap(f *Fault) ednMap {
	m := ednMap{}
	list := func(name string, values []string) {
		if len(values) > 0 {
			m = append(m, ednPair{ednKeyword(name), ednList(values)})
		}
	}
	if f.ID != 0 {
		m = append(m, ednPair{ednKeyword("id"), f.ID})
	}
	if f.Phase != "" {
		m = append(m, ednPair{ednKeyword("phase"), f.Phase})
	}
	list("nodes", f.Nodes)
	list("clients", f.Clients)
	if len(f.Links) > 0 {
		links := []any{}
		for _, l := range f.Links {
			links = append(links, ednList(l[:]))
		}
		m = append(m, ednPair{ednKeyword("links"), links})
	}
	if f.Direction != "" {
		m = append(m, ednPair{ednKeyword("direction"), f.Direction})
	}
	return append(m, ednPair{ednKeyword("confirmed"), f.Confirmed})
}

func ednList(values []string) []any {
	list := []any{}
	for _, v := range values {
		list = append(list, v)
	}
	return list
}

// keywordOf returns s as a keyword, or as it is where a keyword cannot say it.
func keywordOf(s string) any {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789-_.*+!?", r)) {
			return s
		}
	}
	if s == "" {
		return s
	}
	return ednKeyword(s)
}

// appendEDN appends a form to b.
func appendEDN(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "nil"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case string:
		return appendEDNText(b, v)
	case ednKeyword:
		return append(append(b, ':'), v...)
	case ednAtom:
		return append(b, v...)
	case []any:
		b = append(b, '[')
		for i, x := range v {
			if i > 0 {
				b = append(b, ' ')
			}
			b = appendEDN(b, x)
		}
		return append(b, ']')
	case ednMap:
		b = append(b, '{')
		for i, p := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendEDN(append(appendEDN(b, p.key), ' '), p.value)
		}
		return append(b, '}')
	}
	return b
}

// appendEDNText appends a string, on one line whatever is in it.
func appendEDNText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range strings.ToValidUTF8(s, string(utf8.RuneError)) {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\u0085':
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
