package script

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func arr(elems ...any) []any {
	for i, e := range elems {
		if n, ok := e.(int); ok {
			elems[i] = int64(n)
		}
	}
	return elems
}

func TestDecode(t *testing.T) {
	ms := time.Millisecond
	for _, c := range []struct {
		op   Op
		raw  any
		want Reply
	}{
		{Acquire, arr(1, 7, 99), Reply{Code: OK, Token: 7, Now: 99}},
		{Acquire, arr(2, 7, 99), Reply{Code: Already, Token: 7, Now: 99}},
		{Acquire, arr(0, 7, 1500, 99), Reply{Token: 7, Wait: 1500 * ms, Now: 99}},
		{Acquire, arr(-1), Reply{Code: NotAdmitted}},
		{Acquire, arr(-2, 2000), Reply{Code: TTLTooLong, MaxTTL: 2000 * ms}},
		{Acquire, arr(-3, []byte("cfg"), "2"), Reply{Code: OtherConfig, Cfg: "cfg", Self: 2}},
		{Acquire, arr(-5, 3), Reply{Code: ForeignKey, Name: 3}},
		{Acquire, arr(-6, 99), Reply{Code: TooLate, Now: 99}},
		{Acquire, arr(-7), Reply{Code: OutOfRange}},
		{Raise, arr(1, 7), Reply{Code: OK, Token: 7}},
		{Raise, arr(0, 7), Reply{Token: 7}},
		{Extend, arr(1, 7), Reply{Code: OK, Token: 7}},
		{Extend, arr(2, 7), Reply{Code: Already, Token: 7}},
		{Extend, arr(0, 7, 5), Reply{Token: 7, Wait: 5 * ms}},
		{Extend, arr(-2, 2000), Reply{Code: TTLTooLong, MaxTTL: 2000 * ms}},
		{Extend, arr(-4, 7), Reply{Code: Superseded, Token: 7}},
		{Release, int64(0), Reply{Code: OK}},
		{Release, int64(3), Reply{Code: OK, Deleted: 3}},
		{Release, int64(-1), Reply{Code: NotAdmitted}},
		{
			Probe, arr(1, 1, "inc", []byte("nonce"), "8", []byte("5"), "2000", "cfg", "2", 99, "mark"),
			Reply{Code: OK, Admitted: true, Inc: "inc", Nonce: "nonce", HW: 8, Floor: 5, MaxTTL: 2000 * ms, Cfg: "cfg", Self: 2, Now: 99, Mark: "mark"},
		},
		{Seal, arr(1, "8", "cfg", "2"), Reply{Code: OK, HW: 8, Cfg: "cfg", Self: 2}},
		{Seal, arr(0, "8", "cfg", "2"), Reply{HW: 8, Cfg: "cfg", Self: 2}},
		{Seal, arr(-3, "cfg", "2"), Reply{Code: OtherConfig, Cfg: "cfg", Self: 2}},
		{Prepare, arr(1), Reply{Code: OK}},
		{Prepare, arr(0, "mark", "cfg"), Reply{Mark: "mark", Cfg: "cfg"}},
		{Admit, arr(2), Reply{Code: Already}},
		{Retire, arr(0), Reply{}},
	} {
		got, err := Decode(c.op, 0, c.raw)
		if err != nil || got != c.want {
			t.Errorf("%v %v: %+v, %v; want %+v", c.op, c.raw, got, err, c.want)
		}
	}
}

