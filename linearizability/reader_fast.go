package linearizability

import (
	"bytes"
	"hash/maphash"
)

// decoder reads the lines that a Writer writes, and others of that shape, many
// times as fast as encoding/json. Whatever is unusual about a line (escapes,
// bytes above ASCII, null, a field that is unknown or stands there twice, a
// number with a fraction, samples, faults) makes it give up, and encoding/json
// reads the line and has the last word, on mistakes too. Thus a line means the
// same whoever reads it.
type decoder struct {
	words words
	ints  []int64 // pointed to by the events that were read
	flags []bool  // likewise
}

// event fills in e from the line, or returns false if it gives up, with e in no
// particular state.
func (d *decoder) event(line []byte, e *Event) bool {
	c := cursor{in: line}
	var seen uint
	for more := c.eat('{'); more; more = c.eat(',') {
		name, ok := c.name()
		if !ok || !d.eventField(&c, e, &seen, name) {
			return false
		}
	}
	return c.eat('}') && c.atEnd() && seen&needed == needed && ordinary(e)
}

// ordinary tells whether the event's value is neither a fault nor an
// observation with a value of its own kind.
func ordinary(e *Event) bool {
	return e.Process >= 0 || e.Process == Observer && e.F != SampleKeys && e.F != StallSeen
}

// The fields that have been seen, as bits.
const (
	sawIndex uint = 1 << iota
	sawTime
	sawProcess
	sawType
	sawF
	sawKey
	sawValue
	sawError
	needed = sawIndex | sawTime | sawProcess
)

// once sets the bit, and tells whether it was clear.
func once(seen *uint, bit uint) bool {
	before := *seen
	*seen |= bit
	return before&bit == 0
}

func (d *decoder) eventField(c *cursor, e *Event, seen *uint, name []byte) bool {
	switch string(name) {
	case "index":
		n, ok := c.integer()
		e.Index = int(n)
		return ok && int64(e.Index) == n && once(seen, sawIndex)
	case "time":
		n, ok := c.integer()
		e.Time = n
		return ok && once(seen, sawTime)
	case "process":
		return d.process(c, &e.Process) && once(seen, sawProcess)
	case "type":
		s, ok := d.word(c)
		e.Type = Type(s)
		return ok && once(seen, sawType)
	case "f":
		s, ok := d.word(c)
		e.F = F(s)
		return ok && once(seen, sawF)
	case "key":
		s, ok := d.word(c)
		e.Key = s
		return ok && once(seen, sawKey)
	case "error":
		s, ok := d.word(c)
		e.Error = s
		return ok && once(seen, sawError)
	case "value":
		// Its meaning depends on the process and the function.
		known := *seen&sawProcess != 0 && *seen&sawF != 0
		return known && ordinary(e) && once(seen, sawValue) && d.value(c, &e.Value)
	}
	return false
}

// process reads a client's number or the observer. The nemesis has its own kind
// of value, and few lines.
func (d *decoder) process(c *cursor, p *Process) bool {
	if c.peek() != '"' {
		n, ok := c.integer()
		*p = Process(n)
		return ok && n >= 0
	}
	name, ok := c.text()
	*p = Observer
	return ok && string(name) == "observer"
}

// value reads the object that is the value of a client's event.
func (d *decoder) value(c *cursor, v *Value) bool {
	if !c.eat('{') {
		return false
	}
	if c.eat('}') {
		return true
	}
	var seen uint
	for more := true; more; more = c.eat(',') {
		name, ok := c.name()
		if !ok || !d.valueField(c, v, &seen, name) {
			return false
		}
	}
	return c.eat('}')
}

func (d *decoder) valueField(c *cursor, v *Value, seen *uint, name []byte) bool {
	var ok bool
	switch string(name) {
	case "client":
		v.Client, ok = d.word(c)
		return ok && once(seen, 1<<0)
	case "hold":
		v.Hold, ok = d.word(c)
		return ok && once(seen, 1<<1)
	case "id":
		v.ID, ok = d.word(c)
		return ok && once(seen, 1<<2)
	case "token":
		n, ok := c.integer()
		v.Token = Token(n)
		return ok && n >= 0 && once(seen, 1<<3)
	case "valid_until":
		v.ValidUntil, ok = d.number(c)
		return ok && once(seen, 1<<4)
	case "permits":
		n, ok := c.integer()
		v.Permits = int(n)
		return ok && int64(v.Permits) == n && once(seen, 1<<5)
	case "mode":
		s, ok := d.word(c)
		v.Mode = Mode(s)
		return ok && once(seen, 1<<6)
	case "resource":
		s, ok := d.word(c)
		v.Resource = Resource(s)
		return ok && once(seen, 1<<7)
	case "n":
		v.N, ok = d.number(c)
		return ok && once(seen, 1<<8)
	case "accepted":
		v.Accepted, ok = d.flag(c)
		return ok && once(seen, 1<<9)
	}
	return false
}

