package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/linearizability"
)

// say runs the command and returns what it came to.
func say(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = command(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestBadInput(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		want string // what the complaint names
	}{
		{nil, "usage"},
		{[]string{"dance"}, `"dance"`},
		{[]string{"run", "--nodes", "2"}, "nodes = 2"},
		{[]string{"run", "--nodes", "many"}, "many"},
		{[]string{"run", "--nodes", "0"}, "--nodes must be positive"},
		{[]string{"run", "--duration", "0s"}, "--duration must be positive"},
		{[]string{"run", "--duration", "3s"}, "the minimum is"},
		{[]string{"run", "--duration", "-3s"}, "duration = -3s"},
		{[]string{"run", "--clients", "1000"}, "clients = 1000"},
		{[]string{"run", "--keys", "-1"}, "keys = -1"},
		{[]string{"run", "--faults", "kill,earthquake"}, `"earthquake"`},
		{[]string{"run", "--story", "hamlet"}, "hamlet"},
		{[]string{"run", "--sed", "1"}, "-sed"},
		{[]string{"run", "now"}, `"now"`},
		{[]string{"run", "--redis-server", "/no/such/server"}, "/no/such/server"},
		{[]string{"check"}, "at least one file"},
		{[]string{"check", "/no/such/history"}, "/no/such/history"},
	} {
		code, _, stderr := say(t, c.args...)
		if code != linearizability.ExitBadInput || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit %d, %q; want 3 and %q", c.args, code, stderr, c.want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"-h"}, {"run", "-h"}, {"check", "--help"}} {
		code, stdout, stderr := say(t, args...)
		if code != 0 || !strings.Contains(stdout, "usage:") || stderr != "" {
			t.Errorf("%v: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

func TestCheck(t *testing.T) {
	const acquire = `{"index":0,"time":1,"process":0,"type":"invoke","f":"acquire","key":"k","value":{"client":"c1"}}
{"index":1,"time":2,"process":0,"type":"ok","f":"acquire","key":"k","value":{"client":"c1","hold":"c1-1","token":1,"valid_until":90}}
`
	const another = `{"index":2,"time":3,"process":1,"type":"invoke","f":"acquire","key":"k","value":{"client":"c2"}}
{"index":3,"time":50,"process":1,"type":"ok","f":"acquire","key":"k","value":{"client":"c2","hold":"c2-1","token":2,"valid_until":140}}
`
	for name, c := range map[string]struct {
		history string
		args    []string
		code    int
		want    string
	}{
		"one holder":        {acquire, nil, linearizability.ExitNoViolation, linearizability.WordNoViolation},
		"two holders":       {acquire + another, nil, linearizability.ExitViolated, "c2-1"},
		"two, by the model": {acquire + another, []string{"--model", "lease"}, linearizability.ExitViolated, linearizability.WordViolated},
		"empty":             {"", nil, linearizability.ExitUnknown, linearizability.WordUnknown},
		"torn":              {acquire + another[:20], nil, linearizability.ExitBadInput, "line 3"},
		"torn and dropped":  {acquire + another[:20], []string{"--drop-torn"}, linearizability.ExitNoViolation, linearizability.WordNoViolation},
		"no such model":     {acquire, []string{"--model", "oracle"}, linearizability.ExitBadInput, `"oracle"`},
	} {
		path := filepath.Join(t.TempDir(), "history.jsonl")
		if err := os.WriteFile(path, []byte(c.history), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := say(t, append(append([]string{"check"}, c.args...), path)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%s: exit %d, want %d; output %q %q, want %q", name, code, c.code, stdout, stderr, c.want)
		}
	}
}
