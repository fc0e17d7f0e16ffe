package script

import (
	"reflect"
	"testing"
	"time"
)

func TestKeysAndArgs(t *testing.T) {
	c := Call{
		Prefix: "p:", Names: []string{"a", "b"}, ID: "id", Cfg: "cfg", Self: 2,
		TTL: 1500*time.Millisecond + 999*time.Microsecond, Hint: 1<<64 - 1, NotAfter: -7, Token: 1<<53 - 4,
		Inc: "inc", Nonce: "nonce", Renew: "renew", Mark: "mark", Floor: 9,
		MaxTTL: time.Second, Keep: 24 * time.Hour, Static: "static", Index: 3, K: 4, Entry: "e",
	}
	vote := []string{"p:redlock:node", "p:redlock:fence:1", "p:redlock:fence:0", "p:a", "p:b"}
	node := []string{"p:redlock:node"}
	for _, want := range []struct {
		op         Op
		keys, args []string
	}{
		{Acquire, vote, []string{"2 cfg", "id", "1500", "18446744073709551615", "-7"}},
		{Raise, vote, []string{"2 cfg", "id", "9007199254740988"}},
		{Extend, vote, []string{"2 cfg", "id", "9007199254740988", "1500"}},
		{Release, []string{"p:a", "p:b", "p:redlock:node", "p:redlock:fence:1", "p:redlock:fence:0"}, []string{"id", "9007199254740988"}},
		{Probe, node, []string{"nonce", "renew"}},
		{Seal, node, []string{"static", "3", "4", "e"}},
		{Prepare, node, []string{"inc", "nonce", "mark"}},
		{Admit, node, []string{"inc", "nonce", "9", "1000", "cfg", "mark", "2", "86400000"}},
		{Retire, node, []string{"inc", "nonce"}},
		{0, nil, nil},
		{99, nil, nil},
	} {
		c.Op = want.op
		if got := c.Keys(); !reflect.DeepEqual(got, want.keys) {
			t.Errorf("%v: keys %q, want %q", c.Op, got, want.keys)
		}
		if got := c.Args(); !reflect.DeepEqual(got, want.args) {
			t.Errorf("%v: args %q, want %q", c.Op, got, want.args)
		}
	}
}

func TestKeysAndArgsOfTheLine(t *testing.T) {
	place := Place{Client: "me", Number: 7, Turn: 20*time.Millisecond + 999*time.Microsecond}
	locks := []string{"p:a", "p:b"}
	vote := []string{"p:redlock:node", "p:redlock:fence:1", "p:redlock:fence:0", "p:a", "p:b"}
	for _, want := range []struct {
		call Call
		keys []string
		args []string
	}{
		{Call{Op: Acquire, Place: place}, vote, []string{"0 ", "", "0", "0", "0", "me:7:20", "p:redlock:wake:", "p:redlock:wait:a"}},
		{Call{Op: Acquire, Place: Place{Number: 1}}, vote, []string{"0 ", "", "0", "0", "0", ":1:1", "p:redlock:wake:", "p:redlock:wait:a"}},
		{Call{Op: Release, Place: place, Pass: PassUp}, locks, []string{"", "0", "p:redlock:wait:a", "p:redlock:wake:", "me:7:20", "1"}},
		{Call{Op: Release, Place: place, Pass: PassOn}, locks, []string{"", "0", "p:redlock:wait:a", "p:redlock:wake:", "me:7:20"}},
		{Call{Op: Release, Pass: PassOn}, locks, []string{"", "0", "p:redlock:wait:a", "p:redlock:wake:"}},
	} {
		c := want.call
		c.Prefix, c.Names = "p:", []string{"a", "b"}
		if got := c.Keys(); !reflect.DeepEqual(got, want.keys) {
			t.Errorf("%+v: keys %q, want %q", c, got, want.keys)
		}
		if got := c.Args(); !reflect.DeepEqual(got, want.args) {
			t.Errorf("%+v: args %q, want %q", c, got, want.args)
		}
		c.Names = nil
		if c.Lines() {
			t.Errorf("%+v has a line without a name", c)
		}
	}
	for _, c := range []Call{{Op: Acquire, Pass: PassOn}, {Op: Release, Place: place}, {Op: Extend, Place: place, Pass: PassOn}} {
		if c.Names = []string{"a"}; c.Lines() {
			t.Errorf("%+v has to do with a line", c)
		}
	}
}
