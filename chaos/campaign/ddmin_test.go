package campaign

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func never() bool { return false }

// Whatever set of elements is needed, exactly that is left.
func TestDdminKeepsWhatIsNeeded(t *testing.T) {
	const seed = 1
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 300 {
		n := r.IntN(60)
		var need []int
		for i := range n {
			if r.IntN(8) == 0 {
				need = append(need, i)
			}
		}
		fails := func(keep []int) bool {
			return !slices.ContainsFunc(need, func(i int) bool { return !slices.Contains(keep, i) })
		}
		if got := ddmin(n, fails, never); !slices.Equal(got, need) {
			t.Fatalf("seed %d, round %d: kept %v of %d, need %v", seed, round, got, n, need)
		}
	}
}

// Where several parts would do, and parts hinder each other, what is left fails
// and cannot do without any element.
func TestDdminIsOneMinimal(t *testing.T) {
	const seed = 2
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 200 {
		n := 1 + r.IntN(24)
		salt := r.Uint64()
		fails := func(keep []int) bool {
			if len(keep) == n {
				return true
			}
			h := salt
			for _, i := range keep {
				h = (h ^ uint64(i+1)) * 0x9E3779B97F4A7C15
			}
			return h>>62 == 0 // a quarter of all parts, at random
		}
		got := ddmin(n, fails, never)
		if !fails(got) || !slices.IsSorted(got) {
			t.Fatalf("seed %d, round %d: %v does not fail", seed, round, got)
		}
		for i := range got {
			if fails(slices.Concat(got[:i], got[i+1:])) {
				t.Errorf("seed %d, round %d: %v fails without %d too", seed, round, got, got[i])
			}
		}
	}
}

func TestDdminIsCheapAndStops(t *testing.T) {
	asked := 0
	ddmin(4096, func(keep []int) bool { asked++; return slices.Contains(keep, 17) }, never)
	if asked > 60 {
		t.Errorf("one element of 4096 took %d questions", asked)
	}
	asked = 0
	got := ddmin(64, func(keep []int) bool { asked++; return slices.Contains(keep, 0) && slices.Contains(keep, 63) }, func() bool { return asked >= 3 })
	if asked != 3 || !slices.Contains(got, 0) || !slices.Contains(got, 63) {
		t.Errorf("stopped after %d questions with %v", asked, got)
	}
}
