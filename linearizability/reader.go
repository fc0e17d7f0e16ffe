package linearizability

import (
	"bufio"
	"fmt"
	"io"
	"slices"
)

// DefaultMaxLine is the longest line that a Reader accepts by default, in bytes.
const DefaultMaxLine = 1 << 20

// Format is how a history is written down.
type Format int

// The formats.
const (
	// JSONLines has one JSON object a line.
	JSONLines Format = iota

	// EDN is Jepsen's history.edn: a sequence of maps, the same fields under
	// keywords. The values of type and f may be keywords; tags before forms are
	// passed over. Events are numbered anew: the indices of the file must
	// ascend, with any gaps, or be absent. There are no observer's events. So
	// that histories of other locks can be read, these may be left out: the
	// key (then there is one lock), the client (then each process is one), an
	// acquire's hold (then it gets a name that no release knows), and :fence
	// may stand for :token.
	EDN
)

// ReaderOptions change how a Reader works. The zero value is strict.
type ReaderOptions struct {
	_ struct{}

	// Format is how the history is written down. The zero value is JSONLines.
	Format Format

	// DropTorn lets the reader pass over a last line that a crash cut off,
	// instead of refusing the history. Torn means without a newline and not an
	// event; anything else is refused all the same.
	DropTorn bool

	// MaxLine is the longest line (of EDN: form) accepted, in bytes; zero means
	// DefaultMaxLine. It bounds the reader's memory, whatever the input.
	MaxLine int

	// Size is the length of the whole input in bytes, as far as it is known;
	// zero means unknown. It changes nothing but how much room ReadAll reserves.
	Size int64
}

// Reader reads a history event by event and checks its rules. It is not safe
// for use by several goroutines at once.
type Reader struct {
	in    *bufio.Reader
	opts  ReaderOptions
	buf   []byte // of a line that in cannot hold
	fast  decoder
	edn   *ednScanner // where the format is EDN
	index int64       // of the last event of EDN, as it stands there
	rules *rules
	read  int64 // bytes of the lines so far
	torn  bool
	err   error
}

// NewReader returns a Reader of the history in r. It reads ahead.
func NewReader(r io.Reader, opts ReaderOptions) *Reader {
	if opts.MaxLine <= 0 {
		opts.MaxLine = DefaultMaxLine
	}
	in := &Reader{in: bufio.NewReaderSize(r, 64<<10), opts: opts, rules: newRules(), index: -1}
	if opts.Format == EDN {
		in.edn = &ednScanner{in: in.in, max: opts.MaxLine, line: 1}
	}
	return in
}

// Next returns the next event, and io.EOF after the last one. A *HistoryError
// says that the history breaks its rules; any other error comes from the
// underlying reader. After an error, Next returns the same again.
func (r *Reader) Next() (Event, error) {
	if r.err != nil {
		return Event{}, r.err
	}
	read := r.next
	if r.edn != nil {
		read = r.nextEDN
	}
	e, err := read()
	if err != nil {
		r.err = err
		return Event{}, err
	}
	return e, nil
}

// DroppedTorn tells whether the last line was torn and passed over.
func (r *Reader) DroppedTorn() bool { return r.torn }

// ReadAll returns all events of the history, or the first error.
func ReadAll(r io.Reader, opts ReaderOptions) ([]Event, error) { return NewReader(r, opts).ReadAll() }

// ReadAll returns all events that are left, or the first error.
func (r *Reader) ReadAll() ([]Event, error) {
	var events []Event
	for {
		e, err := r.Next()
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		if len(events) == reserveAfter && r.read > 0 && r.opts.Size > r.read {
			events = slices.Grow(events, r.expected())
		}
		events = append(events, e)
	}
}

// reserveAfter is the number of events that show how long the others will be.
const reserveAfter = 4096

// maxReserved is the largest number of events that room is reserved for.
const maxReserved = 1 << 25

// expected returns about how many more events there will be, rather too many.
// Memory that is reserved and not used costs nothing.
func (r *Reader) expected() int {
	rest := float64(r.opts.Size-r.read) / float64(r.read) * float64(r.rules.line)
	return int(min(rest*1.02, maxReserved))
}

func (r *Reader) next() (Event, error) {
	line, whole, long, err := r.line()
	n := r.rules.line + 1
	switch {
	case err == io.EOF:
		return Event{}, io.EOF
	case err != nil:
		return Event{}, fmt.Errorf("history: line %d: %w", n, err)
	case long && !whole && r.opts.DropTorn:
		r.torn = true
		return Event{}, io.EOF
	case long:
		return Event{}, &HistoryError{n, ReasonLineTooLong, fmt.Sprintf("more than %d bytes", r.opts.MaxLine)}
	}
	r.read += int64(len(line)) + 1
	var e Event
	if r.fast.event(line, &e) {
		return e, r.rules.next(&e)
	}
	e = Event{}
	if err := e.UnmarshalJSON(line); err != nil {
		switch {
		case !whole && r.opts.DropTorn:
			r.torn = true
			return Event{}, io.EOF
		case !whole:
			return Event{}, &HistoryError{n, ReasonTornLine, err.Error()}
		}
		return Event{}, &HistoryError{n, ReasonMalformed, err.Error()}
	}
	if err := r.rules.next(&e); err != nil {
		return Event{}, err
	}
	return e, nil
}

// line returns the next line without its newline, and whether it had one. A
// line that is too long is not kept. It is read to its end only where that end
// decides whether it is a torn tail to be dropped.
func (r *Reader) line() (line []byte, whole, long bool, err error) {
	r.buf = r.buf[:0]
	any := false
	for {
		part, err := r.in.ReadSlice('\n')
		if err == nil && !any && len(part) <= r.opts.MaxLine+1 {
			return part[:len(part)-1], true, false, nil // as almost always
		}
		any = any || len(part) > 0
		if len(r.buf)+len(part) > r.opts.MaxLine+1 {
			long = true
		}
		if !long {
			r.buf = append(r.buf, part...)
		}
		switch {
		case err == nil:
			if !long {
				line = r.buf[:len(r.buf)-1]
			}
			return line, true, long, nil
		case err == bufio.ErrBufferFull:
			if long && !r.opts.DropTorn {
				return nil, false, true, nil
			}
		case err == io.EOF && any:
			return r.buf, false, long || len(r.buf) > r.opts.MaxLine, nil
		default:
			return nil, false, false, err
		}
	}
}
