package sim

// clock is somebody's clock: it read reads at the true time since, and gains
// rate parts per million ever after. True time is in ns since the run began.
type clock struct {
	since, reads int64
	rate         int64 // ppm, above −1,000,000
}

const (
	second  = 1_000_000_000
	million = 1_000_000
)

// read is what the clock shows at a true time not before since. It never falls
// while the rate stays above −10^6, for each ns adds −1 to the rest at most.
func (c *clock) read(t int64) int64 {
	d := t - c.since
	if c.rate == 0 {
		return c.reads + d
	}
	// In two parts, so that nothing overflows within centuries.
	return c.reads + d + d/second*c.rate*1000 + d%second*c.rate/million
}

// when is the first true time, not before since, at which the clock shows v.
func (c *clock) when(v int64) int64 {
	d := v - c.reads
	if d <= 0 {
		return c.since
	}
	if c.rate == 0 {
		return c.since + d
	}
	per := million + c.rate
	t := c.since + d/per*million + d%per*million/per
	for c.read(t) < v {
		t++
	}
	for t > c.since && c.read(t-1) >= v {
		t--
	}
	return t
}

// run changes the clock's rate at true time t.
func (c *clock) run(t, rate int64) { c.since, c.reads, c.rate = t, c.read(t), rate }

// jump moves the clock by so many ns at true time t.
func (c *clock) jump(t, by int64) { c.since, c.reads = t, c.read(t)+by }
