package redlock_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/quorumlock/quorumlock/redlock"
	"github.com/quorumlock/quorumlock/testenv"
)

// liveOutlive is maxttl·(1+ρ) of the clusters of these tests.
const liveOutlive = 1160 * time.Millisecond

// awaitReadmission asks for locks until the node votes again. It must not do so
// before the rejoin rule is met, counted from since.
func (l *live) awaitReadmission(client *redlock.Client, node string, since time.Time) {
	l.t.Helper()
	for i := 0; ; i++ {
		lease := l.lock(mutex(l.t, client, fmt.Sprint("await ", i), redlock.NoRenew()))
		asked := time.Now()
		<-time.After(10 * time.Millisecond) // for the answers behind the majority's
		votes := slices.Contains(lease.Nodes(), node)
		l.unlock(lease)
		if votes {
			if quiet := asked.Sub(since); quiet < liveOutlive {
				l.t.Errorf("%s voted after %v; it had to be quiet for %v", node, quiet, liveOutlive)
			}
			return
		}
		if time.Since(since) > 30*time.Second {
			l.t.Fatalf("%s was not admitted again", node)
		}
	}
}

// TestLiveWipedNodeBetweenDisjointCuts: cut C off; acquire on {A,B}; wipe B; let
// it rejoin; cut A off; acquire on {B,C}. Tokens are counted, not taken from
// the time.
func TestLiveWipedNodeBetweenDisjointCuts(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 3, Clients: []string{"c"}})
	cfg := env.config("c", 3)
	cfg.NoHint = true
	env.bootstrap(cfg)
	client := env.open(cfg)
	m := mutex(t, client, "x")

	env.cut("c", "n3")
	var before *redlock.Lease
	for range 5 {
		before = env.lock(m)
		env.unlock(before)
	}
	wiped := time.Now()
	env.must(env.node("n2").Restart(env.ctx, testenv.LoseMemory))
	if _, err := m.TryLock(env.ctx); err == nil {
		t.Error("a lock on a wiped node and a node that is cut off was granted")
	}
	env.mend("c", "n3")
	env.awaitReadmission(client, "n2", wiped)
	env.cut("c", "n1")
	after := env.lock(m)
	if after.Token() <= before.Token() {
		t.Errorf("the token fell from %v to %v", before.Token(), after.Token())
	}
	env.unlock(after)
}

// TestLiveDemotedAndPromoted never restarts the server, and takes nothing of
// its memory.
func TestLiveDemotedAndPromoted(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 3})
	cfg := env.config("", 3)
	env.bootstrap(cfg)
	client := env.open(cfg)
	env.unlock(env.lock(mutex(t, client, "warm")))
	n2 := env.node("n2")
	conn, err := n2.Dial(env.ctx)
	env.must(err)
	defer conn.Close()
	pid := n2.Pid()
	since := time.Now()
	_, err = conn.Do("REPLICAOF", "127.0.0.1", "1") // nobody answers there, so it keeps its data
	env.must(err)
	env.must(n2.Promote(env.ctx))
	known, err := redis.Int(conn.Do("EXISTS", "redlock:node"))
	if env.must(err); known != 1 || n2.Pid() != pid {
		t.Fatalf("the node lost its memory or was restarted: %d, pid %d then %d", known, pid, n2.Pid())
	}
	env.awaitReadmission(client, "n2", since)
}

// TestLiveNameMoves starts an empty server under the name of one that lives on:
// the holder still reaches the old one and a rival the new one, and but for the
// name they share no node.
func TestLiveNameMoves(t *testing.T) {
	env := startLive(t, testenv.Config{Nodes: 3, Clients: []string{"a", "b"}})
	env.bootstrap(env.config("", 3))
	var seenA, seenB events
	cfgA, cfgB := env.config("a", 3), env.config("b", 3)
	cfgA.NoHint, cfgB.NoHint = true, true
	cfgA.Observer, cfgB.Observer = &seenA, &seenB
	a, b := env.open(cfgA), env.open(cfgB)
	env.unlock(env.lock(mutex(t, b, "warm"))) // knows the cluster

	env.cut("a", "n3")
	held := env.lock(mutex(t, a, "x"))
	old, fresh, err := env.Replace(env.ctx, "n2")
	env.must(err)
	env.must(env.Route(env.ctx, "b", "n2", fresh))
	env.cut("b", "n1")
	since := time.Now()
	for time.Since(since) < 3*liveOutlive/2 { // longer than a ttl, so it is renewed meanwhile
		if l, err := mutex(t, b, "x").TryLock(env.ctx); err == nil {
			t.Fatalf("two holders: tokens %v and %v", held.Token(), l.Token())
		} else if errors.Is(err, redlock.ErrClosed) {
			t.Fatal(err)
		}
		if !held.Valid() {
			t.Fatal("the holder lost its lease while a majority of its view lived")
		}
		<-time.After(20 * time.Millisecond)
	}
	// With n1 the newcomer can be sealed in: the holder cannot prolong any
	// longer, and the rival follows.
	env.mend("b", "n1")
	l := env.lock(mutex(t, b, "x"))
	if held.Valid() || held.Context().Err() == nil {
		t.Error("two holders after the seal")
	}
	compareLosses(t, seenA.of(redlock.EventLost), eventsOf(&seenB, "x"), 1)
	env.unlock(l)
	// The old server cannot help anybody to an old token.
	for i := range 10 {
		if l, err := mutex(t, a, "x").TryLock(env.ctx); err == nil {
			t.Errorf("try %d: granted token %v by n1 and the retired server", i, l.Token())
		}
	}
	env.must(env.Route(env.ctx, "a", "n2", fresh))
	env.mend("a", "n3")
	if again := env.lock(mutex(t, a, "x")); again.Token() <= l.Token() {
		t.Errorf("token %v after %v", again.Token(), l.Token())
	}
	if !old.Running() {
		t.Error("the old server did not live on")
	}
}

// eventsOf are the acquisitions of a name.
func eventsOf(seen *events, name string) []redlock.Event {
	return slices.DeleteFunc(seen.of(redlock.EventAcquired), func(e redlock.Event) bool { return e.Name != name })
}
