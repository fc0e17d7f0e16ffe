package sim

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var seed = flag.Uint64("parts-seed", 1, "seed of the random tests of single parts")

// A clock never runs backwards but by a jump, and when is where read gets there.
func TestClock(t *testing.T) {
	t.Logf("replay with -parts-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 1))
	for range 2000 {
		c := clock{since: r.Int64N(1e12), reads: r.Int64N(1e18), rate: r.Int64N(1_000_000) - 500_000}
		at := c.since
		for range 20 {
			before := c.read(at)
			at += r.Int64N([]int64{3, 1e6, 1e13}[r.IntN(3)])
			v := c.read(at)
			if v < before {
				t.Fatalf("%+v reads %d at %d, and %d before", c, v, at, before)
			}
			when := c.when(v)
			if when > at || c.read(when) < v || when > c.since && c.read(when-1) >= v {
				t.Fatalf("%+v reads %d at %d, and when says %d", c, v, at, when)
			}
		}
		want := c.read(at)
		if c.run(at, 7); c.read(at) != want {
			t.Fatal("a new rate made the clock jump")
		}
		if c.jump(at, -5e9); c.read(at) != want-5e9 {
			t.Fatal("the clock did not jump back")
		}
	}
	c := clock{rate: 100_000}
	if d := c.read(int64(10 * time.Second)); d != int64(11*time.Second) {
		t.Errorf("10%% fast, 10s are %v", time.Duration(d))
	}
}

// The queue gives events by time, and those of one time as they were planned.
func TestQueue(t *testing.T) {
	t.Logf("replay with -parts-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 2))
	for range 300 {
		var q queue
		var model []event
		seq := uint64(0)
		for range 200 {
			if len(model) == 0 || r.IntN(5) < 3 {
				seq++
				e := event{at: r.Int64N(20), seq: seq}
				q.push(e)
				model = append(model, e)
				continue
			}
			i := 0
			for j := range model {
				if model[j].before(&model[i]) {
					i = j
				}
			}
			if got := q.pop(); got != model[i] {
				t.Fatalf("got %+v, want %+v", got, model[i])
			}
			model = slices.Delete(model, i, i+1)
		}
	}
}

// Streams of different things have nothing in common, nor have their parts.
func TestStreams(t *testing.T) {
	seen := map[uint64]string{}
	for i := range uint64(50) {
		a := stream(mix(i))
		for j := range uint64(50) {
			for name, x := range map[string]uint64{"at": a.at(j), "sub": a.sub(j).at(0), "named": a.named(string(rune('a' + j))).at(0)} {
				if other, twice := seen[x]; twice {
					t.Fatalf("%s of %d, %d is that of %s too", name, i, j, other)
				}
				seen[x] = name
			}
		}
	}
	low, high := 0, 0
	for i := range uint64(10_000) {
		switch v := within(stream(1).at(i), 10, 12); v {
		case 10:
			low++
		case 12:
			high++
		case 11:
		default:
			t.Fatalf("%d is not from 10 to 12", v)
		}
	}
	if low < 3000 || high < 3000 {
		t.Errorf("of 10000 numbers 10 to 12, %d are 10 and %d are 12", low, high)
	}
}

// The digest tells numbers apart, and their order.
func TestDigest(t *testing.T) {
	seen := map[[32]byte]bool{}
	for _, add := range []func(d *digest){
		func(*digest) {},
		func(d *digest) { d.add(0) }, func(d *digest) { d.add(1) },
		func(d *digest) { d.add(1); d.add(2) }, func(d *digest) { d.add(2); d.add(1) },
	} {
		d := newDigest()
		add(&d)
		if seen[d.sum()] {
			t.Error("two different things have one digest")
		}
		seen[d.sum()] = true
	}
}
