package linearizability

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	good0 = `{"index":0,"time":1,"process":0,"type":"invoke","f":"acquire","key":"k","value":{"client":"a"}}`
	good1 = `{"index":1,"time":2,"process":0,"type":"ok","f":"acquire","key":"k","value":{"client":"a","hold":"h"}}`
)

// tooLong are histories that break the rule that lines are short. All other
// rules have their files in testdata/refused.
var tooLong = []struct {
	name, in string
	format   Format
	line     int
}{
	{"zeros", good0 + "\n" + strings.Repeat("\x00", 3<<20), JSONLines, 2},
	{"line", strings.Repeat("x", 3<<20) + "\n", JSONLines, 1},
	{"string", edn0 + `"` + strings.Repeat("x", 3<<20), EDN, 2},
	{"discarded string", edn0 + `#_"` + strings.Repeat("x", 3<<20), EDN, 2},
	{"comment in a form", edn0 + "{;" + strings.Repeat("x", 3<<20), EDN, 2},
	{"list", edn0 + strings.Repeat("\n", 3<<20) + "[" + strings.Repeat(" ", 3<<20), EDN, 2 + 3<<20},
}

func TestReaderRefusesLongLines(t *testing.T) {
	for _, tt := range tooLong {
		_, err := ReadAll(strings.NewReader(tt.in), ReaderOptions{Format: tt.format})
		var bad *HistoryError
		if !errors.As(err, &bad) || bad.Line != tt.line || bad.Reason != ReasonLineTooLong {
			t.Errorf("%s: %v, want line %d: %s", tt.name, err, tt.line, ReasonLineTooLong)
		}
	}
}

func TestReaderAccepts(t *testing.T) {
	tests := []struct {
		name, in string
		events   int
	}{
		{"nothing", "", 0},
		{"two lines", good0 + "\n" + good1 + "\n", 2},
		{"whole last line without newline", good0 + "\n" + good1, 2},
		{"carriage returns", good0 + "\r\n" + good1 + "\r\n", 2},
		{"unknown fields", strings.Replace(good0, `"a"}`, `"a","new":[1,{}]},"more":null`, 1) + "\n", 1},
		{"completion without client", good0 + "\n" + strings.Replace(good1, `"client":"a",`, "", 1) + "\n", 2},
		{"fault without id, phase or pair", `{"index":0,"time":1,"process":"nemesis","type":"info","f":"kill","value":{"nodes":["n2"],"confirmed":true}}` + "\n", 1},
		{"two of them", `{"index":0,"time":1,"process":"nemesis","type":"info","f":"kill"}` + "\n" +
			`{"index":1,"time":1,"process":"nemesis","type":"info","f":"kill","value":null}` + "\n", 2},
		{"largest token", strings.Replace(good0, `"a"}`, `"a","token":9007199254740992}`, 1) + "\n", 1},
	}
	for _, tt := range tests {
		events, err := ReadAll(strings.NewReader(tt.in), ReaderOptions{})
		if err != nil || len(events) != tt.events {
			t.Errorf("%s: %d events, %v; want %d", tt.name, len(events), err, tt.events)
		}
	}
}

func TestReaderDropsOnlyTornTails(t *testing.T) {
	tests := []struct {
		name, in string
		events   int
		reason   Reason // none if the tail is dropped
	}{
		{"torn", good0 + "\n" + good1[:40], 1, ""},
		{"zeros", good0 + "\n" + strings.Repeat("\x00", 3<<20), 1, ""},
		{"garbage with a newline", good0 + "\n" + good1[:40] + "\n", 0, ReasonMalformed},
		{"long line with a newline", good0 + "\n" + strings.Repeat("x", 3<<20) + "\n", 0, ReasonLineTooLong},
		{"whole line that breaks a rule", good0 + "\n" + good0, 0, ReasonIndex},
		{"nothing torn", good0 + "\n" + good1, 2, ""},
	}
	for _, tt := range tests {
		r := NewReader(strings.NewReader(tt.in), ReaderOptions{DropTorn: true})
		n := 0
		var err error
		for ; ; n++ {
			if _, err = r.Next(); err != nil {
				break
			}
		}
		var bad *HistoryError
		switch {
		case tt.reason == "" && (err != io.EOF || n != tt.events || r.DroppedTorn() != (n == 1)):
			t.Errorf("%s: %d events, dropped %v, %v; want %d", tt.name, n, r.DroppedTorn(), err, tt.events)
		case tt.reason != "" && (!errors.As(err, &bad) || bad.Line != 2 || bad.Reason != tt.reason):
			t.Errorf("%s: %v, want line 2: %s", tt.name, err, tt.reason)
		}
	}
}

