package linearizability

import (
	"math"
	"sort"
)

// EndedBy says what ended a claim.
type EndedBy string

// The ends of claims.
const (
	EndedByRelease  EndedBy = "release"  // its first release was invoked, whatever came of it
	EndedByLoss     EndedBy = "loss"     // the holder was told that it lost the hold
	EndedByDeadline EndedBy = "deadline" // its deadline passed
	EndedByNothing  EndedBy = ""         // it goes on to the end of the history
)

// Never is the deadline of a hold that was promised none.
const Never int64 = math.MaxInt64

// Hold is a successful acquire and the claim that its client has on the lock
// from then on. The claim covers the lines from Start up to, not including,
// End. It is empty where End is not above Start.
type Hold struct {
	Hold   string // its name in the history
	Key    string
	Client string
	ID     string // the string on the nodes, if known
	Token  Token
	Mode   Mode // ModeRead or ModeWrite

	Invoke int // index of the acquire's invocation
	Start  int // index of the acquire's return
	End    int // index of the first event that the claim does not cover; the number of events if there is none

	StartTime int64   // of the acquire's return, ns
	EndTime   int64   // when the claim ended or will end, ns; Never if nothing ends it
	Deadline  int64   // the largest that it was promised, ns, or Never
	EndedBy   EndedBy // what came first

	Released int // index of the first invocation of a release, or -1
	Lost     int // index of the first loss, or -1
}

// Empty tells whether the claim covers no line at all.
func (h *Hold) Empty() bool { return h.End <= h.Start }

// Holds returns the holds of the events in the order in which their acquires
// returned. The events must be valid: see Validate.
func Holds(events []Event) []Hold { return holdsOf(events, Ops(events)) }

func holdsOf(events []Event, ops []Op) []Hold {
	var holds []Hold
	at := map[string]int{}
	for i := range events {
		if e := &events[i]; e.Process >= 0 && e.F == Acquire && e.Type == OK {
			at[e.Value.Hold] = len(holds)
			h := Hold{Hold: e.Value.Hold, Key: e.Key, Client: e.Value.Client, ID: e.Value.ID, Token: e.Value.Token,
				Mode: e.Value.Mode, Start: i, StartTime: e.Time, Deadline: Never, Released: -1, Lost: -1}
			if e.Value.ValidUntil != nil {
				h.Deadline = *e.Value.ValidUntil
			}
			holds = append(holds, h)
		}
	}
	for i := range ops {
		if j, ok := at[ops[i].hold()]; ok {
			holds[j].apply(&ops[i])
		}
	}
	for i := range events {
		if e := &events[i]; e.Process == Observer && e.F == LostHold {
			if j, ok := at[e.Value.Hold]; ok && holds[j].Lost < 0 {
				holds[j].Lost = i
			}
		}
	}
	for i := range holds {
		holds[i].end(events)
	}
	return holds
}

// apply adds what op says about the hold that it is about.
func (h *Hold) apply(op *Op) {
	switch op.F {
	case Acquire:
		h.Invoke, h.Client = op.Invoke, op.Client
		if h.Mode == "" {
			h.Mode = op.Call.Mode
		}
		if h.Mode == "" {
			h.Mode = ModeWrite
		}
	case Extend:
		if v := op.Result.ValidUntil; op.Type == OK && v != nil && (h.Deadline == Never || *v > h.Deadline) {
			h.Deadline = *v
		}
	case Release:
		if h.Released < 0 {
			h.Released = op.Invoke
		}
	}
}

// end sets where the claim ends. The deadline stands just before the first line
// at or after it.
func (h *Hold) end(events []Event) {
	h.End, h.EndTime = len(events), h.Deadline
	if h.Deadline != Never {
		h.End = sort.Search(len(events), func(i int) bool { return events[i].Time >= h.Deadline })
		if h.End < len(events) {
			h.EndedBy = EndedByDeadline
		}
	}
	if h.Released >= 0 && h.Released < h.End {
		h.End, h.EndTime, h.EndedBy = h.Released, events[h.Released].Time, EndedByRelease
	}
	if h.Lost >= 0 && h.Lost < h.End {
		h.End, h.EndTime, h.EndedBy = h.Lost, events[h.Lost].Time, EndedByLoss
	}
}
