package redlocktest_test

import (
	"testing"

	"github.com/quorumlock/quorumlock/redlock/redlocktest"
)

func TestLock(t *testing.T) {
	const second = 1_000_000 // µs
	s := redlocktest.NewState("inc")
	s.Set("p:a", "id", 500, 10*second)
	s.Set("p:b", "forever", 0, 10*second)
	s.SetList("p:c", "x", 500, 10*second)
	for _, c := range []struct {
		name string
		at   int64
		id   string
		ttl  int64
		ok   bool
	}{
		{"a", 10 * second, "id", 500, true},
		{"a", 10*second + 200_000, "id", 300, true},
		{"a", 11 * second, "", 0, false}, // expired
		{"b", 11 * second, "forever", -1, true},
		{"c", 10 * second, "", 0, false}, // no lock, for it is a list
		{"d", 10 * second, "", 0, false},
	} {
		if id, ttl, ok := s.Lock("p:", c.name, c.at); id != c.id || ttl != c.ttl || ok != c.ok {
			t.Errorf("Lock of %s at %d = %q, %d, %v; want %q, %d, %v", c.name, c.at, id, ttl, ok, c.id, c.ttl, c.ok)
		}
	}
}
