package script

import (
	"fmt"
	"strconv"
	"time"
)

// A ReplyError says that a node answered a script with something that the
// script never answers.
type ReplyError struct {
	Op  Op
	Got string // what came, abridged
}

// Error names the script and what came.
func (e *ReplyError) Error() string {
	return fmt.Sprintf("redlock: script %s: unexpected reply %s", e.Op, e.Got)
}

// A field is a place of Reply that an element of the array fills.
type field uint8

const (
	token field = iota
	wait
	now
	maxTTL
	cfg
	self
	name
	admitted
	inc
	nonce
	hw
	floor
	mark
)

var (
	none    = []field{}
	granted = []field{token, now}
	refused = []field{token, wait, now}
	counter = []field{token}
	late    = []field{now}
	longest = []field{maxTTL}
	foreign = []field{name}
	marked  = []field{mark, cfg}
	busy    = []field{token, wait}
	sealed  = []field{hw, cfg, self}
	probed  = []field{admitted, inc, nonce, hw, floor, maxTTL, cfg, self, now, mark}
	configs = []field{cfg, self}
)

// shape returns the fields that follow code in an answer of op, or nil if op
// never answers code. It repeats what the head of each Lua file promises.
func shape(op Op, code int) []field {
	if code == NotAdmitted {
		return none
	}
	switch op {
	case Acquire, Raise, Extend:
		return voteShape(op, code)
	case Probe:
		if code == OK {
			return probed
		}
	case Seal:
		switch code {
		case OK, Refused:
			return sealed
		case OtherConfig:
			return configs
		case OutOfRange:
			return none
		}
	case Prepare:
		switch code {
		case Refused:
			return marked
		case OK, OutOfRange:
			return none
		}
	case Admit:
		switch code {
		case OK, Already, Refused, OutOfRange:
			return none
		}
	case Retire:
		if code == OK || code == Refused {
			return none
		}
	}
	return nil
}

// voteShape is shape for the scripts that assign tokens.
func voteShape(op Op, code int) []field {
	switch {
	case code == OtherConfig:
		return configs
	case code == ForeignKey:
		return foreign
	case code == OutOfRange:
		return none
	case code == TTLTooLong && op != Raise:
		return longest
	case code == TooLate && op == Acquire:
		return late
	case code == Superseded && op == Extend:
		return counter
	case (code == Refused || code == Reserved) && op == Acquire:
		return refused
	case code == Refused && op == Extend:
		return busy
	case (code == OK || code == Already) && op == Acquire:
		return granted
	case code == Already && op == Extend, code == OK, code == Refused:
		return counter
	}
	return nil
}

// Kind says what a Value is.
type Kind uint8

// The kinds of value.
const (
	Other   Kind = iota // nothing that a script answers: null, an array within an array, an error
	Integer             // Int
	Text                // Text, a string of either kind
)

// Value is one element of a node's answer, as a driver reads it that decodes the
// protocol itself.
type Value struct {
	Kind Kind
	Int  int64
	Text []byte
}

// Decode reads the reply of op as a Redis client returns it: integers as int64,
// bulk strings as []byte or string, arrays as []any. hint is that of the call,
// for Acquire. Whatever the script does not answer is a *ReplyError.
func Decode(op Op, hint uint64, raw any) (Reply, error) {
	var room [12]Value // the longest answer has eleven elements
	values := room[:0]
	elems, array := raw.([]any)
	if !array {
		values = append(values, valueOf(raw))
	}
	for _, v := range elems {
		values = append(values, valueOf(v))
	}
	r, ok := decode(op, hint, values, array)
	if !ok {
		return Reply{}, unexpected(op, raw)
	}
	return r, nil
}

// DecodeValues is Decode for an answer that was read into values: the elements
// of an array, or else the one value that came. They stay the caller's. It
// allocates nothing for the answers that a lock gets as a rule.
func DecodeValues(op Op, hint uint64, values []Value, array bool) (Reply, error) {
	r, ok := decode(op, hint, values, array)
	if !ok {
		return Reply{}, unexpected(op, Raw(values, array))
	}
	return r, nil
}

// Raw returns values as Decode takes them.
func Raw(values []Value, array bool) any {
	elems := make([]any, len(values))
	for i, v := range values {
		switch v.Kind {
		case Integer:
			elems[i] = v.Int
		case Text:
			elems[i] = string(v.Text)
		}
	}
	if !array && len(elems) == 1 {
		return elems[0]
	}
	return elems
}

