package scenario

import "time"

// setup is what a run must be like for a story that is told alone to show
// anything. Options that are given go before it.
type setup struct {
	idle         bool          // nobody works beside the story's clients
	mute         bool          // the clients' user may not use any channel
	ttl          time.Duration // of every lease
	nodeDeadline time.Duration
	drift        float64
}

// orphanTTL is how long a key is seen that nobody frees.
const orphanTTL = 5 * time.Second

// setups lists the stories that need one.
func setups() map[string]setup {
	return map[string]setup{
		// A deadline that counts from the wrong moment is late by the time of two
		// slow round trips, which the drift that is subtracted would cover.
		"slow-acquire": {nodeDeadline: 100 * time.Millisecond, drift: 0.001},
		// The longer the lease, the longer it outlives its keys.
		"slewed": {ttl: 4 * time.Second},
		// Who else meets the node would draw the nonce of its new life.
		"twice-probed": {idle: true},
		// Whoever holds a lock would make a lie of the operator's word.
		"new-beginning": {idle: true},
		// Waits that failed are made up for after the run, one by one.
		"no-channel": {mute: true, idle: true, ttl: orphanTTL},
		// What is left behind must still be there when it is looked for.
		"lost-replies": {ttl: orphanTTL}, "renewer": {idle: true, ttl: orphanTTL},
		"late-request": {ttl: orphanTTL}, "late-extend": {ttl: orphanTTL},
	}
}

// adopt fills the fields of o that are not set with those of the set-up.
func (s setup) adopt(o *Options) {
	setDefault(&o.TTL, s.ttl)
	setDefault(&o.NodeDeadline, s.nodeDeadline)
	setDefault(&o.Drift, s.drift)
}

// prepare is adopt for a simulated run.
func (s setup) prepare(o *SimOptions) {
	setDefault(&o.TTL, s.ttl)
	setDefault(&o.NodeDeadline, s.nodeDeadline)
	setDefault(&o.Drift, s.drift)
}

// BreaksC4 tells whether the plan leaves fewer than a majority of nodes with a
// vote on purpose.
func (p *Plan) BreaksC4() bool {
	for _, s := range p.Stories {
		for _, step := range s.Steps {
			if step.Force && step.Kind.LosesVote() && len(step.Nodes) > p.Spare() {
				return true
			}
		}
	}
	return false
}

// SetsClocks tells whether nodes need clocks of their own.
func (p *Plan) SetsClocks() bool {
	for _, s := range p.Stories {
		for _, step := range s.Steps {
			if step.Kind == Slew {
				return true
			}
		}
	}
	return false
}
