package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/linearizability"
)

func TestDialBadInput(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--seeds 0", "0"},
		{"--sweep nonsense", "nonsense"},
		{"--sweep drift --arm nonsense", "nonsense"},
		{"--arm none", "--sweep"},
		{"--sweep drift --arm none --planted no-seed", "no-seed"},
		{"more", "more"},
	} {
		var out, errs bytes.Buffer
		if code := command(context.Background(), append([]string{"dial"}, strings.Fields(c.args)...), &out, &errs); code != linearizability.ExitBadInput {
			t.Errorf("dial %s: exit %d, want 3", c.args, code)
		}
		if !strings.Contains(errs.String(), c.want) {
			t.Errorf("dial %s says %q, want it to name %q", c.args, errs.String(), c.want)
		}
	}
}

func TestDialOneArm(t *testing.T) {
	var out, errs bytes.Buffer
	code := command(context.Background(), strings.Fields("dial --sweep drift --arm default --seeds 1"), &out, &errs)
	if code != 0 || !strings.Contains(out.String(), "from 17") {
		t.Errorf("exit %d: %s%s", code, out.String(), errs.String())
	}
}
