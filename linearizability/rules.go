package linearizability

import "fmt"

// Reason is the rule that a history breaks.
type Reason string

// The reasons.
const (
	ReasonLineTooLong  Reason = "line too long"
	ReasonTornLine     Reason = "truncated last line"
	ReasonMalformed    Reason = "malformed line"
	ReasonIndex        Reason = "index out of sequence"
	ReasonTime         Reason = "time runs backwards"
	ReasonType         Reason = "unknown type"
	ReasonF            Reason = "unknown f"
	ReasonValue        Reason = "value missing or out of range"
	ReasonNoInvoke     Reason = "completion without its invoke"
	ReasonTwoOpen      Reason = "two open operations on one process"
	ReasonProcessEnded Reason = "process used again after info"
	ReasonHoldTwice    Reason = "hold acquired twice"
	ReasonFault        Reason = "fault's begin and end do not pair"
)

// HistoryError says where a history breaks its own rules, and which. Such a
// history is not judged.
type HistoryError struct {
	Line   int    // counted from 1, which is one more than the event's index should be
	Reason Reason // the rule
	Detail string // what was there instead
}

// Error names the line, the reason and what was found.
func (e *HistoryError) Error() string {
	return fmt.Sprintf("history: line %d: %s: %s", e.Line, e.Reason, e.Detail)
}

// maxTime is the latest time in ns that a run may last: enough for a century,
// and so far from the largest integer that deadlines can be added to it.
const maxTime = 1 << 62

// rules checks events one after another, each in O(1).
type rules struct {
	line  int   // of the last event, counted from 1
	time  int64 // of the last event
	open  map[Process]opened
	ended map[Process]bool
	holds map[string]int // hold → line of its acquire
	fault map[int64]F    // the faults begun and not ended, by their ids
}

// opened is what a completion must agree with.
type opened struct {
	line              int
	f                 F
	key, client, hold string
}

func newRules() *rules {
	return &rules{open: map[Process]opened{}, ended: map[Process]bool{},
		holds: map[string]int{}, fault: map[int64]F{}}
}

// Validate returns a *HistoryError for the first event that breaks a rule of
// histories. Reader and Judge do this by themselves.
func Validate(events []Event) error {
	r := newRules()
	for i := range events {
		if err := r.next(&events[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *rules) refuse(reason Reason, format string, args ...any) error {
	return &HistoryError{Line: r.line, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// next checks e, the event after those that it was given before.
func (r *rules) next(e *Event) error {
	r.line++
	switch {
	case e.Index != r.line-1:
		return r.refuse(ReasonIndex, "index is %d, want %d", e.Index, r.line-1)
	case e.Time < 0 || e.Time > maxTime:
		return r.refuse(ReasonTime, "time is %d", e.Time)
	case e.Time < r.time:
		return r.refuse(ReasonTime, "time is %d after %d", e.Time, r.time)
	case e.Process < 0 && e.Process != Nemesis && e.Process != Observer:
		return r.refuse(ReasonMalformed, "process is %d", int64(e.Process))
	}
	r.time = e.Time
	if err := e.Value.check(e.Process, e.F); err != nil {
		return r.refuse(ReasonValue, "%v", err)
	}
	switch e.Process {
	case Nemesis:
		return r.nemesis(e)
	case Observer:
		return r.observer(e)
	}
	return r.client(e)
}

func (r *rules) nemesis(e *Event) error {
	switch {
	case e.Type != Info:
		return r.refuse(ReasonType, "type is %q on an event of the nemesis, want \"info\"", e.Type)
	case e.F == "":
		return r.refuse(ReasonF, "the fault has no name")
	}
	id := e.Value.Fault.ID
	begun, open := r.fault[id]
	switch {
	case e.Value.Fault.Phase == FaultEnd && (!open || begun != e.F):
		return r.refuse(ReasonFault, "%s %d ends and had not begun", e.F, id)
	case e.Value.Fault.Phase == FaultEnd:
		delete(r.fault, id)
	case id != 0 && open:
		return r.refuse(ReasonFault, "%s %d begins while %s %d goes on", e.F, id, begun, id)
	default:
		r.fault[id] = e.F
	}
	return nil
}

func (r *rules) observer(e *Event) error {
	switch {
	case e.F != LostHold && e.F != SampleKeys && e.F != StallSeen:
		return r.refuse(ReasonF, "f is %q on an event of the observer", e.F)
	case e.Type != Info:
		return r.refuse(ReasonType, "type is %q on an event of the observer, want \"info\"", e.Type)
	case e.F == LostHold && (e.Key == "" || e.Value.Client == "" || e.Value.Hold == ""):
		return r.refuse(ReasonValue, "a loss without its key, client or hold")
	}
	return nil
}

func (r *rules) client(e *Event) error {
	switch e.F {
	case Acquire, Extend, Release, Stamp, Read, Write:
	default:
		return r.refuse(ReasonF, "f is %q on an event of a client", e.F)
	}
	if e.Key == "" {
		return r.refuse(ReasonValue, "no key")
	}
	switch e.Type {
	case Invoke:
		return r.invoke(e)
	case OK, Fail, Info:
		return r.complete(e)
	}
	return r.refuse(ReasonType, "type is %q", e.Type)
}

func (r *rules) invoke(e *Event) error {
	if r.ended[e.Process] {
		return r.refuse(ReasonProcessEnded, "process %v", e.Process)
	}
	if o, open := r.open[e.Process]; open {
		return r.refuse(ReasonTwoOpen, "process %v invokes %s while its %s of line %d is open", e.Process, e.F, o.f, o.line)
	}
	if e.Value.Client == "" {
		return r.refuse(ReasonValue, "no client")
	}
	r.open[e.Process] = opened{r.line, e.F, e.Key, e.Value.Client, e.Value.Hold}
	return nil
}

func (r *rules) complete(e *Event) error {
	o, open := r.open[e.Process]
	switch {
	case !open && r.ended[e.Process]:
		return r.refuse(ReasonProcessEnded, "process %v", e.Process)
	case !open:
		return r.refuse(ReasonNoInvoke, "process %v has no open operation", e.Process)
	case e.F != o.f || e.Key != o.key:
		return r.refuse(ReasonNoInvoke, "%s of %q completes, but process %v has %s of %q open since line %d",
			e.F, e.Key, e.Process, o.f, o.key, o.line)
	case e.Value.Client != "" && e.Value.Client != o.client:
		return r.refuse(ReasonNoInvoke, "client is %q, but %q at the invoke in line %d", e.Value.Client, o.client, o.line)
	case e.F != Acquire && e.Value.Hold != "" && o.hold != "" && e.Value.Hold != o.hold:
		return r.refuse(ReasonNoInvoke, "hold is %q, but %q at the invoke in line %d", e.Value.Hold, o.hold, o.line)
	}
	delete(r.open, e.Process)
	if e.Type == Info {
		r.ended[e.Process] = true
	}
	if e.F != Acquire || e.Type != OK {
		return nil
	}
	if e.Value.Hold == "" {
		return r.refuse(ReasonValue, "an acquire is ok and names no hold")
	}
	if before, twice := r.holds[e.Value.Hold]; twice {
		return r.refuse(ReasonHoldTwice, "hold %q was acquired in line %d", e.Value.Hold, before)
	}
	r.holds[e.Value.Hold] = r.line
	return nil
}
