package testenv

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	toxistream "github.com/Shopify/toxiproxy/v2/stream"
)

// Jitter comes from the seed, stays within its bounds and keeps the order.
func TestJitterIsSeeded(t *testing.T) {
	const latency, jitter = time.Second, 300 * time.Millisecond
	sent := time.Now()
	draw := func(seed uint64) []time.Duration {
		s := newStream(seed)
		defer streams.Delete(s.id)
		var delays []time.Duration
		for range 3 {
			p := s.open(nil)
			for i := range 20 {
				// Far apart, so that keeping the order changes nothing.
				at := sent.Add(time.Duration(i) * time.Hour)
				p.take(&toxistream.StreamChunk{Timestamp: at}, mode{latency: latency, jitter: jitter})
				delays = append(delays, p.waiting[i].due.Sub(at))
			}
		}
		return delays
	}
	a, b, other := draw(7), draw(7), draw(8)
	if !slices.Equal(a, b) {
		t.Errorf("the same seed draws differently:\n%v\n%v", a, b)
	}
	if slices.Equal(a, other) || slices.Equal(a[:20], a[20:40]) {
		t.Error("other seeds or connections draw the same")
	}
	if lo, hi := slices.Min(a), slices.Max(a); lo < latency-jitter || hi > latency+jitter || hi-lo < jitter {
		t.Errorf("delays are within %v and %v, want %v ± %v", lo, hi, latency, jitter)
	}
	s := newStream(7)
	defer streams.Delete(s.id)
	p := s.open(nil)
	for i := range 100 {
		p.take(&toxistream.StreamChunk{Timestamp: sent}, mode{latency: latency, jitter: jitter})
		if i > 0 && p.waiting[i].due.Before(p.waiting[i-1].due) {
			t.Fatalf("byte %d may pass before the one that was sent before it", i)
		}
	}
}

// A change of mode is made only when every present connection acts upon it.
func TestSetWaitsForPresentConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(0)
		defer streams.Delete(s.id)
		a, b := s.open(nil), s.open(nil)
		set := false
		go func() {
			s.set(func(m *mode) { m.cut = true })
			set = true
		}()
		s.see(a)
		synctest.Wait()
		if s.see(a); set {
			t.Fatal("set returned while a connection acted upon the old mode")
		}
		if m, _ := s.see(b); !m.cut {
			t.Fatal("connection does not see the new mode")
		}
		synctest.Wait()
		if !set {
			t.Fatal("set did not return although all connections act upon the new mode")
		}
		s.leave(a)
		s.leave(b)
		s.set(func(m *mode) { m.cut = false }) // waits for nobody
	})
}
