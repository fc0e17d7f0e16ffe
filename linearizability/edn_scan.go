package linearizability

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A form of EDN is read as nil, bool, int64, string, ednKeyword, ednAtom,
// []any (vectors, lists and sets) or ednMap. A tag is passed over: what it
// stands before counts.
type (
	ednKeyword string // without its colon
	ednAtom    string // a symbol, character or number that is no int64, as it stands there
	ednMap     []ednPair
	ednPair    struct{ key, value any }
)

// maxEDNDepth is how deep forms may nest. A history needs six.
const maxEDNDepth = 32

// errEDNLong says that a form has more bytes than are allowed.
var errEDNLong = errors.New("form too long")

// ednSyntaxError says what is wrong with a form.
type ednSyntaxError struct{ Detail string }

// Error says what is wrong.
func (e *ednSyntaxError) Error() string { return e.Detail }

func ednSyntax(format string, args ...any) error {
	return &ednSyntaxError{fmt.Sprintf(format, args...)}
}

// ednScanner reads forms one after another. Its memory is bounded by max, the
// number of bytes that one of them may have.
type ednScanner struct {
	in    *bufio.Reader
	max   int
	left  int    // how many bytes the present form may still have
	line  int    // the one that the next byte stands in, counted from 1
	tok   []byte // the present token
	words words
}

// next returns the next form and the line that it begins in. The error is
// io.EOF after the last form, and io.ErrUnexpectedEOF inside one.
func (s *ednScanner) next() (form any, line int, err error) {
	if _, err := s.begin(0); err != nil {
		return nil, s.line, err
	}
	line, s.left = s.line, s.max
	form, err = s.form(0)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return form, line, err
}

