package quorum_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"pgregory.net/rapid"
)

// states are all the machines and what else decides, as values.
func states() []any {
	p := quorum.Params{N: 3, NodeDeadline: 50 * time.Millisecond, MaxTTL: time.Second, Drift: quorum.PPM(0.16)}
	hold := quorum.NewHold(p, quorum.Request{ID: "A", TTL: time.Second})
	waiter := quorum.NewWaiter(p, quorum.WaiterOptions{Poll: time.Second})
	learn := quorum.NewLearn(p, []string{"n1", "n2", "n3"}, "nonce")
	rejoin := quorum.NewRejoin(p, 1, quorum.Config{View: quorum.View{N: 3}}, "nonce")
	catchUp := quorum.NewCatchUp(p, 1, quorum.Config{}, quorum.Config{})
	bootstrap := quorum.NewBootstrap(p, quorum.NewCluster, []string{"n1", "n2", "n3"}, "nonce")
	members := quorum.NewMembers(p, quorum.MembersOptions{})
	return []any{&hold, &waiter, &learn, &rejoin, &catchUp, &bootstrap, &members, &quorum.NodeClock{}, &quorum.Hints{}, &quorum.Attendance{}, &quorum.Rivals{}}
}

// TestStatesArePlain: a simulator copies machines by assignment and compares
// them by their encoding, so they may share nothing with one another.
func TestStatesArePlain(t *testing.T) {
	for _, s := range states() {
		assertPlain(t, reflect.TypeOf(s).Elem(), reflect.TypeOf(s).Elem().Name())
	}
}

func assertPlain(t *testing.T, typ reflect.Type, path string) {
	switch typ.Kind() {
	case reflect.Struct:
		for i := range typ.NumField() {
			assertPlain(t, typ.Field(i).Type, path+"."+typ.Field(i).Name)
		}
	case reflect.Array:
		assertPlain(t, typ.Elem(), path+"[]")
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer:
		t.Errorf("%s is a %s: copies of a machine would share it", path, typ.Kind())
	}
}

// TestCanonicalTellsAllFieldsApart changes every field of every machine, one at
// a time, to two other values: in a new machine, and in one of which no field is
// zero. All those states must have different encodings.
func TestCanonicalTellsAllFieldsApart(t *testing.T) {
	for _, s := range states() {
		tellApart(t, s)
	}
	for _, s := range states() {
		v := reflect.ValueOf(s).Elem()
		eachLeaf(v, "", func(_ string, leaf reflect.Value) { change(leaf, 2) })
		tellApart(t, s)
	}
}

func tellApart(t *testing.T, s any) {
	v := reflect.ValueOf(s).Elem()
	seen := map[string]string{string(quorum.Canonical(nil, s)): "the state itself"}
	if byValue := quorum.Canonical(nil, v.Interface()); seen[string(byValue)] == "" {
		t.Errorf("%T has another encoding by value", s)
	}
	leaves := 0
	eachLeaf(v, v.Type().Name(), func(path string, leaf reflect.Value) {
		leaves++
		old := reflect.New(leaf.Type()).Elem()
		old.Set(leaf)
		for i := range 2 {
			if !change(leaf, i) {
				continue
			}
			code := string(quorum.Canonical(nil, s))
			if other, ok := seen[code]; ok {
				t.Errorf("%s changed (%d) has the same encoding as %s", path, i, other)
			}
			seen[code] = fmt.Sprintf("%s changed (%d)", path, i)
			leaf.Set(old)
		}
	})
	if leaves == 0 {
		t.Errorf("%T has no fields", s)
	}
}

// eachLeaf calls f with every plain field below v, made writable.
func eachLeaf(v reflect.Value, path string, f func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			eachLeaf(v.Field(i), path+"."+v.Type().Field(i).Name, f)
		}
	case reflect.Array:
		for i := range v.Len() {
			eachLeaf(v.Index(i), fmt.Sprintf("%s[%d]", path, i), f)
		}
	default:
		f(path, reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem())
	}
}

// change gives a field the i-th value that differs from what it has. It reports
// false where there is no such value.
func change(v reflect.Value, i int) bool {
	switch {
	case v.Kind() == reflect.Bool:
		if i == 1 {
			return false
		}
		v.SetBool(!v.Bool())
	case v.Kind() == reflect.String:
		v.SetString(v.String() + string(rune('a'+i)))
	case v.CanInt():
		v.SetInt(v.Int() ^ int64(32<<i))
	case v.CanUint():
		v.SetUint(v.Uint() ^ uint64(32<<i))
	default:
		panic("a state holds a " + v.Type().String())
	}
	return true
}

// TestCanonicalRefusesWhatIsNotPlain: better a panic at once than two states
// that look alike.
func TestCanonicalRefusesWhatIsNotPlain(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a state with a slice was encoded")
		}
	}()
	quorum.Canonical(nil, struct{ a []int }{[]int{1}})
}