func TestMaxLine(t *testing.T) {
	for max, ok := range map[int]bool{len(good0) - 1: false, len(good0): true} {
		for _, in := range []string{good0, good0 + "\n"} {
			_, err := ReadAll(strings.NewReader(in), ReaderOptions{MaxLine: max})
			var bad *HistoryError
			if (err == nil) != ok || err != nil && (!errors.As(err, &bad) || bad.Reason != ReasonLineTooLong) {
				t.Errorf("a line of %d bytes, %d allowed: %v", len(good0), max, err)
			}
		}
	}
}

// unending is a reader of one line that never ends.
type unending struct{ read int }

func (e *unending) Read(p []byte) (int, error) {
	if e.read > 1<<30 {
		return 0, errors.New("read more than 1 GiB of one line")
	}
	e.read += len(p)
	return len(p), nil
}

func TestReaderBoundsMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in := &unending{}
	r := NewReader(in, ReaderOptions{})
	_, err := r.Next()
	runtime.ReadMemStats(&after)
	var bad *HistoryError
	if !errors.As(err, &bad) || bad.Reason != ReasonLineTooLong {
		t.Errorf("an endless line: %v", err)
	}
	if in.read > 2*DefaultMaxLine {
		t.Errorf("read %d bytes of an endless line", in.read)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8*DefaultMaxLine {
		t.Errorf("allocated %d bytes for an endless line", grown)
	}
	if _, again := r.Next(); again != err {
		t.Errorf("after an error, Next returns %v", again)
	}
}

func TestReaderPassesOnErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := ReadAll(io.MultiReader(strings.NewReader(good0+"\n"), iotest.ErrReader(broken)), ReaderOptions{})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
}

