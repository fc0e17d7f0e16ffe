package campaign

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// Options say what a campaign runs.
type Options struct {
	_ struct{}

	Seeds Seeds
	Shard Shard // of Seeds; the zero value runs them all
	Setup Setup

	// Jobs is how many runs go on at once; zero means as many as there are
	// processors for. It does not change the result.
	Jobs int

	// StopAfter ends the campaign once so many runs were in violation; zero
	// runs every seed whatever happens. Which seeds are run does not hang on
	// Jobs.
	StopAfter int

	// Progress, unless nil, is told now and then how the campaign goes, always
	// from one goroutine.
	Progress func(Progress)

	// Program begins the commands that repeat a run; empty means redlock-chaos.
	Program string

	// Plan makes the plan of a seed, and NewRunner what runs plans, one for
	// each job. Nil means the simulator's. They are here for tests.
	Plan      func(seed uint64) (*scenario.Plan, error)
	NewRunner func() Runner
}

// Progress is how far a campaign has come.
type Progress struct {
	Done, Of   uint64 // seeds
	Violated   int    // runs
	First      *Violation
	Acquired   int
	Simulated  time.Duration
	Rate       float64 // acquisitions a second since the last Progress
	Jobs       int
	SinceBegin time.Duration
}

const (
	progressPeriod = 250 * time.Millisecond
	outstanding    = 512 // runs that may wait for one of a lower seed to be done
)

// Why a campaign stops before its last seed.
const (
	StoppedByHand     = "interrupted"
	StoppedByFindings = "enough runs were in violation"
)

// Run runs the seeds and sums up. When ctx ends no further seed is begun; those
// under way are finished, and what was done is summed up and says so.
//
// The error is an *InputError for options that make no sense, what making a
// plan returns for an impossible setup, and a *RunError for a seed that could
// not be run. A violation is a Result.
func Run(ctx context.Context, o Options) (*Result, error) {
	c, err := newCampaign(o)
	if err != nil {
		return nil, err
	}
	began, used := time.Now(), processorSeconds()
	c.began, c.lastTold = began, began
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	c.res.Took = Took{Seconds: time.Since(began).Seconds(), Processor: processorSeconds() - used}
	c.tell()
	if c.done < c.part.N() && c.res.Early == "" {
		c.res.Early = StoppedByHand
	}
	if c.done > 0 {
		c.res.Seeds = []Seeds{{c.part.From, c.part.From + c.done - 1}}
	}
	c.res.conclude()
	return c.res, nil
}

// campaign is a campaign under way. Everything but the channels belongs to the
// goroutine that collects.
type campaign struct {
	Options
	part     Seeds // the shard's
	res      *Result
	done     uint64 // seeds summed up: the first so many of part
	began    time.Time
	lastTold time.Time
	lastSum  int // acquisitions by then
}

func newCampaign(o Options) (*campaign, error) {
	if o.Jobs < 0 || o.Jobs > 4096 {
		return nil, bad("jobs", o.Jobs, "must be from 1 to 4096")
	}
	if o.StopAfter < 0 {
		return nil, bad("stop after", o.StopAfter, "must not be negative")
	}
	part, err := o.Shard.Of(o.Seeds)
	if err != nil {
		return nil, err
	}
	if o.Jobs == 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	if o.Program == "" {
		o.Program = "redlock-chaos"
	}
	if o.Setup.Hint == "" {
		o.Setup.Hint = string(scenario.HintMixed)
	}
	if o.Plan == nil {
		o.Plan = o.Setup.Plan
	}
	if o.NewRunner == nil {
		o.NewRunner = NewSimulator
	}
	// An impossible setup is found at once, not as the failure of a run.
	if _, err := o.Plan(part.From); err != nil {
		return nil, err
	}
	res := &Result{Version: Version, Setup: o.Setup, Build: buildOf(), Seeds: []Seeds{}, Violations: []Violation{}}
	return &campaign{Options: o, part: part, res: res}, nil
}

// one is what became of one seed.
type one struct {
	offset    uint64 // of the seed from the first
	sum       *Sum
	violation *Violation
	err       error
}

// run deals seeds to jobs in ascending order and collects in that order too.
func (c *campaign) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		tickets = make(chan uint64)
		found   = make(chan one)
		room    = make(chan struct{}, outstanding)
		jobs    sync.WaitGroup
	)
	go func() {
		defer close(tickets)
		for i := range c.part.N() {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if ctx.Err() != nil {
				return // a select between two that are ready may take either
			}
			select {
			case tickets <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	for range c.Jobs {
		jobs.Go(func() {
			runner := c.NewRunner()
			for i := range tickets {
				found <- c.one(runner, i)
			}
		})
	}
	go func() { jobs.Wait(); close(found) }()
	return c.collect(found, room, stop)
}

// one runs one seed to its end, whether the campaign is being stopped or not:
// so the seeds that were begun are the seeds that are summed up.
func (c *campaign) one(runner Runner, offset uint64) one {
	seed := c.part.From + offset
	replay := c.Setup.Replay(c.Program, seed)
	plan, err := c.Plan(seed)
	if err != nil {
		return one{offset: offset, err: &RunError{seed, replay, err}}
	}
	o, err := runner.guarded(context.Background(), plan, nil)
	if err != nil {
		return one{offset: offset, err: &RunError{seed, replay, err}}
	}
	return one{offset: offset, sum: sumOf(seed, plan, o), violation: violationOf(seed, o, replay)}
}

// collect sums up in order of seeds. What comes after the seed that ended the
// campaign is dropped, however many jobs had begun more.
func (c *campaign) collect(found <-chan one, room <-chan struct{}, stop func()) error {
	tick := time.NewTicker(progressPeriod)
	defer tick.Stop()
	early := map[uint64]one{} // done before a lower seed
	var failure error
	over := false
	for {
		select {
		case <-tick.C:
			c.tell()
			continue
		case o, ok := <-found:
			if !ok {
				return failure
			}
			early[o.offset] = o
		}
		for o, ok := early[c.done]; ok && !over; o, ok = early[c.done] {
			delete(early, c.done)
			<-room
			if failure = o.err; failure == nil {
				c.add(o)
			}
			if failure != nil || c.StopAfter > 0 && c.res.Violated >= c.StopAfter {
				if failure == nil && c.done < c.part.N() {
					c.res.Early = StoppedByFindings
				}
				over = true
				stop()
			}
		}
	}
}

func (c *campaign) add(o one) {
	c.done++
	c.res.add(o.sum)
	if o.violation != nil && len(c.res.Violations) < MaxViolations {
		c.res.Violations = append(c.res.Violations, *o.violation)
	}
}

// tell reports progress.
func (c *campaign) tell() {
	if c.Progress == nil {
		return
	}
	now := time.Now()
	p := Progress{
		Done: c.done, Of: c.part.N(), Violated: c.res.Violated, Acquired: c.res.Acquired, Jobs: c.Jobs,
		Simulated: c.res.Simulated.D(), SinceBegin: now.Sub(c.began),
	}
	if len(c.res.Violations) > 0 {
		p.First = &c.res.Violations[0]
	}
	if passed := now.Sub(c.lastTold).Seconds(); passed > 0 {
		p.Rate = float64(p.Acquired-c.lastSum) / passed
	}
	c.lastTold, c.lastSum = now, p.Acquired
	c.Progress(p)
}
