package pipe

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gomodule/redigo/redis"

	"github.com/quorumlock/quorumlock/testenv"
)

func servers(t *testing.T, n int) (*testenv.Env, []string) {
	t.Helper()
	env, err := testenv.Start(t.Context(), testenv.Config{
		Nodes: n, Dir: filepath.Join(t.TempDir(), "nodes"), RedisServer: testenv.Require(t), Persistence: testenv.PersistNothing,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { env.Close() })
	var addrs []string
	for _, node := range env.Nodes() {
		addrs = append(addrs, node.DirectAddr())
	}
	return env, addrs
}

func dial(t *testing.T, addrs []string) *Pipe {
	t.Helper()
	p, err := Dial(addrs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func isOK(answer any) bool { return answer == "OK" }

// TestMajority: many goroutines' requests get each its own answers, and a
// majority decides, also with a minority of the servers gone.
func TestMajority(t *testing.T) {
	env, addrs := servers(t, 3)
	p := dial(t, addrs)
	if err := env.Nodes()[2].Kill(context.Background()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 200 {
				name := fmt.Sprintf("%d-%d", g, i)
				set := func(int) Request { return Command("SET", name, name, "NX") }
				if err := p.Majority(set, isOK); err != nil {
					t.Errorf("first: %v", err)
				}
				var none *MajorityError
				if err := p.Majority(set, isOK); !errors.As(err, &none) || none.Took != 0 || none.Of != 3 {
					t.Errorf("second: %v", err)
				}
				get := func(int) Request { return Command("GET", name) }
				own := func(answer any) bool { b, err := redis.String(answer, nil); return err == nil && b == name }
				if err := p.Majority(get, own); err != nil {
					t.Errorf("get: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// TestGoneServers: what can get no majority ends rather than waits.
func TestGoneServers(t *testing.T) {
	env, addrs := servers(t, 3)
	p := dial(t, addrs)
	for _, node := range env.Nodes()[:2] {
		if err := node.Kill(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		err := p.Majority(func(int) Request { return Command("SET", "k", "v") }, isOK)
		var none *MajorityError
		if !errors.As(err, &none) {
			t.Fatal(err)
		}
	}
}
