package redlock

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

func TestLatencyBuckets(t *testing.T) {
	for d, want := range map[time.Duration]int{
		-1: 0, 0: 0, 100 * time.Microsecond: 0, 100*time.Microsecond + 1: 1, 200 * time.Microsecond: 1,
		LatencyBound(14): 14, LatencyBound(14) + 1: 15, time.Hour: 15, LatencyBound(15): 15,
	} {
		if got := bucket(d); got != want {
			t.Errorf("%v is in bucket %d, want %d", d, got, want)
		}
	}
	if b := LatencyBound(14); b != 1638400*time.Microsecond {
		t.Errorf("the largest bound is %v", b)
	}
}

func TestLatencyQuantile(t *testing.T) {
	var l Latency
	if q := l.Quantile(0.5); q != 0 {
		t.Errorf("the median of nothing is %v", q)
	}
	l[0], l[3], l[15] = 50, 49, 1
	for q, want := range map[float64]int{-1: 0, 0: 0, 0.49: 0, 0.5: 3, 0.98: 3, 0.99: 15, 1: 15, 2: 15} {
		if got := l.Quantile(q); got != LatencyBound(want) {
			t.Errorf("the %v-quantile is %v, want %v", q, got, LatencyBound(want))
		}
	}
}

// Each error of a call counts as what it says itself, not as its cause.
func TestErrorsAreCountedByKind(t *testing.T) {
	server := &ServerError{Code: "WRONGPASS", Message: "WRONGPASS no"}
	for _, c := range []struct {
		err  error
		want CallErrors
	}{
		{&OverloadError{Cause: server}, CallErrors{Overload: 1}},
		{&DownError{Cause: server}, CallErrors{Down: 1}},
		{&UnsentError{Cause: server}, CallErrors{Unsent: 1}},
		{fmt.Errorf("elsewhere: %w", script.ErrNotSent), CallErrors{Unsent: 1}},
		{server, CallErrors{Server: 1}},
		{&ServerError{Code: "LOADING", Message: "LOADING"}, CallErrors{Server: 1}},
		{&UnsupportedError{}, CallErrors{Server: 1}},
		{&ProtocolError{}, CallErrors{Protocol: 1}},
		{&script.ReplyError{}, CallErrors{Protocol: 1}},
		{&ConnectionError{}, CallErrors{Unknown: 1}},
		{errors.New("any"), CallErrors{Unknown: 1}},
	} {
		var s callStats
		s.start()
		s.end(time.Second, time.Millisecond, c.err)
		want := NodeStats{Name: "n", Started: 1, Errors: c.want}
		if got := s.read("n"); !reflect.DeepEqual(got, want) {
			t.Errorf("%T: %+v, want %+v", c.err, got, want)
		}
	}
	var s callStats
	s.start()
	s.start()
	s.start()
	s.end(2*time.Millisecond, 2*time.Millisecond, nil)
	s.end(3*time.Millisecond, 2*time.Millisecond, nil)
	want := NodeStats{Name: "n", Started: 3, Answered: 2, Late: 1, Open: 1, Latency: Latency{5: 2}}
	if got := s.read("n"); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestNodeStateNames(t *testing.T) {
	seen := map[string]bool{}
	for s := NodeUnknown; s <= NodeDown; s++ {
		if seen[s.String()] {
			t.Errorf("%d is called %s as well", s, s)
		}
		seen[s.String()] = true
	}
	if s := NodeState(99).String(); s != "unknown" {
		t.Errorf("an unknown state is called %s", s)
	}
}
