package linearizability

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// ms is the unit of time in the tests' histories.
const ms = int64(1_000_000)

// parse makes events of a compact notation, one a line; times are in ms.
//
//	TIME PROCESS TYPE F KEY field=value…      a client's; its client is "c" and the process unless given
//	TIME observer lost KEY field=value…
//	TIME observer keys FROM TO node:key=id,… node:-   (- is a node without admission; node:!key has no ttl)
//	TIME observer stall FROM TO client…
//	TIME nemesis F PHASE ID client…
func parse(t testing.TB, text string) []Event {
	t.Helper()
	var events []Event
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		e := Event{Index: len(events), Time: parseTime(t, w[0]), Type: Info}
		switch w[1] {
		case "nemesis":
			e.Process, e.F = Nemesis, F(w[2])
			id, err := strconv.ParseInt(w[4], 10, 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			e.Value.Fault = &Fault{ID: id, Phase: w[3], Clients: append([]string(nil), w[5:]...), Confirmed: true}
		case "observer":
			e.Process, e.F = Observer, F(w[2])
			parseObserved(t, &e, w)
		default:
			n, err := strconv.Atoi(w[1])
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			e.Process, e.Type, e.F, e.Key = Process(n), Type(w[2]), F(w[3]), w[4]
			e.Value.Client = "c" + w[1]
			parseFields(t, &e.Value, w[5:])
		}
		events = append(events, e)
	}
	return events
}

func parseObserved(t testing.TB, e *Event, w []string) {
	t.Helper()
	switch e.F {
	case LostHold:
		e.Key = w[3]
		parseFields(t, &e.Value, w[4:])
	case StallSeen:
		e.Value.Stall = &Stall{From: parseTime(t, w[3]), To: parseTime(t, w[4]), Clients: append([]string(nil), w[5:]...)}
	case SampleKeys:
		k := &Keys{From: parseTime(t, w[3]), To: parseTime(t, w[4]), Nodes: map[string]NodeSample{}}
		for _, node := range w[5:] {
			name, keys, _ := strings.Cut(node, ":")
			n := NodeSample{Admitted: keys != "-", NoTTL: []string{}}
			for pair := range strings.SplitSeq(strings.TrimPrefix(keys, "-"), ",") {
				if eternal, ok := strings.CutPrefix(pair, "!"); ok {
					n.NoTTL = append(n.NoTTL, eternal)
				} else if key, id, ok := strings.Cut(pair, "="); ok {
					if n.Keys == nil {
						n.Keys = map[string]string{}
					}
					n.Keys[key] = id
				}
			}
			k.Nodes[name] = n
		}
		e.Value.Keys = k
	default:
		t.Fatalf("observer's f %q", e.F)
	}
}

func parseFields(t testing.TB, v *Value, fields []string) {
	t.Helper()
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		var n int64
		if strings.Contains(" token n permits ", " "+name+" ") {
			var err error
			if n, err = strconv.ParseInt(value, 10, 64); err != nil {
				t.Fatalf("%q: %v", field, err)
			}
		}
		switch name {
		case "client":
			v.Client = value
		case "hold":
			v.Hold = value
		case "id":
			v.ID = value
		case "mode":
			v.Mode = Mode(value)
		case "resource":
			v.Resource = Resource(value)
		case "until":
			until := parseTime(t, value)
			v.ValidUntil = &until
		case "token":
			v.Token = tokenOf(n)
		case "n":
			v.N = &n
		case "refused":
			no := false
			v.Accepted = &no
		default:
			t.Fatalf("unknown field %q", field)
		}
	}
}

func parseTime(t testing.TB, s string) int64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatalf("time %q: %v", s, err)
	}
	return int64(f * float64(ms))
}

// show prints events for a failure.
func show(events []Event) string {
	var b strings.Builder
	for _, e := range events {
		line, err := e.MarshalJSON()
		fmt.Fprintf(&b, "%s %v\n", line, err)
	}
	return b.String()
}
