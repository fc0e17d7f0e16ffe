package report

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/linearizability"
)

// book writes a history line by line.
type book struct {
	events  []linearizability.Event
	process linearizability.Process
}

func (b *book) add(e linearizability.Event) int {
	e.Index = len(b.events)
	b.events = append(b.events, e)
	return e.Index
}

// op adds both lines of an operation of a process of its own. Times are in
// milliseconds; the lines in between must come before the end.
func (b *book) op(from, to int64, f linearizability.F, key string, call, result linearizability.Value, between ...func()) {
	p := b.process
	b.process++
	b.add(linearizability.Event{Time: from * 1e6, Process: p, Type: linearizability.Invoke, F: f, Key: key, Value: call})
	for _, do := range between {
		do()
	}
	b.add(linearizability.Event{Time: to * 1e6, Process: p, Type: linearizability.OK, F: f, Key: key, Value: result})
}

// acquire adds an acquire that was granted.
func (b *book) acquire(from, to, until int64, key, client, hold string, token uint64, between ...func()) {
	v := until * 1e6
	b.op(from, to, linearizability.Acquire, key, linearizability.Value{Client: client},
		linearizability.Value{Client: client, Hold: hold, ID: "id-" + hold, Token: linearizability.Token(token), ValidUntil: &v}, between...)
}

// release adds a release that succeeded.
func (b *book) release(from, to int64, key, client, hold string) {
	v := linearizability.Value{Client: client, Hold: hold}
	b.op(from, to, linearizability.Release, key, v, v)
}

// keys adds a round of samples in which each of three nodes shows the id.
func (b *book) keys(at int64, key string, ids ...string) {
	k := &linearizability.Keys{From: at*1e6 - 1e6, To: at * 1e6, Nodes: map[string]linearizability.NodeSample{}}
	for i := range 3 {
		s := linearizability.NodeSample{Admitted: true, Keys: map[string]string{}, NoTTL: []string{}}
		if i < len(ids) && ids[i] != "" {
			s.Keys[key] = ids[i]
		}
		k.Nodes[fmt.Sprintf("n%d", i+1)] = s
	}
	b.add(linearizability.Event{Time: at * 1e6, Process: linearizability.Observer, Type: linearizability.Info,
		F: linearizability.SampleKeys, Value: linearizability.Value{Keys: k}})
}

func (b *book) fault(at, id int64, kind, phase string, nodes ...string) {
	b.add(linearizability.Event{Time: at * 1e6, Process: linearizability.Nemesis, Type: linearizability.Info, F: linearizability.F(kind),
		Value: linearizability.Value{Fault: &linearizability.Fault{ID: id, Phase: phase, Nodes: nodes, Confirmed: true}}})
}

// passing is a short history against which there is nothing.
func passing() []linearizability.Event {
	b := &book{}
	b.acquire(10, 12, 900, "lock-1", "c1", "c1-1", 5)
	b.fault(20, 1, "pause", linearizability.FaultBegin, "n3")
	b.keys(30, "lock-1", "id-c1-1", "id-c1-1", "id-c1-1")
	b.acquire(40, 130, 1100, "lock-1", "c2", "c2-1", 6, func() { b.release(100, 104, "lock-1", "c1", "c1-1") })
	b.fault(150, 1, "pause", linearizability.FaultEnd, "n3")
	b.release(200, 203, "lock-1", "c2", "c2-1")
	return b.events
}

// doubled is a history in which a key vanishes and a second client gets the
// lock of the first.
func doubled(key, first, second string) []linearizability.Event {
	b := &book{}
	b.acquire(10, 12, 900, key, first, first+"-1", 5)
	b.keys(30, key, "id-"+first+"-1", "id-"+first+"-1", "id-"+first+"-1")
	b.acquire(40, 80, 1100, key, second, second+"-1", 6, func() { b.keys(60, key, "", "", "") })
	b.release(120, 123, key, second, second+"-1")
	b.release(200, 203, key, first, first+"-1")
	return b.events
}

