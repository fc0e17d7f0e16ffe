package script

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestAppendParams: what goes over the wire is what Keys and Args say.
func TestAppendParams(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	text := func() string { return strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(30)) }
	for range 2000 {
		c := Call{
			Op: Op(r.IntN(int(Retire) + 2)), Prefix: text(), ID: text(), Cfg: text(), Self: r.IntN(16),
			TTL: time.Duration(r.Int64()), Hint: r.Uint64(), NotAfter: r.Int64() - r.Int64(), Token: r.Uint64(),
			Pass: Pass(r.IntN(3)), Inc: text(), Nonce: text(), Renew: text(), Mark: text(), Floor: r.Uint64(),
			MaxTTL: time.Duration(r.Int64()), Keep: time.Duration(r.Int64()),
			Static: text(), Index: r.IntN(16), K: r.IntN(1000), Entry: text(),
		}
		for range r.IntN(4) {
			c.Names = append(c.Names, text())
		}
		if r.IntN(2) == 0 {
			c.Place = Place{Client: text() + text() + text(), Number: r.Uint64(), Turn: time.Duration(r.Int64())}
		}
		all := append(append([]string{fmt.Sprint(len(c.Keys()))}, c.Keys()...), c.Args()...)
		var want strings.Builder
		for _, s := range all {
			fmt.Fprintf(&want, "$%d\r\n%s\r\n", len(s), s)
		}
		got, count := c.AppendParams([]byte("before"))
		if string(got) != "before"+want.String() || count != len(all) {
			t.Fatalf("%+v\ngives %d parameters:\n%q\nwant %d:\n%q", c, count, got, len(all), "before"+want.String())
		}
	}
}

// TestDecodeValues: an answer means the same, whoever read it.
func TestDecodeValues(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	some := func() any {
		return []any{int64(r.IntN(12) - 9), r.Int64(), "text", "12", nil}[r.IntN(5)]
	}
	decoded := 0
	for range 50_000 {
		op, raw := Op(r.IntN(int(Retire)+2)), some()
		values, array := []Value{valueOf(raw)}, r.IntN(4) > 0
		if array {
			elems := make([]any, r.IntN(5))
			values = values[:0]
			for i := range elems {
				elems[i] = some()
				values = append(values, valueOf(elems[i]))
			}
			raw = elems
		}
		hint := r.Uint64N(3)
		want, wantErr := Decode(op, hint, raw)
		got, err := DecodeValues(op, hint, values, array)
		if got != want || !reflect.DeepEqual(err, wantErr) {
			t.Fatalf("%v %v: %+v, %v; want %+v, %v", op, raw, got, err, want, wantErr)
		}
		if err == nil {
			decoded++
		}
	}
	if decoded < 100 {
		t.Errorf("only %d answers were decoded", decoded)
	}
}

// TestWireCostsNoAllocation: every pair of lock and unlock comes here ten times.
func TestWireCostsNoAllocation(t *testing.T) {
	room := make([]byte, 0, 4096)
	names := []string{"orders"}
	values := []Value{{Kind: Integer, Int: 1}, {Kind: Integer, Int: 1 << 40}, {Kind: Integer, Int: 1 << 50}}
	if n := testing.AllocsPerRun(100, func() {
		c := Call{
			Op: Acquire, Prefix: "p:", Names: names, ID: "id", Cfg: "cfg", Self: 3, TTL: time.Second, Hint: 1 << 50,
			NotAfter: 1 << 50, Place: Place{Client: "client", Number: 1 << 40, Turn: time.Second},
		}
		c.AppendParams(room)
		if _, err := DecodeValues(Acquire, 1<<50, values, true); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations per call", n)
	}
}

func BenchmarkAppendParams(b *testing.B) {
	room := make([]byte, 0, 4096)
	c := Call{
		Op: Acquire, Names: []string{"orders"}, ID: "0123456789abcdef0123", Cfg: strings.Repeat("c", 70), Self: 3,
		TTL: 10 * time.Second, Hint: 1 << 50, NotAfter: 1 << 50,
	}
	for b.Loop() {
		c.AppendParams(room)
	}
}
