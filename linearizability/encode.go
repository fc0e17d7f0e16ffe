package linearizability

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// wireEvent is an event as it stands in a file.
type wireEvent struct {
	Index   *int            `json:"index"`
	Time    *int64          `json:"time"`
	Process json.RawMessage `json:"process"`
	Type    Type            `json:"type"`
	F       F               `json:"f"`
	Key     string          `json:"key,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
	Error   string          `json:"error,omitempty"`
}

// MarshalJSON writes a client's process as a number and the others by name.
func (p Process) MarshalJSON() ([]byte, error) {
	switch {
	case p == Nemesis || p == Observer:
		return []byte(strconv.Quote(p.String())), nil
	case p < 0:
		return nil, fmt.Errorf("process %d is negative", int64(p))
	}
	return strconv.AppendInt(nil, int64(p), 10), nil
}

// UnmarshalJSON accepts a number from 0, "nemesis" and "observer".
func (p *Process) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case `"nemesis"`:
		*p = Nemesis
		return nil
	case `"observer"`:
		*p = Observer
		return nil
	}
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("process is %.40s, not a number from 0, \"nemesis\" or \"observer\"", data)
	}
	*p = Process(n)
	return nil
}

// MarshalJSON writes the event as one line of a history, without the newline.
func (e Event) MarshalJSON() ([]byte, error) {
	process, err := e.Process.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var value any = &e.Value
	switch {
	case e.Value.Fault != nil:
		value = e.Value.Fault
	case e.Value.Keys != nil:
		value = e.Value.Keys
	case e.Value.Stall != nil:
		value = e.Value.Stall
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(&wireEvent{Index: &e.Index, Time: &e.Time, Process: process,
		Type: e.Type, F: e.F, Key: e.Key, Value: raw, Error: e.Error})
}

// UnmarshalJSON reads one line of a history. It checks the form of the line,
// not how the line fits into its history. Fields that it does not know are
// passed over.
func (e *Event) UnmarshalJSON(data []byte) error {
	var w wireEvent
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	switch {
	case w.Index == nil:
		return errors.New(`"index" is missing`)
	case w.Time == nil:
		return errors.New(`"time" is missing`)
	case len(w.Process) == 0:
		return errors.New(`"process" is missing`)
	}
	var read Event
	if err := read.Process.UnmarshalJSON(w.Process); err != nil {
		return err
	}
	read.Index, read.Time, read.Type, read.F, read.Key, read.Error = *w.Index, *w.Time, w.Type, w.F, w.Key, w.Error
	if err := read.Value.read(read.Process, read.F, w.Value); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	*e = read
	return nil
}

// read fills in v from the value of an event of this process and function.
func (v *Value) read(p Process, f F, raw json.RawMessage) error {
	var into any = v
	switch {
	case p == Nemesis:
		v.Fault = new(Fault)
		into = v.Fault
	case p == Observer && f == SampleKeys:
		return v.readKeys(raw)
	case p == Observer && f == StallSeen:
		return v.readStall(raw)
	}
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// span is what samples and stalls have in common.
type span struct {
	From *int64 `json:"from"`
	To   *int64 `json:"to"`
}

// readSpan reads a span, both ends of which must be there.
func readSpan(raw json.RawMessage) (from, to int64, err error) {
	var s span
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &s); err != nil {
			return 0, 0, err
		}
	}
	if s.From == nil || s.To == nil {
		return 0, 0, errors.New(`"from" or "to" is missing`)
	}
	return *s.From, *s.To, nil
}

func (v *Value) readKeys(raw json.RawMessage) error {
	from, to, err := readSpan(raw)
	if err != nil {
		return err
	}
	var keys Keys
	if err := json.Unmarshal(raw, &keys); err != nil {
		return err
	}
	keys.From, keys.To = from, to
	v.Keys = &keys
	return nil
}

func (v *Value) readStall(raw json.RawMessage) error {
	from, to, err := readSpan(raw)
	if err != nil {
		return err
	}
	var stall Stall
	if err := json.Unmarshal(raw, &stall); err != nil {
		return err
	}
	stall.From, stall.To = from, to
	v.Stall = &stall
	return nil
}

// check returns an error if the values of v are out of range for an event of
// this process and function.
func (v *Value) check(p Process, f F) error {
	switch {
	case p == Nemesis:
		return v.Fault.check()
	case p == Observer && f == SampleKeys:
		return v.Keys.check()
	case p == Observer && f == StallSeen:
		return v.Stall.check()
	case v.Fault != nil || v.Keys != nil || v.Stall != nil:
		return errors.New("a fault, sample or stall on another kind of event")
	case v.Mode != "" && v.Mode != ModeRead && v.Mode != ModeWrite:
		return fmt.Errorf(`"mode" is %q, not "r" or "w"`, v.Mode)
	case v.Resource != "" && v.Resource != Fenced && v.Resource != Unfenced:
		return fmt.Errorf(`"resource" is %q, not "fenced" or "unfenced"`, v.Resource)
	case v.Permits < 0:
		return fmt.Errorf(`"permits" is %d`, v.Permits)
	case v.Token > maxToken:
		return fmt.Errorf(`"token" is %d, above 2^53`, v.Token)
	}
	return nil
}

// maxToken is the largest token that a history can carry without loss.
const maxToken = 1 << 53

func (f *Fault) check() error {
	switch {
	case f == nil:
		return errors.New("no fault on an event of the nemesis")
	case f.Phase != "" && f.Phase != FaultBegin && f.Phase != FaultEnd:
		return fmt.Errorf(`"phase" is %q, not "begin" or "end"`, f.Phase)
	}
	return nil
}

func (k *Keys) check() error {
	switch {
	case k == nil:
		return errors.New("no samples on an event that should have them")
	case len(k.Nodes) == 0:
		return errors.New(`"nodes" lists no node`)
	case k.From > k.To || k.From < 0 || k.To > maxTime:
		return fmt.Errorf(`"from" %d to %d is no time`, k.From, k.To)
	}
	return nil
}

func (s *Stall) check() error {
	switch {
	case s == nil:
		return errors.New("no stall on an event that should have one")
	case s.From > s.To || s.From < 0 || s.To > maxTime:
		return fmt.Errorf(`"from" %d to %d is no time`, s.From, s.To)
	}
	return nil
}
