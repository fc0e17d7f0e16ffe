package linearizability

import (
	"encoding/json"
	"strconv"
)

// appendEvent appends the line of e to b, the same bytes as MarshalJSON makes.
// The values of faults, samples and stalls are left to encoding/json.
func appendEvent(b []byte, e *Event) ([]byte, error) {
	b = strconv.AppendInt(append(b, `{"index":`...), int64(e.Index), 10)
	b = strconv.AppendInt(append(b, `,"time":`...), e.Time, 10)
	process, err := e.Process.MarshalJSON()
	if err != nil {
		return nil, err
	}
	b = append(append(b, `,"process":`...), process...)
	b = appendText(b, `,"type":`, string(e.Type))
	b = appendText(b, `,"f":`, string(e.F))
	if e.Key != "" {
		b = appendText(b, `,"key":`, e.Key)
	}
	b = append(b, `,"value":`...)
	var value any
	switch v := &e.Value; {
	case v.Fault != nil:
		value = v.Fault
	case v.Keys != nil:
		value = v.Keys
	case v.Stall != nil:
		value = v.Stall
	}
	if value == nil {
		b = appendValue(b, &e.Value)
	} else {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		b = append(b, raw...)
	}
	if e.Error != "" {
		b = appendText(b, `,"error":`, e.Error)
	}
	return append(b, '}'), nil
}

// appendValue appends the value of a client's event or of a loss, without the
// fields that say nothing.
func appendValue(b []byte, v *Value) []byte {
	start := len(b)
	text := func(name, s string) {
		if s != "" {
			b = appendText(b, name, s)
		}
	}
	text(`,"client":`, v.Client)
	text(`,"hold":`, v.Hold)
	text(`,"id":`, v.ID)
	if v.Token != 0 {
		b = strconv.AppendUint(append(b, `,"token":`...), uint64(v.Token), 10)
	}
	if v.ValidUntil != nil {
		b = strconv.AppendInt(append(b, `,"valid_until":`...), *v.ValidUntil, 10)
	}
	if v.Permits != 0 {
		b = strconv.AppendInt(append(b, `,"permits":`...), int64(v.Permits), 10)
	}
	text(`,"mode":`, string(v.Mode))
	text(`,"resource":`, string(v.Resource))
	if v.N != nil {
		b = strconv.AppendInt(append(b, `,"n":`...), *v.N, 10)
	}
	if v.Accepted != nil {
		b = strconv.AppendBool(append(b, `,"accepted":`...), *v.Accepted)
	}
	if len(b) == start {
		return append(b, "{}"...)
	}
	b[start] = '{' // in place of the first comma
	return append(b, '}')
}

// appendText appends name and then s as JSON.
func appendText(b []byte, name, s string) []byte {
	b = append(b, name...)
	for i := range len(s) {
		if c := s[i]; !unescaped[c] || c == '<' || c == '>' || c == '&' {
			raw, _ := json.Marshal(s) // never fails on a string
			return append(b, raw...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
