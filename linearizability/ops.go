package linearizability

import "math"

// Op is one operation of a client: its invocation and, if there was one, its
// completion.
type Op struct {
	F       F
	Process Process
	Client  string
	Key     string

	// Type is what came of it: OK, Fail or Info. An operation that never
	// completed has Info.
	Type Type

	// Invoke and Return are indices of events. Return is -1 if the operation
	// never completed.
	Invoke, Return int

	// Start and End are the times of those, in ns. End is math.MaxInt64 if the
	// operation never completed.
	Start, End int64

	// Call is the value of the invocation, Result that of the completion. Where
	// there was none, Result is the same as Call. They are those of the events,
	// which are large, and not to be changed.
	Call, Result *Value
}

// Ops pairs the invocations of the events with their completions, in the order
// of the invocations. The events must be valid: see Validate.
func Ops(events []Event) []Op {
	ops := make([]Op, 0, len(events)/2)
	open := map[Process]int{}
	for i := range events {
		e := &events[i]
		if e.Process < 0 {
			continue
		}
		if e.Type == Invoke {
			open[e.Process] = len(ops)
			ops = append(ops, Op{F: e.F, Process: e.Process, Client: e.Value.Client, Key: e.Key, Type: Info,
				Invoke: i, Return: -1, Start: e.Time, End: math.MaxInt64, Call: &e.Value, Result: &e.Value})
			continue
		}
		op := &ops[open[e.Process]]
		op.Type, op.Return, op.End, op.Result = e.Type, i, e.Time, &e.Value
	}
	return ops
}

// hold returns the hold that the operation is about, or "".
func (o *Op) hold() string {
	if o.Call.Hold != "" {
		return o.Call.Hold
	}
	return o.Result.Hold
}