// TestDecodeHint: a plain integer says that the node assigned the hint, and can
// say so only where there was one.
func TestDecodeHint(t *testing.T) {
	for _, c := range []struct {
		op   Op
		hint uint64
		raw  any
		want Reply // zero: a *ReplyError
	}{
		{Acquire, 7, int64(99), Reply{Code: OK, Token: 7, Now: 99}},
		{Acquire, 7, arr(1, 8, 99), Reply{Code: OK, Token: 8, Now: 99}},
		{Acquire, 0, int64(99), Reply{}},
		{Acquire, 7, int64(0), Reply{}},
		{Acquire, 7, int64(-1), Reply{}},
		{Acquire, 7, "99", Reply{}},
		{Raise, 7, int64(99), Reply{}},
		{Extend, 7, int64(99), Reply{}},
	} {
		got, err := Decode(c.op, c.hint, c.raw)
		if got != c.want || (err == nil) != (c.want != Reply{}) {
			t.Errorf("%v with hint %d, %v: %+v, %v; want %+v", c.op, c.hint, c.raw, got, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		op  Op
		raw any
	}{
		{Acquire, nil},
		{Acquire, int64(1)},
		{Acquire, "OK"},
		{Acquire, []any{}},
		{Acquire, arr("1", 7, 99)},
		{Acquire, arr(1, 7)},                   // short
		{Acquire, arr(1, 7, 99, 0)},            // long
		{Acquire, arr(1, -7, 99)},              // negative
		{Acquire, arr(1, "7.5", 99)},           // no integer
		{Acquire, arr(1, 7.0, 99)},             // a RESP3 double
		{Acquire, arr(1, nil, 99)},             // null
		{Acquire, arr(1, arr(7), 99)},          // nested
		{Acquire, arr(-4, 7)},                  // not of this script
		{Acquire, arr(3)},                      // of none
		{Acquire, arr(-8)},                     // of none
		{Acquire, arr(int64(1)<<40, 7, 99)},    // of none
		{Acquire, arr(-5, 0)},                  // names count from 1
		{Acquire, arr(-3, 7, "2")},             // cfg is text
		{Acquire, arr(0, 7, int64(1)<<60, 99)}, // more than a Duration holds
		{Raise, arr(-2, 2000)},                 // RAISE has no ttl
		{Raise, arr(-6, 99)},                   // nor a not-after
		{Raise, arr(2, 7)},                     // nor repeats
		{Extend, arr(-6, 99)},                  // nor EXTEND
		{Release, arr(1)},                      // a plain integer
		{Release, int64(-2)},                   //
		{Release, int64(1) << 40},              //
		{Release, "1"},                         //
		{Probe, arr(0)},                        // a probe does not refuse
		{Probe, arr(1, 2, "", "", "0", "0", "0", "", "0", 99, "")}, // admitted is 0 or 1
		{Seal, arr(2, "8", "cfg", "2")},
		{Prepare, arr(2)},
		{Admit, arr(-3, "cfg", "2")},
		{Retire, arr(2)},
		{0, arr(1)},
		{99, arr(1)},
		{99, int64(1)},
	} {
		got, err := Decode(c.op, 0, c.raw)
		var re *ReplyError
		if !errors.As(err, &re) || re.Op != c.op || got != (Reply{}) {
			t.Errorf("%v %v: %+v, %v; want a *ReplyError", c.op, c.raw, got, err)
		}
	}
}

// TestReplyErrorIsPrintable: a hostile node must not reach the terminal, nor
// fill the log.
func TestReplyErrorIsPrintable(t *testing.T) {
	huge := strings.Repeat("x", 1<<20)
	for _, raw := range []any{"\x1b[2J" + huge, arr(1, []byte("\x1b[2J"+huge), huge), arr("\x07"), fmt.Errorf("\x1b[2J%s", huge), make([]any, 1<<16)} {
		_, err := Decode(Acquire, 0, raw)
		if err == nil {
			t.Fatalf("%T was accepted", raw)
		}
		msg := err.Error()
		if len(msg) > 400 || strings.ContainsAny(msg, "\x1b\x07\n") || !strings.Contains(msg, "acquire") {
			t.Errorf("%T: message of %d bytes: %.120q", raw, len(msg), msg)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(uint8(1), int64(1), int64(7), "99", []byte("x"))
	f.Add(uint8(5), int64(1), int64(1), "inc", []byte("nonce"))
	f.Fuzz(func(t *testing.T, op uint8, code, n int64, s string, b []byte) {
		for _, raw := range []any{code, s, b, arr(code), arr(code, n), arr(code, n, n), arr(code, n, n, s), arr(code, s, b, s), arr(code, n, s, b, s, s, s, s, s, n, b)} {
			r, err := Decode(Op(op), uint64(len(s)), raw)
			if err != nil {
				continue
			}
			if r.Wait < 0 || r.MaxTTL < 0 || r.Self < 0 || r.Now < 0 || r.Deleted < 0 || r.Code < OutOfRange || r.Code > Already {
				t.Fatalf("op %d, %v: %+v", op, raw, r)
			}
		}
	})
}
