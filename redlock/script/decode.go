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
			return []field{mark, cfg}
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
		return []field{name}
	case code == OutOfRange:
		return none
	case code == TTLTooLong && op != Raise:
		return []field{maxTTL}
	case code == TooLate && op == Acquire:
		return []field{now}
	case code == Superseded && op == Extend:
		return []field{token}
	case code == Refused && op == Acquire:
		return []field{token, wait, now}
	case code == Refused && op == Extend:
		return busy
	case (code == OK || code == Already) && op == Acquire:
		return []field{token, now}
	case code == Already && op == Extend, code == OK, code == Refused:
		return []field{token}
	}
	return nil
}

// Decode reads the reply of op as a Redis client returns it: integers as int64,
// bulk strings as []byte or string, arrays as []any. Whatever the script does
// not answer is a *ReplyError.
func Decode(op Op, raw any) (Reply, error) {
	if op == Release {
		return decodeRelease(raw)
	}
	elems, ok := raw.([]any)
	if !ok || len(elems) == 0 {
		return Reply{}, unexpected(op, raw)
	}
	code, ok := elems[0].(int64)
	if !ok || code < OutOfRange || code > Already {
		return Reply{}, unexpected(op, raw)
	}
	fields := shape(op, int(code))
	if fields == nil || len(fields) != len(elems)-1 {
		return Reply{}, unexpected(op, raw)
	}
	r := Reply{Code: int(code)}
	for i, f := range fields {
		if !r.set(f, elems[i+1]) {
			return Reply{}, unexpected(op, raw)
		}
	}
	return r, nil
}

// decodeRelease reads the one script that answers with a plain integer.
func decodeRelease(raw any) (Reply, error) {
	n, ok := raw.(int64)
	switch {
	case ok && n == NotAdmitted:
		return Reply{Code: NotAdmitted}, nil
	case ok && n >= 0 && n < 1<<31:
		return Reply{Code: OK, Deleted: int(n)}, nil
	}
	return Reply{}, unexpected(Release, raw)
}

// set stores one element and reports whether it had the field's type and range.
func (r *Reply) set(f field, v any) bool {
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

func (r *Reply) setText(f field, v any) bool {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case []byte:
		s = string(v)
	default:
		return false
	}
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
func number(v any) (int64, bool) {
	var n int64
	var err error
	switch v := v.(type) {
	case int64:
		n = v
	case string:
		n, err = strconv.ParseInt(v, 10, 64)
	case []byte:
		n, err = strconv.ParseInt(string(v), 10, 64)
	default:
		return 0, false
	}
	return n, err == nil && n >= 0
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
