package quorum_test

import (
	"slices"
	"testing"

	"github.com/quorumlock/quorumlock/redlock/quorum"
	"pgregory.net/rapid"
)

// TestWaiterAgain lists for every reason whether waiting can help against it.
func TestWaiterAgain(t *testing.T) {
	wait, once := quorum.WaiterOptions{}, quorum.WaiterOptions{Once: true}
	clock, both := quorum.WaiterOptions{RecoverByClock: true}, quorum.WaiterOptions{Once: true, RecoverByClock: true}
	all := []quorum.WaiterOptions{wait, once, clock, both}
	waits := []quorum.WaiterOptions{wait, clock}
	none := []quorum.WaiterOptions{}
	for why, want := range map[quorum.Reason][]quorum.WaiterOptions{
		quorum.Held: waits, quorum.NoQuorum: waits, quorum.Quarantined: waits, quorum.TooSlow: waits,
		quorum.Foreign: none, quorum.ConfigDiffers: none, quorum.TTLAboveMax: none, quorum.SameServer: none, quorum.NotPrimary: none,
		quorum.NeedsOperator: {clock}, quorum.ViewChanged: all, quorum.ClusterChanged: all,
	} {
		for _, o := range all {
			w := quorum.NewWaiter(memberParams, o)
			if got := w.Again(why); got != slices.Contains(want, o) {
				t.Errorf("%v with %+v: another attempt %v", why, o, got)
			}
		}
	}
}

// TestWaiterOnce: who wants one attempt gets three at most, and the others only
// while the view or the cluster changes under it; who waits waits for ever.
func TestWaiterOnce(t *testing.T) {
	check(t, 1000, func(rt *rapid.T) {
		once := rapid.Bool().Draw(rt, "once")
		w := quorum.NewWaiter(memberParams, quorum.WaiterOptions{Once: once})
		for tries := 1; tries < 10; tries++ {
			why := among(rt, "why", quorum.ViewChanged, quorum.ViewChanged, quorum.ClusterChanged, quorum.Held, quorum.NoQuorum)
			want := !once || tries < 3 && (why == quorum.ViewChanged || why == quorum.ClusterChanged)
			if got := w.Again(why); got != want {
				rt.Fatalf("after attempt %d, %v: another one %v, want %v (once: %v)", tries, why, got, want, once)
			}
			if !want {
				return
			}
		}
	})
}
