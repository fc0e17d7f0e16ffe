package reference

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/bench/subject"
	"github.com/quorumlock/quorumlock/redlock/script"
	"github.com/quorumlock/quorumlock/testenv"
)

// TestSameAnswers: on random calls the plain scripts grant the same tokens,
// refuse and free as the library's, so that comparing their cost is fair.
func TestSameAnswers(t *testing.T) {
	env, err := testenv.Start(t.Context(), testenv.Config{
		Nodes: 1, Dir: filepath.Join(t.TempDir(), "nodes"), RedisServer: testenv.Require(t), Persistence: testenv.PersistNothing,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { env.Close() })
	node := env.Nodes()[0]
	nodes := subject.Nodes{Names: []string{node.Name()}, Addrs: []string{node.DirectAddr()}}
	if err := subject.Bootstrap(t.Context(), nodes, subject.TTL); err != nil {
		t.Fatal(err)
	}
	c, err := node.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := Admit(c, subject.TTL); err != nil {
		t.Fatal(err)
	}
	member, err := subject.Admission(t.Context(), node.DirectAddr())
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	granted, busy, freed := 0, 0, 0
	for i := range 3000 {
		call := script.Call{
			Op: script.Acquire, Names: []string{fmt.Sprint("lock-", r.IntN(3))}, ID: fmt.Sprint("id-", r.IntN(4)),
			TTL: subject.TTL, Hint: uint64(i * r.IntN(2)), NotAfter: time.Now().Add(time.Hour).UnixMicro(),
		}
		switch r.IntN(6) {
		case 0, 1:
			call.Op, call.Pass = script.Release, script.Pass(r.IntN(2))
		case 2:
			call.Op, call.Token = script.Release, uint64(r.IntN(2*i+1))
		case 3:
			call.NotAfter = 1 // too late
		}
		plain := map[script.Op]string{script.Acquire: Acquire, script.Release: Release}[call.Op]
		theirs := run(t, c, plain, Eval(call))
		call.Cfg, call.Self = member.Cfg, member.Self
		ours := run(t, c, call.Op.Source(), evalArgs(call))
		if call.Op == script.Acquire {
			ours, theirs = sameShape(ours, call.Hint), sameShape(theirs, 0)
		}
		if fmt.Sprint(ours) != fmt.Sprint(theirs) {
			t.Fatalf("call %d, %+v: library %v, plain %v", i, call, ours, theirs)
		}
		switch answer := fmt.Sprint(ours); {
		case strings.HasPrefix(answer, "[1 "):
			granted++
		case strings.HasPrefix(answer, "[0 "):
			busy++
		case answer == "1":
			freed++
		}
	}
	if granted == 0 || busy == 0 || freed == 0 {
		t.Errorf("granted %d, busy %d, freed %d: too little was compared", granted, busy, freed)
	}
}

// sameShape keeps the code and the counter: what else is answered are times.
func sameShape(raw any, hint uint64) any {
	if _, ok := raw.(int64); ok {
		return []any{int64(1), int64(hint)}
	}
	elems := raw.([]any)
	if code := elems[0]; code == int64(-6) {
		return elems[:1]
	}
	return elems[:min(2, len(elems))]
}

func evalArgs(call script.Call) []any {
	keys := call.Keys()
	args := []any{len(keys)}
	for _, s := range append(keys, call.Args()...) {
		args = append(args, s)
	}
	return args
}

func run(t *testing.T, c redis.Conn, source string, args []any) any {
	t.Helper()
	raw, err := c.Do("EVAL", append([]any{source}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
