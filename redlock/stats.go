package redlock

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/quorumlock/quorumlock/redlock/script"
)

// Stats are the numbers of a client at one moment, in the order of the nodes'
// names. Counters count from New on and never fall; those of one node are read
// one after the other while calls go on, so sums may be off by calls that ended
// meanwhile.
type Stats struct {
	Nodes []NodeStats
}

// Node returns the numbers of the node of that name.
func (s Stats) Node(name string) (NodeStats, bool) {
	for _, n := range s.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return NodeStats{}, false
}

// NodeStats are the numbers of one node.
type NodeStats struct {
	Name string // the node's name; host:port by default

	Started  uint64     // calls given to the driver
	Answered uint64     // calls that the node answered with a reply of the protocol
	Late     uint64     // of these, calls answered after Config.NodeDeadline
	Open     uint64     // calls that have not ended
	Errors   CallErrors // calls that ended with an error
	Latency  Latency    // of the answered calls, from Start to answer

	Driver DriverStats // zero if the driver tells none
}

// CallErrors counts calls that ended with an error, by kind.
type CallErrors struct {
	Overload uint64 // *OverloadError: too many calls waited for the node
	Down     uint64 // *DownError: the node kept failing
	Unsent   uint64 // not sent for any other reason: no connection in time, refused at the door
	Server   uint64 // *ServerError: the node answered with an error; *UnsupportedError too
	Protocol uint64 // *ProtocolError, *script.ReplyError: what came was no answer
	Unknown  uint64 // any other: no answer, or the connection was lost
}

// Total is the number of calls that ended with an error.
func (e CallErrors) Total() uint64 {
	return e.Overload + e.Down + e.Unsent + e.Server + e.Protocol + e.Unknown
}

// LatencyBuckets is how many buckets a Latency has.
const LatencyBuckets = 16

// Latency is a histogram of durations: bucket i counts those up to
// LatencyBound(i) that did not fit into the one below.
type Latency [LatencyBuckets]uint64

// LatencyBound is the upper bound of bucket i of a Latency, which doubles from
// bucket to bucket: 100 µs, 200 µs, … 1.6384 s. The last bucket has none; its
// bound and that of any other i is the largest Duration.
func LatencyBound(i int) time.Duration {
	if i < 0 || i >= LatencyBuckets-1 {
		return 1<<63 - 1
	}
	return 100 * time.Microsecond << i
}

// Quantile returns the bound of the bucket in which the q-quantile lies, for q
// in [0,1], or 0 if nothing was counted.
func (l Latency) Quantile(q float64) time.Duration {
	var total uint64
	for _, n := range l {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank := min(uint64(max(q, 0)*float64(total)), total-1)
	for i, n := range l {
		if rank < n {
			return LatencyBound(i)
		}
		rank -= n
	}
	return LatencyBound(LatencyBuckets - 1)
}

// NodeState says whether a driver reaches its node.
type NodeState uint8

// The states.
const (
	NodeUnknown    NodeState = iota // the driver does not tell
	NodeUp                          // a call will be sent
	NodeConnecting                  // a call waits for a connection
	NodeTrying                      // the node kept failing; one call at a time tries it
	NodeDown                        // the node keeps failing: a call is refused at once
)

// String returns the state in one word.
func (s NodeState) String() string {
	names := [...]string{"unknown", "up", "connecting", "trying", "down"}
	if int(s) < len(names) {
		return names[s]
	}
	return names[NodeUnknown]
}

// DriverStats is what a driver tells of itself.
type DriverStats struct {
	State    NodeState
	Queued   int    // calls that were not sent yet
	InFlight int    // calls that were sent and not answered
	Connects uint64 // connections that became ready; a pool does not tell
	Failures uint64 // connections that ended and attempts that failed; of a pool, calls that hung or failed
	LastErr  error  // why there is no connection; of a pool, why the last call failed; nil while all is well
}

// StatsDriver is a Driver with numbers. Stats must be quick and may be called
// at any time.
type StatsDriver interface {
	Driver
	Stats() DriverStats
}

// Stats returns the client's numbers. It neither waits nor asks the nodes, and
// may be called on a closed client.
func (c *Client) Stats() Stats {
	s := Stats{Nodes: make([]NodeStats, len(c.nodes))}
	for i, n := range c.nodes {
		s.Nodes[i] = n.stats.read(n.name)
		if d, ok := n.driver.(StatsDriver); ok {
			s.Nodes[i].Driver = d.Stats()
		}
	}
	return s
}

// callStats counts the calls of one node.
type callStats struct {
	started, answered, late, open                       atomic.Uint64
	overload, down, unsent, server, foreign, unknownErr atomic.Uint64
	latency                                             [LatencyBuckets]atomic.Uint64
}

func (s *callStats) start() {
	s.started.Add(1)
	s.open.Add(1)
}

// end counts a call that took so long and ended with err.
func (s *callStats) end(took, deadline time.Duration, err error) {
	s.open.Add(^uint64(0)) // minus one
	if err != nil {
		s.kind(err).Add(1)
		return
	}
	s.answered.Add(1)
	if took > deadline {
		s.late.Add(1)
	}
	s.latency[bucket(took)].Add(1)
}

// kind is the counter of an error.
func (s *callStats) kind(err error) *atomic.Uint64 {
	var (
		overload    *OverloadError
		down        *DownError
		unsent      *UnsentError
		server      *ServerError
		unsupported *UnsupportedError
		protocol    *ProtocolError
		reply       *script.ReplyError
	)
	switch {
	case errors.As(err, &overload):
		return &s.overload
	case errors.As(err, &down):
		return &s.down
	case errors.As(err, &unsent): // before its cause, which may be what the node said at the door
		return &s.unsent
	case errors.As(err, &server), errors.As(err, &unsupported):
		return &s.server
	case errors.As(err, &protocol), errors.As(err, &reply):
		return &s.foreign
	case errors.Is(err, script.ErrNotSent):
		return &s.unsent
	}
	return &s.unknownErr
}

// bucket is the bucket of a duration.
func bucket(d time.Duration) int {
	i := 0
	for i < LatencyBuckets-1 && d > LatencyBound(i) {
		i++
	}
	return i
}

func (s *callStats) read(name string) NodeStats {
	n := NodeStats{
		Name: name, Started: s.started.Load(), Answered: s.answered.Load(), Late: s.late.Load(), Open: s.open.Load(),
		Errors: CallErrors{
			Overload: s.overload.Load(), Down: s.down.Load(), Unsent: s.unsent.Load(),
			Server: s.server.Load(), Protocol: s.foreign.Load(), Unknown: s.unknownErr.Load(),
		},
	}
	for i := range s.latency {
		n.Latency[i] = s.latency[i].Load()
	}
	return n
}
