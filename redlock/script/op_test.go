package script

import (
	"crypto/sha1"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
)

func TestOpNames(t *testing.T) {
	want := []string{"acquire", "raise", "extend", "release", "probe", "seal", "prepare", "admit", "retire"}
	for i, name := range want {
		if got := (Acquire + Op(i)).String(); got != name {
			t.Errorf("op %d is %q, want %q", i+1, got, name)
		}
	}
	for _, op := range []Op{0, Retire + 1, 255} {
		if op.Source() != "" || op.SHA1() != "" || !strings.HasPrefix(op.String(), "op(") {
			t.Errorf("unknown op %d has source %q, digest %q, name %q", uint8(op), op.Source(), op.SHA1(), op)
		}
	}
}

func TestSHA1(t *testing.T) {
	seen := make(map[string]Op)
	for op := Acquire; op <= Retire; op++ {
		sum := sha1.Sum([]byte(op.Source()))
		if want := hex.EncodeToString(sum[:]); op.SHA1() != want {
			t.Errorf("%v: digest %s, want %s", op, op.SHA1(), want)
		}
		if other, found := seen[op.SHA1()]; found {
			t.Errorf("%v and %v are one text", op, other)
		}
		seen[op.SHA1()] = op
	}
}

// TestSourcesSayWhatTheyAre: each file opens with its keys, arguments and
// replies, and with the rule that it serves.
func TestSourcesSayWhatTheyAre(t *testing.T) {
	for op := Acquire; op <= Retire; op++ {
		file := read(op.String())
		comment, _, _ := strings.Cut(file, "\n\n")
		comment = regexp.MustCompile(`(?m)^[^-].*$`).ReplaceAllString(comment, "")
		for _, want := range []string{"-- " + strings.ToUpper(op.String()) + ":", "-- KEYS 1 ", "-- ARGV 1 ", "-- Rule:", "{-1}"} {
			if op == Release && want == "{-1}" {
				want = "--  -1 "
			}
			if !strings.Contains(comment, want) {
				t.Errorf("%v.lua does not open with %q", op, want)
			}
		}
	}
}

// TestScriptsTouchDeclaredKeysOnly: a server may run a script only for the keys
// that it was told of. The waiting line is the exception, for a reason that
// queue.lua gives, and no call on it may fail the script.
func TestScriptsTouchDeclaredKeysOnly(t *testing.T) {
	left := regexp.MustCompile(`(?m)^ *--- `)
	keyless := map[string]bool{"INFO": true, "TIME": true, "PUBLISH": true}
	calls := regexp.MustCompile(`\b(p?)call\('([A-Z]+)'(?:,([^,)]+))?`)
	for op := Acquire; op <= Retire; op++ {
		found := calls.FindAllStringSubmatch(op.Source(), -1)
		if n := len(regexp.MustCompile(`\bp?call\(`).FindAllString(op.Source(), -1)); n != len(found) || n == 0 {
			t.Errorf("%v: %d of %d calls could be read", op, len(found), n)
		}
		if left.MatchString(op.Source()) {
			t.Errorf("%v: a text that belongs in it was left out", op)
		}
		for _, m := range found {
			if m[3] == "line" && m[1] == "p" {
				continue
			}
			if !keyless[m[2]] && m[3] != "key" && !strings.HasPrefix(m[3], "KEYS[") {
				t.Errorf("%v: %s on %q", op, m[2], m[3])
			}
		}
	}
}