// peek returns the next byte and leaves it there.
func (s *ednScanner) peek() (byte, error) {
	b, err := s.in.Peek(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// take passes over the next byte.
func (s *ednScanner) take() (byte, error) {
	b, err := s.in.ReadByte()
	if err != nil {
		return 0, err
	}
	if b == '\n' {
		s.line++
	}
	if s.left--; s.left < 0 {
		return 0, errEDNLong
	}
	return b, nil
}

// begin passes over white space, comments and discarded forms, and returns the
// first byte of the form after them. Between the outermost forms only discarded
// ones count as bytes of a form.
func (s *ednScanner) begin(depth int) (byte, error) {
	for {
		if depth == 0 {
			s.left = s.max
		}
		b, err := s.peek()
		if err != nil {
			return 0, err
		}
		switch b {
		case ' ', '\t', '\n', '\r', '\f', ',':
			_, err = s.take()
		case ';':
			err = s.comment(depth)
		case '#':
			if two, _ := s.in.Peek(2); string(two) != "#_" {
				return b, nil
			}
			err = s.discard(depth)
		default:
			return b, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func (s *ednScanner) comment(depth int) error {
	for {
		if depth == 0 {
			s.left = s.max
		}
		if b, err := s.take(); err != nil || b == '\n' {
			return err
		}
	}
}

func (s *ednScanner) discard(depth int) error {
	s.take() // #
	s.take() // _
	_, err := s.form(depth + 1)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// form reads one form. At the end of the input the error is io.EOF.
func (s *ednScanner) form(depth int) (any, error) {
	if depth > maxEDNDepth {
		return nil, ednSyntax("forms nest deeper than %d", maxEDNDepth)
	}
	b, err := s.begin(depth + 1)
	if err != nil {
		return nil, err
	}
	switch b {
	case '{':
		return s.mapping(depth)
	case '[':
		return s.sequence(depth, ']')
	case '(':
		return s.sequence(depth, ')')
	case '"':
		return s.text()
	case '#':
		return s.tagged(depth)
	}
	return s.atom()
}

// sequence reads the forms up to the closing byte.
func (s *ednScanner) sequence(depth int, closing byte) ([]any, error) {
	s.take()
	list := []any{}
	for {
		b, err := s.begin(depth + 1)
		if err != nil {
			return nil, err
		}
		if b == closing {
			_, err := s.take()
			return list, err
		}
		v, err := s.form(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

func (s *ednScanner) mapping(depth int) (ednMap, error) {
	list, err := s.sequence(depth, '}')
	if err != nil {
		return nil, err
	}
	if len(list)%2 != 0 {
		return nil, ednSyntax("a map of %d forms: the last key has no value", len(list))
	}
	m := make(ednMap, 0, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		m = append(m, ednPair{list[i], list[i+1]})
	}
	return m, nil
}

// tagged reads a set, or a form with a tag before it.
func (s *ednScanner) tagged(depth int) (any, error) {
	s.take()
	b, err := s.peek()
	if err != nil {
		return nil, err
	}
	if b == '{' {
		return s.sequence(depth, '}')
	}
	if b < 'A' || b > 'z' || b > 'Z' && b < 'a' {
		return nil, ednSyntax("# before %q", b)
	}
	if _, err := s.token(); err != nil {
		return nil, err
	}
	return s.form(depth + 1)
}

// The bytes that end a token, and those that a string does not keep as they
// are. A control character begins no form: it is refused where it stands.
var (
	ednTokenEnds = byteSet(" \t\n\r\f,;\"{}[]()" + controls)
	ednTextEnds  = byteSet("\"\\\n")
)

// controls are the bytes that are no characters.
const controls = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f" +
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f"

func byteSet(s string) *[256]bool {
	var set [256]bool
	for i := range len(s) {
		set[s[i]] = true
	}
	return &set
}

// span moves the bytes before one of ends, which are on one line, to the token.
func (s *ednScanner) span(ends *[256]bool) error {
	for {
		if _, err := s.peek(); err != nil {
			return err
		}
		ahead, _ := s.in.Peek(s.in.Buffered())
		n := 0
		for n < len(ahead) && !ends[ahead[n]] {
			n++
		}
		if s.left -= n; s.left < 0 {
			return errEDNLong
		}
		s.tok = append(s.tok, ahead[:n]...)
		s.in.Discard(n)
		if n < len(ahead) {
			return nil
		}
	}
}

// token reads the bytes up to one that ends them. There may be none.
func (s *ednScanner) token() (string, error) {
	s.tok = s.tok[:0]
	if err := s.span(ednTokenEnds); err != nil && err != io.EOF {
		return "", err
	}
	return s.words.get(s.tok), nil
}

// atom reads whatever is one token long.
func (s *ednScanner) atom() (any, error) {
	tok, err := s.token()
	switch {
	case err != nil:
		return nil, err
	case tok == `\`: // a character that ends tokens
		b, err := s.take()
		return ednAtom([]byte{'\\', b}), err
	case tok == "":
		b, _ := s.peek()
		return nil, ednSyntax("%q begins no form", b)
	case !utf8.ValidString(tok):
		return nil, ednSyntax("%q is not UTF-8", tok)
	case tok == "nil":
		return nil, nil
	case tok == "true" || tok == "false":
		return tok == "true", nil
	case tok[0] == ':' && len(tok) > 1:
		return ednKeyword(tok[1:]), nil
	}
	if n, err := strconv.ParseInt(tok, 10, 64); err == nil {
		return n, nil
	}
	return ednAtom(tok), nil
}

// text reads a string.
func (s *ednScanner) text() (string, error) {
	s.take()
	s.tok = s.tok[:0]
	for {
		if err := s.span(ednTextEnds); err != nil {
			return "", err
		}
		b, err := s.take()
		switch {
		case err != nil:
			return "", err
		case b == '"' && !utf8.Valid(s.tok):
			return "", ednSyntax("a string is not UTF-8")
		case b == '"':
			return s.words.get(s.tok), nil
		case b == '\n':
			s.tok = append(s.tok, b)
		default:
			if err := s.escape(); err != nil {
				return "", err
			}
		}
	}
}

// escapes are the escapes of one letter.
var escapes = map[byte]byte{'t': '\t', 'r': '\r', 'n': '\n', 'b': '\b', 'f': '\f', '"': '"', '\\': '\\'}

// escape reads what follows a backslash in a string.
func (s *ednScanner) escape() error {
	b, err := s.take()
	if err != nil {
		return err
	}
	if c, ok := escapes[b]; ok {
		s.tok = append(s.tok, c)
		return nil
	}
	if b != 'u' {
		return ednSyntax(`\%c in a string`, b)
	}
	r, err := s.unit()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(r) {
		if two, _ := s.in.Peek(2); string(two) != `\u` {
			return ednSyntax(`half a surrogate pair, \u%04x, in a string`, r)
		}
		s.take()
		s.take()
		low, err := s.unit()
		if err != nil {
			return err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return ednSyntax(`half a surrogate pair before \u%04x in a string`, low)
		}
	}
	s.tok = utf8.AppendRune(s.tok, r)
	return nil
}

// unit reads four hexadecimal digits.
func (s *ednScanner) unit() (rune, error) {
	var digits [4]byte
	for i := range digits {
		b, err := s.take()
		if err != nil {
			return 0, err
		}
		digits[i] = b
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		return 0, ednSyntax(`\u%s in a string`, digits[:])
	}
	return rune(n), nil
}