func valueOf(raw any) Value {
	switch v := raw.(type) {
	case int64:
		return Value{Kind: Integer, Int: v}
	case string:
		return Value{Kind: Text, Text: []byte(v)}
	case []byte:
		return Value{Kind: Text, Text: v}
	}
	return Value{}
}

func decode(op Op, hint uint64, values []Value, array bool) (r Reply, ok bool) {
	if op == Release {
		return decodeRelease(values, array)
	}
	if op == Acquire && hint > 0 && !array && len(values) == 1 && values[0].Kind == Integer && values[0].Int > 0 {
		return Reply{Code: OK, Token: hint, Now: values[0].Int}, true
	}
	if !array || len(values) == 0 || values[0].Kind != Integer {
		return Reply{}, false
	}
	code := values[0].Int
	if code < Reserved || code > Already {
		return Reply{}, false
	}
	fields := shape(op, int(code))
	if fields == nil || len(fields) != len(values)-1 {
		return Reply{}, false
	}
	r.Code = int(code)
	for i, f := range fields {
		if !r.set(f, values[i+1]) {
			return Reply{}, false
		}
	}
	return r, true
}

// decodeRelease reads the one script that always answers with a plain integer.
func decodeRelease(values []Value, array bool) (r Reply, ok bool) {
	if array || len(values) != 1 || values[0].Kind != Integer {
		return Reply{}, false
	}
	switch n := values[0].Int; {
	case n == NotAdmitted:
		return Reply{Code: NotAdmitted}, true
	case n >= 0 && n < 1<<31:
		return Reply{Code: OK, Deleted: int(n)}, true
	}
	return Reply{}, false
}

// set stores one element and reports whether it had the field's type and range.
func (r *Reply) set(f field, v Value) bool {
	switch f {
	case cfg, inc, nonce, mark:
		return r.setText(f, v)
	}
	n, ok := number(v)
	if !ok {
		return false
	}
	switch f {
	case token:
		r.Token = uint64(n)
	case wait:
		r.Wait = time.Duration(n) * time.Millisecond
		return n <= maxMillis
	case now:
		r.Now = n
	case maxTTL:
		r.MaxTTL = time.Duration(n) * time.Millisecond
		return n <= maxMillis
	case self:
		r.Self = int(n)
	case name:
		r.Name = int(n)
		return n > 0
	case admitted:
		r.Admitted = n == 1
		return n <= 1
	case hw:
		r.HW = uint64(n)
	case floor:
		r.Floor = uint64(n)
	}
	return true
}

// maxMillis is the longest Duration in milliseconds.
const maxMillis = int64(1<<63-1) / int64(time.Millisecond)

func (r *Reply) setText(f field, v Value) bool {
	if v.Kind != Text {
		return false
	}
	s := string(v.Text)
	switch f {
	case cfg:
		r.Cfg = s
	case inc:
		r.Inc = s
	case nonce:
		r.Nonce = s
	case mark:
		r.Mark = s
	}
	return true
}

// number reads an integer that is not negative, sent as such or in decimal.
func number(v Value) (int64, bool) {
	switch v.Kind {
	case Integer:
		return v.Int, v.Int >= 0
	case Text:
		n, err := strconv.ParseInt(string(v.Text), 10, 64)
		return n, err == nil && n >= 0
	}
	return 0, false
}

func unexpected(op Op, raw any) error {
	if elems, ok := raw.([]any); ok {
		shown := make([]any, min(len(elems), 12))
		for i := range shown {
			shown[i] = printable(elems[i])
		}
		return &ReplyError{Op: op, Got: abridge(fmt.Sprintf("%v (%d elements)", shown, len(elems)))}
	}
	return &ReplyError{Op: op, Got: abridge(fmt.Sprintf("%v", printable(raw)))}
}

// printable keeps a hostile node's bytes from a terminal.
func printable(v any) any {
	switch v := v.(type) {
	case []byte:
		return strconv.Quote(abridge(string(v)))
	case string:
		return strconv.Quote(abridge(v))
	case int64, nil:
		return v
	case []any:
		return fmt.Sprintf("array of %d", len(v))
	}
	return strconv.Quote(abridge(fmt.Sprintf("%T: %v", v, v)))
}

func abridge(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
