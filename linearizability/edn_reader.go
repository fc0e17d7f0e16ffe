package linearizability

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Names that are given to what a Jepsen history may leave out.
const (
	defaultKey    = "lock"     // of a history of one lock
	defaultClient = "process-" // and the number of the process
	defaultHold   = "op-"      // and the index of the acquire's return
)

// nextEDN reads the next operation of a Jepsen history.
func (r *Reader) nextEDN() (Event, error) {
	form, line, err := r.edn.next()
	if err != nil {
		return Event{}, r.ednError(line, err)
	}
	var e Event
	index, err := e.readEDN(form, r.rules.line)
	switch {
	case err != nil:
		return Event{}, &HistoryError{line, ReasonMalformed, err.Error()}
	case index <= r.index:
		return Event{}, &HistoryError{line, ReasonIndex, fmt.Sprintf("index is %d after %d", index, r.index)}
	}
	r.index = index
	if err := r.rules.next(&e); err != nil {
		var bad *HistoryError
		if errors.As(err, &bad) {
			bad.Line = line
		}
		return Event{}, err
	}
	return e, nil
}

// ednError says what it means that the form of that line could not be read.
func (r *Reader) ednError(line int, err error) error {
	var bad *ednSyntaxError
	switch {
	case err == io.EOF:
		return io.EOF
	case err == io.ErrUnexpectedEOF && r.opts.DropTorn:
		r.torn = true
		return io.EOF
	case err == io.ErrUnexpectedEOF:
		return &HistoryError{line, ReasonTornLine, "the last form has no end"}
	case err == errEDNLong:
		return &HistoryError{line, ReasonLineTooLong, fmt.Sprintf("a form of more than %d bytes", r.opts.MaxLine)}
	case errors.As(err, &bad):
		return &HistoryError{line, ReasonMalformed, err.Error()}
	}
	return fmt.Errorf("history: line %d: %w", line, err)
}

// readEDN fills in e, the n-th event, from a form. It returns the index that
// the form has, or n. What it leaves out gets a name.
func (e *Event) readEDN(form any, n int) (index int64, err error) {
	m, ok := form.(ednMap)
	if !ok {
		return 0, fmt.Errorf("%s is not a map", ednShow(form))
	}
	f := ednFields{m: m}
	e.Index, index = n, int64(n)
	f.process(&e.Process)
	f.whole("index", &index)
	if !f.whole("time", &e.Time) {
		f.complain(":time is missing")
	}
	f.text("key", &e.Key)
	f.text("type", (*string)(&e.Type))
	f.text("f", (*string)(&e.F))
	if v := f.get("error"); v != nil {
		e.Error = ednShow(v)
	}
	value := f.get("value")
	if f.err != nil {
		return 0, f.err
	}
	if e.Process == Nemesis {
		e.Value.Fault = ednFault(value)
		return index, nil
	}
	if err := e.Value.readEDN(value); err != nil {
		return 0, fmt.Errorf(":value: %w", err)
	}
	e.nameEDN()
	return index, nil
}

// nameEDN gives a name to what has none.
func (e *Event) nameEDN() {
	if e.Key == "" {
		e.Key = defaultKey
	}
	if e.Value.Client == "" && e.Type == Invoke {
		e.Value.Client = defaultClient + e.Process.String()
	}
	if e.Value.Hold == "" && e.Type == OK && e.F == Acquire {
		e.Value.Hold = defaultHold + strconv.Itoa(e.Index)
	}
}

// readEDN fills in v, the value of a client's event, from a form.
func (v *Value) readEDN(form any) error {
	if form == nil {
		return nil
	}
	m, ok := form.(ednMap)
	if !ok {
		return fmt.Errorf("%s is neither a map nor nil", ednShow(form))
	}
	f := ednFields{m: m}
	f.text("client", &v.Client)
	f.text("hold", &v.Hold)
	f.text("id", &v.ID)
	f.text("mode", (*string)(&v.Mode))
	f.text("resource", (*string)(&v.Resource))
	var token, permits, until, n int64
	if f.whole("token", &token) || f.whole("fence", &token) {
		if token < 0 {
			f.complain(":token is %d", token)
		}
		v.Token = Token(token)
	}
	if f.whole("permits", &permits) {
		if v.Permits = int(permits); int64(v.Permits) != permits {
			f.complain(":permits is %d", permits)
		}
	}
	if f.whole("valid_until", &until) {
		v.ValidUntil = &until
	}
	if f.whole("n", &n) {
		v.N = &n
	}
	if yes, ok := f.flag("accepted"); ok {
		v.Accepted = &yes
	}
	return f.err
}

