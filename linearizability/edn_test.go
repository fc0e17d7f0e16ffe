package linearizability

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

var ednOptions = ReaderOptions{Format: EDN}

// writeEDN exports the events.
func writeEDN(t testing.TB, events []Event) string {
	t.Helper()
	var out bytes.Buffer
	w := NewEDNWriter(&out)
	for _, e := range events {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// unobserved returns the events without the observer's, numbered anew.
func unobserved(events []Event) []Event {
	var kept []Event
	for _, e := range events {
		if e.Process != Observer {
			e.Index = len(kept)
			kept = append(kept, e)
		}
	}
	return kept
}

func TestEDNRoundTrip(t *testing.T) {
	events := parse(t, everyKind)
	events[2].Error = "held: \"by\" \\ an\nother \u2028é\x01😀"
	events[2].Key, events[3].Key = "k 1", "k 1"
	for i := range events {
		if f := events[i].Value.Fault; f != nil {
			f.Links, f.Direction = [][2]string{{"c0", "n1"}}, "both"
		}
	}
	out := writeEDN(t, events)
	if strings.Contains(out, "observer") || strings.Count(out, "\n") != len(unobserved(events)) {
		t.Errorf("exported\n%s", out)
	}
	back, err := ReadAll(strings.NewReader(out), ednOptions)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := unobserved(parseBack(t, events)); !reflect.DeepEqual(back, want) {
		t.Errorf("read back\n%+v\nwant\n%+v", back, want)
	}
}

// parseBack returns the events as they come back from JSON.
func parseBack(t testing.TB, events []Event) []Event {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, e := range events {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	back, err := ReadAll(&out, ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestEDNForm(t *testing.T) {
	out := writeEDN(t, parse(t, `
		1 0 invoke acquire k
		2 0 ok acquire k hold=h token=7 until=9
		3 nemesis freeze begin 1 c0
		3 observer stall 2 3`))
	const want = `{:index 0, :time 1000000, :process 0, :type :invoke, :f :acquire, :key "k", :value {:client "c0"}}
{:index 1, :time 2000000, :process 0, :type :ok, :f :acquire, :key "k", :value {:client "c0", :hold "h", :token 7, :valid_until 9000000}}
{:index 2, :time 3000000, :process :nemesis, :type :info, :f :freeze, :value {:id 1, :phase "begin", :clients ["c0"], :confirmed true}}
`
	if out != want {
		t.Errorf("wrote\n%swant\n%s", out, want)
	}
}

// jepsen is a history as Jepsen writes it: no keys, no holds, gaps between
// indices, values of all kinds at the nemesis, tags and comments.
const jepsen = `; a run of some lock
#jepsen.history.Op{:index 0, :time 10, :type :invoke, :process 0, :f :acquire, :value nil}
{:type :ok, :f :acquire, :value {:fence 1}, :process 0, :time 20, :index 3}
#_{:type :ignored}
{:type :info, :f :start-partition, :value [:isolated {"n1" #{"n2" "n3"}}], :process :nemesis, :time 25, :index 4}
{:type :invoke, :f :release, :value nil, :process 0, :time 30, :index 5,
 :extra (foo \a \newline \{ 1.5M 10N #inst "2026-01-01")}
{:type :info, :f :release, :value nil, :process 0, :time 40, :error [:timeout "no answer"], :index 6}
{:type :invoke, :f :acquire, :process 8, :time 50 :index 7}`

func TestEDNImport(t *testing.T) {
	events, err := ReadAll(strings.NewReader(jepsen), ednOptions)
	if err != nil {
		t.Fatal(err)
	}
	want := []Event{
		{Time: 10, Type: Invoke, F: Acquire, Key: "lock", Value: Value{Client: "process-0"}},
		{Index: 1, Time: 20, Type: OK, F: Acquire, Key: "lock", Value: Value{Token: 1, Hold: "op-1"}},
		{Index: 2, Time: 25, Type: Info, F: "start-partition", Process: Nemesis, Value: Value{Fault: &Fault{}}},
		{Index: 3, Time: 30, Type: Invoke, F: Release, Key: "lock", Value: Value{Client: "process-0"}},
		{Index: 4, Time: 40, Type: Info, F: Release, Key: "lock", Error: `[:timeout "no answer"]`},
		{Index: 5, Time: 50, Type: Invoke, F: Acquire, Process: 8, Key: "lock", Value: Value{Client: "process-8"}},
	}
	if !reflect.DeepEqual(events, want) {
		t.Errorf("read\n%+v\nwant\n%+v", events, want)
	}
	small, err := ReadAll(iotest.OneByteReader(strings.NewReader(jepsen)), ednOptions)
	if err != nil || !reflect.DeepEqual(small, want) {
		t.Errorf("in small pieces: %v, %+v", err, small)
	}
}

// TestEDNForeignFaults: a nemesis's value that is nearly a fault is none.
func TestEDNForeignFaults(t *testing.T) {
	for _, value := range []string{"nil", ":x", "[]", "{}", `{:id 3 :phase [] :clients ["a"]}`, `{:id "x" :phase "end"}`,
		`{:id 3 :nodes "n1"}`, `{:id 3 :nodes [[]]}`, `{:id 3 :links [["c"]]}`, `{:id 3 :links ["c"]}`, `{:id 3 :confirmed "yes"}`} {
		events, err := ReadAll(strings.NewReader("{:process :nemesis :type :info :f :kill :time 0 :value "+value+"}"), ednOptions)
		if err != nil || len(events) != 1 || !reflect.DeepEqual(events[0].Value.Fault, &Fault{}) {
			t.Errorf("%s: %v, %+v", value, err, events)
		}
	}
}

const edn0 = "{:index 0, :time 1, :process 0, :type :invoke, :f :acquire, :key \"k\", :value {:client \"a\"}}\n"

func TestEDNDropsOnlyTornTails(t *testing.T) {
	opts := ReaderOptions{Format: EDN, DropTorn: true}
	events, err := ReadAll(strings.NewReader(edn0+edn0[:30]), opts)
	if err != nil || len(events) != 1 {
		t.Errorf("torn: %d events, %v", len(events), err)
	}
	var bad *HistoryError
	if _, err := ReadAll(strings.NewReader(edn0+"}"), opts); !errors.As(err, &bad) || bad.Reason != ReasonMalformed {
		t.Errorf("malformed: %v", err)
	}
}

func TestEDNPassesOnErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := ReadAll(io.MultiReader(strings.NewReader(edn0+edn0[:20]), iotest.ErrReader(broken)), ednOptions)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
}

func FuzzEDN(f *testing.F) {
	f.Add([]byte(jepsen))
	f.Add([]byte(writeEDN(f, parse(f, everyKind))))
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := ReadAll(bytes.NewReader(data), ReaderOptions{Format: EDN, DropTorn: true, MaxLine: 4096})
		if err != nil {
			return
		}
		// Whatever was accepted means the same when it is exported and read again.
		want := parseBack(t, events)
		back, err := ReadAll(strings.NewReader(writeEDN(t, want)), ednOptions)
		if err != nil || len(back) != len(events) || len(back) > 0 && !reflect.DeepEqual(back, want) {
			t.Fatalf("read back %d of %d events: %v\n%+v\n%+v", len(back), len(events), err, back, want)
		}
	})
}