// word reads a string.
func (d *decoder) word(c *cursor) (string, bool) {
	s, ok := c.text()
	if !ok {
		return "", false
	}
	return d.words.get(s), true
}

// slab is how many numbers are allocated at once.
const slab = 256

// number reads an integer that is pointed to.
func (d *decoder) number(c *cursor) (*int64, bool) {
	n, ok := c.integer()
	if len(d.ints) == cap(d.ints) {
		d.ints = make([]int64, 0, slab)
	}
	d.ints = append(d.ints, n)
	return &d.ints[len(d.ints)-1], ok
}

// flag reads a boolean that is pointed to.
func (d *decoder) flag(c *cursor) (*bool, bool) {
	yes := c.literal("true")
	if !yes && !c.literal("false") {
		return nil, false
	}
	if len(d.flags) == cap(d.flags) {
		d.flags = make([]bool, 0, slab)
	}
	d.flags = append(d.flags, yes)
	return &d.flags[len(d.flags)-1], true
}

// words makes strings of bytes, the same string for the same bytes most times.
// It remembers a fixed number of them, whatever it is given: names of holds are
// many, and each is spoken of for a short while.
type words struct {
	seed  maphash.Seed
	known []string
}

// The number of words remembered, a power of two, and the longest.
const (
	maxWords = 1 << 12
	maxWord  = 64
)

func (w *words) get(b []byte) string {
	if len(b) > maxWord {
		return string(b)
	}
	if w.known == nil {
		w.known, w.seed = make([]string, maxWords), maphash.MakeSeed()
	}
	at := &w.known[maphash.Bytes(w.seed, b)%maxWords]
	if *at != string(b) {
		*at = string(b)
	}
	return *at
}

// cursor goes over one line of JSON. Its methods pass over white space first.
type cursor struct {
	in []byte
	at int
}

// peek returns the next byte that is no white space, or 0 at the end.
func (c *cursor) peek() byte {
	for ; c.at < len(c.in); c.at++ {
		switch b := c.in[c.at]; b {
		case ' ', '\t', '\r', '\n':
		default:
			return b
		}
	}
	return 0
}

func (c *cursor) atEnd() bool { return c.peek() == 0 && c.at == len(c.in) }

// eat passes over b, which is not 0, if that is what comes next.
func (c *cursor) eat(b byte) bool {
	if c.peek() != b {
		return false
	}
	c.at++
	return true
}

// literal passes over s, if that is what comes next.
func (c *cursor) literal(s string) bool {
	c.peek()
	if !bytes.HasPrefix(c.in[c.at:], []byte(s)) {
		return false
	}
	c.at += len(s)
	return true
}

// name reads a field's name and the colon after it.
func (c *cursor) name() ([]byte, bool) {
	s, ok := c.text()
	return s, ok && c.eat(':')
}

// unescaped tells which bytes stand for themselves in a string.
var unescaped = func() (t [256]bool) {
	for b := ' '; b < 0x7f; b++ {
		t[b] = b != '"' && b != '\\'
	}
	return t
}()

// text reads a string without escapes.
func (c *cursor) text() ([]byte, bool) {
	if !c.eat('"') {
		return nil, false
	}
	start := c.at
	for c.at < len(c.in) && unescaped[c.in[c.at]] {
		c.at++
	}
	s := c.in[start:c.at]
	return s, c.eat('"') && len(s) == c.at-1-start
}

// maxDigits is how many digits an integer can have without any danger of
// overflow.
const maxDigits = 18

// integer reads an integer of at most maxDigits digits.
func (c *cursor) integer() (int64, bool) {
	negative := c.eat('-')
	start := c.at
	var n int64
	for c.at < len(c.in) && c.in[c.at]-'0' <= 9 {
		n = n*10 + int64(c.in[c.at]-'0')
		if c.at++; c.at-start > maxDigits {
			return 0, false
		}
	}
	if c.at == start || c.in[start] == '0' && c.at-start > 1 {
		return 0, false
	}
	if negative {
		return -n, true
	}
	return n, true
}
