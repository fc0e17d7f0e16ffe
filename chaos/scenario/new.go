package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// settle is what the runner needs around a fault or a story beyond the
// protocol's own times: confirmations, restarts, reconnections.
const settle = 600 * time.Millisecond

// firstStory is when stories begin, so that every client has connected.
const firstStory = 300 * time.Millisecond

// New makes the plan of o. Its errors are OptionError and TooShortError.
func New(o Options) (*Plan, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Version: Version, Seed: o.Seed, Story: o.Story,
		Duration: Duration(o.Duration), TTL: Duration(o.TTL), NodeDeadline: Duration(o.NodeDeadline), Drift: o.Drift,
		Retention: Duration(10 * o.TTL), Poll: Duration(20 * time.Millisecond),
		Nodes: numbered("n", o.Nodes), Clients: numbered("c", o.Clients), Keys: keys(o.Keys),
		Stories: []Story{}, Faults: []Fault{}, Paths: []Path{},
	}
	p.Workers = workers(p, source(o.Seed, 1))
	s := setups()[o.Story]
	if p.Mute = s.mute; s.idle {
		p.Workers = []Worker{}
	}
	faultless := o.Faults != nil && len(o.Faults) == 0
	if !faultless || o.Story != "" {
		p.Stories = stories(p, o.Story)
	}
	kinds := randomKinds(o)
	if minimum := p.minimum(kinds); o.Duration < minimum {
		return nil, &TooShortError{Duration: o.Duration, Minimum: minimum}
	}
	if p.Faults, err = randomFaults(p, kinds); err != nil {
		return nil, err
	}
	p.Paths = p.means()
	p.Tail = Duration(p.tail())
	return p, nil
}

// source gives independent streams of one seed, so that a change to one part
// of the plan leaves the others as they were.
func source(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i+1)
	}
	return names
}

func keys(n int) []Key {
	list := make([]Key, n)
	for i := range list {
		list[i] = Key{Name: fmt.Sprintf("lock-%d", i+1), NoHint: i%2 == 1}
	}
	return list
}

// randomKinds is what may strike at random.
func randomKinds(o Options) []Kind {
	switch {
	case o.Story != "":
		return nil
	case o.Faults == nil:
		return Kinds()
	}
	var kinds []Kind
	for _, k := range Kinds() {
		if slices.Contains(o.Faults, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// workers gives every client one thread of control, and the first a second
// one: two holds of one client exclude each other too.
func workers(p *Plan, r *rand.Rand) []Worker {
	ttl := p.TTL.D()
	var list []Worker
	for i := 0; i <= len(p.Clients); i++ {
		list = append(list, Worker{
			Client: p.Clients[i%len(p.Clients)],
			Seed:   r.Uint64(),
			Holds: []Band{
				{Weight: 85, Min: ms(1), Max: ms(15)},
				{Weight: 13, Min: ms(20), Max: ms(120)},
				// Long enough for a renewal, at a third of the ttl.
				{Weight: 2, Min: Duration(ttl / 3), Max: Duration(ttl / 2)},
			},
			Think:       Band{Min: ms(1), Max: ms(20)},
			LockTimeout: Duration(ttl / 2),
			Cancel:      0.06,
			CancelAfter: Band{Min: 0, Max: ms(8)},
			Try:         0.10,
			Extend:      0.10,
			NoRenew:     0.20,
			Careless:    0.004,
		})
	}
	return list
}

// means lists the paths that the plan claims to take.
func (p *Plan) means() []Path {
	paths := distinctPaths(p.Stories)
	if p.Story == "" && len(p.Stories) > 0 {
		paths = append(paths, PathFenceTurn)
	}
	return paths
}

func distinctPaths(stories []Story) []Path {
	paths := []Path{}
	for _, s := range stories {
		if s.Path != "" && !slices.Contains(paths, s.Path) {
			paths = append(paths, s.Path)
		}
	}
	return paths
}

// tail is how long the clients go on after the last fault, at least: a dead
// holder's lock must be seen to come free, and the fences to turn.
func (p *Plan) tail() time.Duration {
	tail := p.quarantine() + 2*p.NodeDeadline.D() + time.Second
	if slices.Contains(p.Paths, PathFenceTurn) {
		tail = max(tail, p.Retention.D()-p.Duration.D()+1500*time.Millisecond)
	}
	return tail
}

// quarantine is how long a node that lost its memory may not vote, rounded up.
func (p *Plan) quarantine() time.Duration {
	return scale(p.TTL.D(), 1+p.Drift)
}

func scale(d time.Duration, by float64) time.Duration {
	return time.Duration(float64(d) * by).Round(time.Millisecond)
}

func ms(n int64) Duration { return Duration(time.Duration(n) * time.Millisecond) }

func distinct[T any](list []T, names func(T) []string) []string {
	all := []string{}
	for _, item := range list {
		for _, name := range names(item) {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}