func TestReaderInSmallPieces(t *testing.T) {
	events, err := ReadAll(iotest.OneByteReader(strings.NewReader(good0+"\n"+good1+"\n")), ReaderOptions{})
	if err != nil || len(events) != 2 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// everyKind has an event of each shape.
const everyKind = `
	0 0 invoke acquire k mode=r
	1 0 ok acquire k hold=h id=x token=9007199254740992 until=0
	1 1 invoke acquire k
	1 1 fail acquire k
	2 0 invoke write k token=4 n=0 resource=fenced hold=h
	2 0 ok write k token=4 n=0 resource=fenced hold=h refused
	3 nemesis freeze begin 1 c0
	3 observer keys 2 3 n1:k=x,!k n2:-
	4 observer stall 2 3 c0
	4 observer stall 2 3
	5 nemesis freeze end 1 c0
	6 observer lost k client=c0 hold=h
	7 0 invoke extend k hold=h
	8 0 info extend k hold=h
`

func TestWriteAndReadBack(t *testing.T) {
	events := parse(t, everyKind)
	events[2].Error = `held: "by" another`
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, e := range events {
		e.Index = 99 // Write assigns its own
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != len(events) {
		t.Errorf("%d lines for %d events", n, len(events))
	}
	text := out.String()
	back, err := ReadAll(&out, ReaderOptions{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for i := range events {
		if !reflect.DeepEqual(back[i], events[i]) {
			t.Errorf("event %d: read back %+v, want %+v", i, back[i], events[i])
		}
	}
}

// TestWriterFormat pins the lines that other tools read.
func TestWriterFormat(t *testing.T) {
	until := int64(9890332)
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, e := range []Event{
		{Time: 1203944, Process: 3, Type: Invoke, F: Acquire, Key: "lock-1", Value: Value{Client: "c3"}},
		{Time: 1890332, Process: 3, Type: OK, F: Acquire, Key: "lock-1", Value: Value{Client: "c3", Hold: "c3-17", Token: 1795216227476254, ValidUntil: &until}},
		{Time: 4100000, Process: Nemesis, Type: Info, F: "kill", Value: Value{Fault: &Fault{Nodes: []string{"n2"}, Confirmed: true}}},
		{Time: 9890500, Process: Observer, Type: Info, F: LostHold, Key: "lock-1", Value: Value{Client: "c3", Hold: "c3-17"}},
	} {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = `{"index":0,"time":1203944,"process":3,"type":"invoke","f":"acquire","key":"lock-1","value":{"client":"c3"}}
{"index":1,"time":1890332,"process":3,"type":"ok","f":"acquire","key":"lock-1","value":{"client":"c3","hold":"c3-17","token":1795216227476254,"valid_until":9890332}}
{"index":2,"time":4100000,"process":"nemesis","type":"info","f":"kill","value":{"nodes":["n2"],"confirmed":true}}
{"index":3,"time":9890500,"process":"observer","type":"info","f":"lost","key":"lock-1","value":{"client":"c3","hold":"c3-17"}}
`
	if out.String() != want {
		t.Errorf("wrote\n%swant\n%s", out.String(), want)
	}
}

// failing is a writer that fails, and counts its closings.
type failing struct {
	err    error
	closed int
}

func (f *failing) Write(p []byte) (int, error) { return 0, f.err }
func (f *failing) Close() error                { f.closed++; return nil }

func TestWriterKeepsErrors(t *testing.T) {
	full := errors.New("disk full")
	under := &failing{err: full}
	w := NewWriter(under)
	if err := w.Write(Event{Process: -7}); err == nil {
		t.Error("wrote a process that does not exist")
	}
	if err := w.Close(); err == nil || under.closed != 1 {
		t.Errorf("Close: %v, closed %d times; want the first error and 1", err, under.closed)
	}

	w = NewWriter(under)
	if err := w.Write(Event{Value: Value{Client: strings.Repeat("x", 200_000)}}); !errors.Is(err, full) {
		t.Errorf("Write: %v", err)
	}
	if err := w.Write(Event{}); !errors.Is(err, full) {
		t.Errorf("second Write: %v", err)
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("Close: %v", err)
	}
	if err := w.Write(Event{}); err == nil {
		t.Error("wrote to a closed writer")
	}
	if err := w.Close(); err != nil || under.closed != 2 {
		t.Errorf("second Close: %v, closed %d times", err, under.closed)
	}
}

func FuzzReader(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.jsonl")
	if err != nil || len(files) == 0 {
		f.Fatalf("no corpus: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(strings.TrimSpace(show(parse(f, everyKind)))))
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := ReadAll(bytes.NewReader(data), ReaderOptions{DropTorn: true, MaxLine: 4096})
		if err != nil {
			return
		}
		// Whatever was accepted can be judged, and survives being written.
		p := Params{TTL: 2e9, MaxTTL: 2e9, NodeDeadline: 5e7, Hold: 1e8, Drift: 0.16}
		if _, err := Judge(events, p); err != nil {
			t.Fatalf("accepted, but not judged: %v", err)
		}
		Plan{Chaos: true}.Vacuous(TallyOf(events))
		var out bytes.Buffer
		w := NewWriter(&out)
		for _, e := range events {
			if err := w.Write(e); err != nil {
				t.Fatalf("accepted, but not written: %v", err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		back, err := ReadAll(&out, ReaderOptions{})
		if err != nil || len(back) != len(events) {
			t.Fatalf("read back %d of %d events: %v", len(back), len(events), err)
		}
	})
}
