package fencing_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/quorumlock/quorumlock/fencing"
)

var seed = flag.Uint64("seed", 1, "seed of the random tests")

func TestDoAcceptsTokensThatDoNotFall(t *testing.T) {
	var g fencing.Guard
	for _, step := range []struct {
		token   fencing.Token
		want    error
		highest fencing.Token
	}{
		{0, fencing.ErrToken, 0},
		{5, nil, 5},
		{5, nil, 5}, // the holder's own retry
		{4, fencing.ErrStale, 5},
		{7, nil, 7},
		{5, fencing.ErrStale, 7},
		{fencing.Max + 1, fencing.ErrToken, 7},
		{0, fencing.ErrToken, 7},
		{fencing.Max, nil, fencing.Max},
	} {
		ran := false
		err := g.Do("r", step.token, func() error { ran = true; return nil })
		if !errors.Is(err, step.want) || ran != (step.want == nil) {
			t.Errorf("Do with %v: error %v, write ran: %v; want error %v", step.token, err, ran, step.want)
		}
		if h := g.Highest("r"); h != step.highest {
			t.Errorf("after %v the highest token is %v, want %v", step.token, h, step.highest)
		}
	}
}

func TestErrorsNameEverything(t *testing.T) {
	var g fencing.Guard
	if err := g.Stamp("r", 9); err != nil {
		t.Fatal(err)
	}
	var stale *fencing.StaleError
	if err := g.Stamp("r", 3); !errors.As(err, &stale) || *stale != (fencing.StaleError{Resource: "r", Token: 3, Highest: 9}) {
		t.Errorf("a stale stamp returned %#v", err)
	}
	var bad *fencing.TokenError
	if err := g.Stamp("r", 0); !errors.As(err, &bad) || *bad != (fencing.TokenError{Resource: "r"}) {
		t.Errorf("a stamp without token returned %#v", err)
	}
}

func TestResourcesAreIndependent(t *testing.T) {
	var g fencing.Guard
	if err := errors.Join(g.Stamp("a", 9), g.Stamp("b", 3), g.Stamp("", 1)); err != nil {
		t.Fatal(err)
	}
	if a, b, none := g.Highest("a"), g.Highest("b"), g.Highest("never seen"); a != 9 || b != 3 || none != 0 {
		t.Errorf("highest tokens: %v, %v, %v; want 9, 3, 0", a, b, none)
	}
}

func TestFailedWriteKeepsItsToken(t *testing.T) {
	var g fencing.Guard
	broken := errors.New("disk full")
	if err := g.Do("r", 5, func() error { return broken }); err != broken {
		t.Errorf("the write's error came back as %v", err)
	}
	if err := g.Stamp("r", 4); !errors.Is(err, fencing.ErrStale) {
		t.Errorf("an older holder was accepted after a failed write: %v", err)
	}
	if err := g.Stamp("r", 5); err != nil {
		t.Errorf("the holder's retry was refused: %v", err)
	}
}

func TestPanicReleasesTheResource(t *testing.T) {
	var g fencing.Guard
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("recovered %v", v)
			}
		}()
		_ = g.Do("r", 5, func() error { panic("boom") })
	}()
	// With the lock still held this would not return.
	if err := g.Stamp("r", 5); err != nil {
		t.Error(err)
	}
	if err := g.Stamp("r", 4); !errors.Is(err, fencing.ErrStale) {
		t.Errorf("an older holder was accepted after a panic: %v", err)
	}
}

// A slow write holds up writes of its own resource, and nothing else. Where it
// held up anything else, the test would not end.
func TestSlowWrite(t *testing.T) {
	var (
		g       fencing.Guard
		order   []string // guarded by g
		started = make(chan struct{})
		finish  = make(chan struct{})
		errs    = make(chan error)
	)
	go func() {
		errs <- g.Do("r", 5, func() error {
			close(started)
			<-finish
			order = append(order, "slow")
			return nil
		})
	}()
	<-started
	if err := g.Stamp("other", 1); err != nil {
		t.Error(err)
	}
	if err := g.Stamp("r", 4); !errors.Is(err, fencing.ErrStale) {
		t.Errorf("an older token got %v", err)
	}
	if h := g.Highest("r"); h != 5 {
		t.Errorf("the highest token during the write is %v, want 5", h)
	}

	go func() {
		errs <- g.Do("r", 6, func() error { order = append(order, "next"); return nil })
	}()
	close(finish)
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Error(err)
	}
	if fmt.Sprint(order) != "[slow next]" {
		t.Errorf("the writes ended in the order %v", order)
	}
}

// Writes that are accepted never go back to an older token, and never overlap.
func TestAcceptedWritesAreInOrder(t *testing.T) {
	t.Logf("replay with -seed %d", *seed)
	var (
		g    fencing.Guard
		wg   sync.WaitGroup
		last [3]fencing.Token // guarded by g: the race detector sees a write that overlaps
	)
	for i := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(*seed, uint64(i)))
			for n := range 2000 {
				k := rnd.IntN(len(last))
				token := fencing.Token(1 + n + rnd.IntN(50))
				err := g.Do(fmt.Sprint(k), token, func() error {
					if token < last[k] {
						t.Errorf("a write with %v was accepted after %v", token, last[k])
					}
					last[k] = token
					runtime.Gosched() // so that others wait for the resource
					return nil
				})
				if err != nil && !errors.Is(err, fencing.ErrStale) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for k, token := range last {
		if h := g.Highest(fmt.Sprint(k)); h != token {
			t.Errorf("the last accepted write of %d carried %v, the highest token is %v", k, token, h)
		}
	}
}
