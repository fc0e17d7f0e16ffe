package linearizability

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sameReading reads the line both ways and complains of any difference. It
// tells whether the fast way went through.
func sameReading(t *testing.T, line []byte) bool {
	t.Helper()
	var d decoder
	var fast, slow Event
	if !d.event(line, &fast) {
		return false
	}
	if err := slow.UnmarshalJSON(line); err != nil {
		t.Errorf("%q: the fast way reads it, encoding/json says %v", line, err)
	} else if !reflect.DeepEqual(fast, slow) {
		t.Errorf("%q: the fast way reads\n%+v, encoding/json\n%+v", line, fast, slow)
	}
	return true
}

func TestFastLines(t *testing.T) {
	tests := []struct {
		line string
		fast bool
	}{
		{good0, true},
		{good1, true},
		{" \t" + good0 + "\r", true},
		{strings.ReplaceAll(good1, ",", " , "), true},
		{strings.ReplaceAll(good1, ":", "\t: "), true},
		{strings.Replace(good0, `{"client":"a"}`, `{ }`, 1), true},
		{strings.Replace(good0, `,"value":{"client":"a"}`, ``, 1), true},
		{strings.Replace(good0, `"time":1`, `"time":-1`, 1), true},
		{strings.Replace(good0, `"time":1`, `"time":-0`, 1), true},
		{strings.Replace(good1, `"hold":"h"`, `"hold":"h","n":0,"accepted":false,"permits":2,"mode":"r","resource":"x","id":"","token":9,"valid_until":-3`, 1), true},
		{`{"index":0,"time":1,"process":"observer","type":"info","f":"lost","key":"k","value":{"client":"a","hold":"h"},"error":"e"}`, true},
		{good0 + "x", false},
		{good0 + "\x00", false},
		{good0[:len(good0)-1], false},
		{strings.Replace(good0, `"time":1`, `"time":01`, 1), false},
		{strings.Replace(good0, `"time":1`, `"time":1.0`, 1), false},
		{strings.Replace(good0, `"time":1`, `"time":1e3`, 1), false},
		{strings.Replace(good0, `"time":1`, `"time":9223372036854775808`, 1), false},
		{strings.Replace(good0, `"time":1`, `"time":- 1`, 1), false},
		{strings.Replace(good0, `"time":1`, `"time":1,"time":2`, 1), false},
		{strings.Replace(good0, `"time":1`, `"Time":1`, 1), false},
		{strings.Replace(good0, `"time":1`, `"time":null`, 1), false},
		{strings.Replace(good0, `"a"`, `"\u0061"`, 1), false},
		{strings.Replace(good0, `"a"`, `"é"`, 1), false},
		{strings.Replace(good0, `"a"`, "\"a\t\"", 1), false},
		{strings.Replace(good0, `"a"`, `"a","client":"b"`, 1), false},
		{strings.Replace(good0, `"a"`, `"a",`, 1), false},
		{strings.Replace(good0, `"a"`, `"a","token":-1`, 1), false},
		{strings.Replace(good0, `"a"`, `"a","accepted":truer`, 1), false},
		{strings.Replace(good0, `{"client":"a"}`, `null`, 1), false},
		{strings.Replace(good0, `"process":0`, `"process":-1`, 1), false},
		{strings.Replace(good0, `"process":0`, `"process":-2`, 1), false},
		{strings.Replace(good0, `"process":0`, `"process":"nemesis"`, 1), false},
		{`{"index":0,"time":1,"process":"observer","type":"info","f":"stall"}`, false},
		{`{"value":{},"index":0,"time":1,"process":"observer","type":"info","f":"stall"}`, false},
		{"", false}, {"{}", false}, {"[]", false}, {"\x00\x00", false},
	}
	for _, tt := range tests {
		if fast := sameReading(t, []byte(tt.line)); fast != tt.fast {
			t.Errorf("%q: read the fast way: %v, want %v", tt.line, fast, tt.fast)
		}
	}
}

var readerSeed = flag.Uint64("reader.seed", 0, "seed of the random lines (default: a fresh one, printed on failure)")

// TestFastAgreesWithJSON changes good lines at random and compares the ways.
func TestFastAgreesWithJSON(t *testing.T) {
	seed := *readerSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	rnd := rand.New(rand.NewPCG(seed, 0))
	var lines [][]byte
	for _, e := range parse(t, everyKind) {
		line, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	const rounds = 60_000
	fast := 0
	for range rounds {
		line := mutate(rnd, lines)
		if sameReading(t, line) {
			fast++
		}
		if t.Failed() {
			t.Fatalf("seed %d: repeat with -reader.seed", seed)
		}
	}
	if fast < rounds/50 || fast > rounds*49/50 {
		t.Errorf("seed %d: %d of %d lines were read the fast way: this compares little", seed, fast, rounds)
	}
}

// pieces are what changes put into a line: what JSON and the fast way might
// understand differently.
var pieces = []string{`"`, `\`, `,`, `:`, `{`, `}`, `[`, `]`, "0", "-", "1", ".", "e", " ", "\t", "\x00", "\x7f", "\xff", "é",
	"null", "true", "false", `"a"`, `"key":"k",`, `"time":3,`, `\u0041`, "99999999999999999999", "123456789012345678", "A", "_"}

// mutate returns a line with one to three changes.
func mutate(rnd *rand.Rand, lines [][]byte) []byte {
	line := bytes.Clone(lines[rnd.IntN(len(lines))])
	for range 1 + rnd.IntN(3) {
		at := rnd.IntN(len(line))
		end := min(len(line), at+rnd.IntN(3))
		switch rnd.IntN(3) {
		case 0:
			line = append(line[:at:at], line[end:]...)
		case 1:
			other := lines[rnd.IntN(len(lines))]
			from := rnd.IntN(len(other))
			line = bytes.Join([][]byte{line[:at], other[from:min(len(other), from+rnd.IntN(20))], line[end:]}, nil)
		default:
			line = bytes.Join([][]byte{line[:at], []byte(pieces[rnd.IntN(len(pieces))]), line[end:]}, nil)
		}
		if len(line) == 0 {
			return line
		}
	}
	return line
}

func TestWriterAgreesWithJSON(t *testing.T) {
	events := parse(t, everyKind)
	for i, s := range append(pieces, "<", ">", "&", "\u2028", `a"b`, "\r\n") {
		n := int64(-i)
		events = append(events, Event{Process: Process(i), Type: Type(s), F: F(s), Key: s, Error: s, Time: n,
			Value: Value{Client: s, Hold: s, ID: s, Token: Token(i), Permits: i - 1, Mode: Mode(s), Resource: Resource(s), N: &n, ValidUntil: &n}})
	}
	for i := range events {
		want, err := json.Marshal(events[i])
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendEvent(nil, &events[i])
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("wrote %s (%v), encoding/json writes\n%s", got, err, want)
		}
	}
}

func TestWordsAreBounded(t *testing.T) {
	var w words
	for i := range 3 * maxWords {
		s := fmt.Sprint("hold-", i)
		if got := w.get([]byte(s)); got != s {
			t.Fatalf("got %q for %q", got, s)
		}
	}
	long := strings.Repeat("x", maxWord+1)
	if got := w.get([]byte(long)); got != long || len(w.known) != maxWords {
		t.Errorf("%d words are kept, want %d", len(w.known), maxWords)
	}
}

func FuzzFastLine(f *testing.F) {
	for _, e := range parse(f, everyKind) {
		line, err := e.MarshalJSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) { sameReading(t, line) })
}