// sameToken is a history in which two holders have one token.
func sameToken() []linearizability.Event {
	b := &book{}
	b.acquire(10, 12, 900, "lock-1", "c1", "c1-1", 5)
	b.release(20, 24, "lock-1", "c1", "c1-1")
	b.acquire(30, 33, 900, "lock-1", "c2", "c2-1", 5)
	b.release(40, 41, "lock-1", "c2", "c2-1")
	return b.events
}

// crowded is a history of so many operations, by eight clients on four locks.
func crowded(operations int) []linearizability.Event {
	b := &book{}
	r := rand.New(rand.NewPCG(7, 7))
	var now, token int64
	for i := 0; len(b.events) < 2*operations; i++ {
		now += 2 + r.Int64N(3)
		token++
		key, client := fmt.Sprintf("lock-%d", r.IntN(4)+1), fmt.Sprintf("c%d", r.IntN(8)+1)
		hold := fmt.Sprintf("h%d", i)
		b.acquire(now, now+2, now+2000, key, client, hold, uint64(token))
		b.release(now+3, now+4, key, client, hold)
		if now += 4; i%50 == 0 {
			b.fault(now, int64(i+1), "pause", linearizability.FaultBegin, "n1")
			b.keys(now+1, key)
			b.fault(now+1, int64(i+1), "pause", linearizability.FaultEnd, "n1")
			now++
		}
	}
	return b.events
}

// resultOf judges the events as a run does.
func resultOf(t *testing.T, events []linearizability.Event) *Result {
	t.Helper()
	res := &Result{
		Version: Version, Replay: "redlock-chaos run --seed 7", Began: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Go: "go1", Platform: "linux/amd64",
		Seed: 7, Duration: scenario.Duration(time.Second), Backend: "process", Nodes: 3, Clients: 2, Keys: 1,
		Versions: map[string]string{"Redis": "7.0.15"}, Files: []string{HistoryName, ResultsFile, "schedule.json", "nodes/"},
		Params: linearizability.Params{Quorum: 2}, Faults: []Entry{{ID: 1, Kind: scenario.Freeze, Nodes: []string{"n3"}, Confirmed: true, Begin: 20e6, End: 150e6}},
		Kinds:   []KindCount{{Kind: scenario.Freeze, Planned: 1, Confirmed: 1}},
		Stories: []StoryOutcome{{Name: "raise", Why: "why", Tries: 1, Told: true}}, NodeLog: []string{"1s c1 n3: silent"}, Limits: []string{"one machine"},
	}
	var err error
	if res.Verdict, err = linearizability.Judge(events, res.Params); err != nil {
		t.Fatal(err)
	}
	if res.SecondOpinion, err = linearizability.Opine(context.Background(), events, time.Minute); err != nil {
		t.Fatal(err)
	}
	res.Tally = linearizability.TallyOf(events)
	res.Tally.Paths["raise"] = 3
	res.Word, res.ExitCode = res.SecondOpinion.Word(res.Verdict), res.SecondOpinion.ExitCode(res.Verdict)
	res.History = digestOf(t, events).Of(HistoryName)
	return res
}

func lines(t *testing.T, events []linearizability.Event) []byte {
	t.Helper()
	var out bytes.Buffer
	w := linearizability.NewWriter(&out)
	for _, e := range events {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func digestOf(t *testing.T, events []linearizability.Event) *Digest {
	d := NewDigest()
	if _, err := d.Write(lines(t, events)); err != nil {
		t.Fatal(err)
	}
	return d
}

// folder writes a run's folder.
func folder(t *testing.T, events []linearizability.Event, res *Result) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, HistoryName), lines(t, events), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteResults(dir, res); err != nil {
		t.Fatal(err)
	}
	return dir
}

// built makes the page of a run and returns the folder and the page.
func built(t *testing.T, events []linearizability.Event, res *Result) (dir, html string) {
	t.Helper()
	dir = folder(t, events, res)
	if _, err := Build(dir); err != nil {
		t.Fatal(err)
	}
	return dir, readFile(t, filepath.Join(dir, PageFile))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