// ednFault returns the fault that a form tells of. Jepsen lets a nemesis have
// any value: one that is no fault of ours says nothing.
func ednFault(form any) *Fault {
	m, _ := form.(ednMap)
	f := ednFields{m: m}
	fault := &Fault{}
	f.whole("id", &fault.ID)
	f.text("phase", &fault.Phase)
	f.text("direction", &fault.Direction)
	fault.Nodes = f.texts("nodes")
	fault.Clients = f.texts("clients")
	fault.Confirmed, _ = f.flag("confirmed")
	if links, ok := f.get("links").([]any); ok {
		for _, l := range links {
			ends := ednFields{m: ednMap{{ednKeyword("link"), l}}}
			pair := ends.texts("link")
			if len(pair) != 2 {
				return &Fault{}
			}
			fault.Links = append(fault.Links, [2]string{pair[0], pair[1]})
		}
	}
	if f.err != nil {
		return &Fault{}
	}
	return fault
}

// ednFields takes the fields of a map one by one and keeps the first complaint.
type ednFields struct {
	m   ednMap
	err error
}

func (f *ednFields) complain(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// get returns the field of that name, or nil.
func (f *ednFields) get(name string) any {
	var value any
	times := 0
	for _, p := range f.m {
		if k, ok := p.key.(ednKeyword); ok && string(k) == name {
			value = p.value
			times++
		}
	}
	if times > 1 {
		f.complain(":%s stands there %d times", name, times)
	}
	return value
}

// whole reads an integer, and tells whether it is there.
func (f *ednFields) whole(name string, into *int64) bool {
	switch v := f.get(name).(type) {
	case nil:
		return false
	case int64:
		*into = v
	default:
		f.complain(":%s is %s, not an integer", name, ednShow(v))
	}
	return true
}

// text reads a string, keyword, symbol or integer as a name.
func (f *ednFields) text(name string, into *string) {
	if v := f.get(name); v != nil {
		s, ok := ednName(v)
		if !ok {
			f.complain(":%s is %s, not a name", name, ednShow(v))
		}
		*into = s
	}
}

// texts reads a list of names.
func (f *ednFields) texts(name string) []string {
	v := f.get(name)
	list, ok := v.([]any)
	if !ok && v != nil {
		f.complain(":%s is %s, not a list", name, ednShow(v))
	}
	var names []string
	for _, v := range list {
		s, ok := ednName(v)
		if !ok {
			f.complain(":%s has %s, not a name", name, ednShow(v))
		}
		names = append(names, s)
	}
	return names
}

func (f *ednFields) flag(name string) (value, there bool) {
	v := f.get(name)
	value, there = v.(bool)
	if v != nil && !there {
		f.complain(":%s is %s, neither true nor false", name, ednShow(v))
	}
	return value, there
}

// process reads the process, which is a number or the nemesis.
func (f *ednFields) process(p *Process) {
	v := f.get("process")
	n, ok := v.(int64)
	switch {
	case ok && n >= 0:
		*p = Process(n)
	case v == any(ednKeyword("nemesis")) || v == any("nemesis"):
		*p = Nemesis
	case v == nil:
		f.complain(":process is missing")
	default:
		f.complain(":process is %s, not a number from 0 or :nemesis", ednShow(v))
	}
}

// ednName returns what names something.
func ednName(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case ednKeyword:
		return string(v), true
	case ednAtom:
		return string(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}

// maxShown is how much of a form is shown, in bytes.
const maxShown = 200

// ednShow returns the form as a reader would know it again: a name as it is,
// anything else as EDN, cut off where it is long.
func ednShow(v any) string {
	b := appendEDN(nil, v)
	if s, ok := v.(string); ok {
		return s
	}
	if len(b) > maxShown {
		return strings.ToValidUTF8(string(b[:maxShown]), "") + "…"
	}
	return string(b)
}
