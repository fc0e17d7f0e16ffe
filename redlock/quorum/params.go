package quorum

import (
	"math"
	"time"
)

// MaxNodes is the largest number of nodes that a cluster may have.
const MaxNodes = 15

const (
	// Delta is subtracted from every validity besides drift: it covers the
	// granularity of Redis's expiry, which is one millisecond, and of its
	// clock.
	Delta = 2 * time.Millisecond
	// LossMargin is how long before its deadline a lease is given up, so that
	// a timer that fires late still fires before the deadline.
	LossMargin = 10 * time.Millisecond
)

// Time is a moment on the client's clock, in nanoseconds.
type Time int64

// Never is later than every moment.
const Never Time = math.MaxInt64

// Add returns the moment d after t.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Drift is ρ in parts per million: by how much the rates of two clocks may
// differ.
type Drift int64

// PPM converts ρ, a fraction in [0,1), and rounds up.
func PPM(rho float64) Drift { return Drift(math.Ceil(rho * 1e6)) }

// Params are the constants of a cluster as a client sees it.
type Params struct {
	N            int // nodes, 1 to MaxNodes
	NodeDeadline time.Duration
	MaxTTL       time.Duration
	Drift        Drift
}

// Quorum is the size of the smallest majority.
func (p Params) Quorum() int { return p.N/2 + 1 }

// Validity is how long a lease may be relied on, counted from the moment
// before its request was sent: ttl·(1−ρ) − δ.
func (p Params) Validity(ttl time.Duration) time.Duration {
	return ttl - p.drift(ttl) - Delta
}

// renewal is when to renew, counted like Validity: at a third of the ttl, or
// half-way through the validity where a large drift leaves less.
func (p Params) renewal(ttl time.Duration) time.Duration {
	return min(ttl/3, p.Validity(ttl)/2)
}

// Outlive is how long to wait on the own clock until d has passed on any
// other: d·(1+ρ).
func (p Params) Outlive(d time.Duration) time.Duration { return d + p.drift(d) }

// drift is d·ρ, rounded up. It computes in µs, which fits for days.
func (p Params) drift(d time.Duration) time.Duration {
	us := int64((d + time.Microsecond - 1) / time.Microsecond)
	return time.Duration((us*int64(p.Drift) + 999) / 1000)
}