// TestCopiesAreIndependent steps a hold and a copy of it through the same
// random events: the one that is not stepped must not change, and both must
// come to the same state by the same effects.
func TestCopiesAreIndependent(t *testing.T) {
	check(t, 500, func(rt *rapid.T) {
		d := newDrive(rt, 3)
		for range 40 {
			copied := *d.hold
			before := quorum.Canonical(nil, d.hold)
			if !bytes.Equal(before, quorum.Canonical(nil, &copied)) {
				rt.Fatal("a copy has another encoding")
			}
			step := d.draw()
			var first, second quorum.Effects
			step(&copied, &first)
			if !bytes.Equal(before, quorum.Canonical(nil, d.hold)) {
				rt.Fatal("stepping a copy changed the original")
			}
			step(d.hold, &second)
			if !bytes.Equal(quorum.Canonical(nil, d.hold), quorum.Canonical(nil, &copied)) {
				rt.Fatal("the same step led a hold and its copy to different states")
			}
			if !reflect.DeepEqual(first, second) {
				rt.Fatalf("the same step had different effects: %+v and %+v", first, second)
			}
			d.sent(second)
		}
	})
}

// drive drives one hold with random answers that no real node would have to
// give: what it does then is defined all the same.
type drive struct {
	t    *rapid.T
	p    quorum.Params
	hold *quorum.Hold
	now  quorum.Time
	cfg  quorum.Config
	air  []quorum.Call
	last quorum.Call // the last call that was sent
}

func newDrive(t *rapid.T, n int) *drive {
	d := &drive{t: t, now: quorum.Time(time.Second)}
	d.p = quorum.Params{N: n, NodeDeadline: 50 * time.Millisecond, MaxTTL: time.Second, Drift: quorum.PPM(0.16)}
	names := []string{"n1", "n2", "n3", "n4", "n5"}[:n]
	d.cfg = quorum.Config{Static: quorum.NewStatic("c", names, d.p.MaxTTL), View: quorum.View{N: n}}
	h := quorum.NewHold(d.p, quorum.Request{ID: "A", Cfg: d.cfg.String(), TTL: time.Second, Auto: rapid.Bool().Draw(t, "auto")})
	d.hold = &h
	var out quorum.Effects
	h.Start(d.now, &out)
	d.sent(out)
	return d
}

func (d *drive) sent(out quorum.Effects) {
	d.air = append(d.air, out.Calls...)
	if len(out.Calls) > 0 {
		d.last = out.Calls[len(out.Calls)-1]
	}
}

// take removes a random call from the air.
func (d *drive) take() quorum.Call {
	i := index.Draw(d.t, "call") % len(d.air)
	c := d.air[i]
	d.air = append(d.air[:i:i], d.air[i+1:]...)
	return c
}

// draw draws a step.
func (d *drive) draw() func(h *quorum.Hold, out *quorum.Effects) {
	k := index.Draw(d.t, "step")
	d.now = d.now.Add(time.Duration(percent.Draw(d.t, "µs")) * 20 * time.Microsecond)
	now := d.now
	switch {
	case k < 22 && len(d.air) > 0:
		c, r := d.take(), d.reply()
		return func(h *quorum.Hold, out *quorum.Effects) { h.Reply(now, c.Ref, r, out) }
	case k < 25 && len(d.air) > 0:
		c, notSent := d.take(), rapid.Bool().Draw(d.t, "not sent")
		return func(h *quorum.Hold, out *quorum.Effects) { h.Fail(now, c.Ref, notSent, out) }
	case k < 28:
		return func(h *quorum.Hold, out *quorum.Effects) { h.Extend(now, time.Second, out) }
	case k == 28:
		return func(h *quorum.Hold, out *quorum.Effects) { h.Unlock(now, out) }
	case k == 29:
		return func(h *quorum.Hold, out *quorum.Effects) { h.Cancel(now, out) }
	}
	return func(h *quorum.Hold, out *quorum.Effects) { h.Tick(now, out) }
}

// reply draws an answer.
func (d *drive) reply() quorum.Reply {
	cfg := d.cfg
	cfg.View.Entries[0].K = index.Draw(d.t, "view") % 3
	return quorum.Reply{
		Code:    among(d.t, "code", 1, 1, 1, 1, 2, 0, 0, -1, -2, -3, -3, -4, -5, -6, -7, -8, 3),
		Token:   uint64(1 + index.Draw(d.t, "token")%4),
		Wait:    time.Duration(index.Draw(d.t, "wait")) * time.Millisecond,
		Cfg:     cfg.String(),
		Self:    1,
		Deleted: index.Draw(d.t, "deleted") % 2,
	}
}
