package sim

import (
	"strconv"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
	"github.com/quorumlock/quorumlock/redlock/redlocktest"
	"github.com/quorumlock/quorumlock/redlock/script"
)

// epoch is what a clock without offset shows when a run begins: an ordinary
// date, since hints and floors are made from it.
const epoch = 1_750_000_000 * second

// server is one Redis server.
type server struct {
	index   int
	label   string
	state   redlocktest.State
	clock   clock // its wall clock, ns since 1970
	persist scenario.Persist

	down   bool
	gone   bool    // nobody will ever reach it again
	paused int     // faults that stop it
	life   uint32  // counts starts: what was sent to an earlier one is not executed
	parked []int32 // flights that arrived while it was paused

	saved []snapshot // what is on its disk, the latest last

	// what is known of its tokens, in this life of its memory
	counters []uint64   // of each lock when last seen
	tops     []assigned // the largest assigned of each lock
	turned   int64      // when its fence tables turned last
}

// snapshot is a server's memory as it was.
type snapshot struct {
	at    int64
	state redlocktest.State
}

// maxSaved bounds the snapshots that are kept: LostSecond wants the last, a
// Rollback an older one.
const maxSaved = 8

// now is the server's time in Unix µs.
func (s *server) now(r *run) int64 { return s.clock.read(r.now) / 1000 }

// incarnation draws the next replication id.
func (r *run) incarnation() string {
	r.incarnations++
	return "inc" + strconv.FormatUint(mix(uint64(r.key)+r.incarnations), 16)
}

// newServer takes one from the pool, or makes it.
func (r *run) newServer(label string) *server {
	i := len(r.servers)
	if i == len(r.pool.servers) {
		r.pool.servers = append(r.pool.servers, new(server))
	}
	s := r.pool.servers[i]
	*s = server{index: i, label: label, counters: s.counters, tops: s.tops, parked: s.parked[:0], saved: s.saved[:0]}
	s.state = redlocktest.NewState(r.incarnation())
	s.clock = clock{reads: epoch}
	s.counters, s.tops = resize(s.counters, len(r.keys)), resize(s.tops, len(r.keys))
	r.servers = append(r.servers, s)
	return s
}

// resize returns a slice of n zero elements, in the memory of s if it can.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// stop kills the server: connections break, and what has not arrived is lost.
func (r *run) stop(s *server) {
	s.down = true
	s.life++
	s.state.Restart(r.incarnation()) // whoever it will be when it comes back, it has no vote
	for _, i := range s.parked {     // they end with their connections
		r.drop(r.pool.flights[i])
	}
	s.parked = s.parked[:0]
	for _, c := range r.clients {
		for i := range c.links {
			if c.links[i].server == s {
				r.breakLink(c, i)
			}
		}
	}
}

// boot starts the server again with the memory that it has now.
func (r *run) boot(s *server) {
	s.down = false
	r.changed(s)
}

// lose empties the server's memory.
func (r *run) lose(s *server) {
	s.state.FlushAll()
	r.forget(s)
}

// save writes the memory to disk.
func (r *run) save(s *server) {
	if len(s.saved) == maxSaved {
		s.saved = append(s.saved[:0], s.saved[1:]...)
	}
	s.saved = append(s.saved, snapshot{r.now, s.state.Clone()})
}

// load brings back what was on disk at true time at, or the oldest that is; a
// server without a disk is empty. As on a real server that starts, what is
// loaded is in a new incarnation, unless it is a machine's snapshot.
func (r *run) load(s *server, at int64, snapshot bool) {
	i := len(s.saved) - 1
	for i > 0 && s.saved[i].at > at {
		i--
	}
	if i < 0 {
		s.state.FlushAll()
	} else {
		s.state = s.saved[i].state.Clone()
	}
	if !snapshot {
		s.state.Restart(r.incarnation())
	}
	r.returned = max(r.returned, r.now+int64(r.p.Outlive(r.p.MaxTTL)))
	r.forget(s)
}

// crashed is what the memory is after a SIGKILL, by the server's persistence.
func (r *run) crashed(s *server) {
	switch s.persist {
	case scenario.PersistNone:
		r.lose(s)
	case scenario.PersistEverysec:
		r.load(s, r.now, false)
	}
}

// The operations of a client that does not speak the protocol.
const (
	opSetNX = 200 + iota // untyped: it is an Op of both packages
	opDelIf
)

// execute lets the server execute a call and returns its answer.
func (r *run) execute(s *server, f *flight) script.Reply {
	now := s.now(r)
	var reply script.Reply
	switch f.call.Op {
	case opSetNX:
		if !s.state.Replica() && s.state.SetNX(f.call.Names[0], f.call.ID, f.call.TTL.Milliseconds(), now) {
			reply.Code = script.OK
			if s != f.client.links[f.node].server {
				// It was held up until the name led elsewhere, and so does
				// whatever its client may send to clean it up.
				r.returned = max(r.returned, r.now+int64(r.p.Outlive(f.call.TTL)))
			}
		}
	case opDelIf:
		if !s.state.Replica() && s.state.DelIf(f.call.Names[0], f.call.ID, now) {
			reply.Code, reply.Deleted = script.OK, 1
		}
	default:
		reply = s.state.Apply(&f.call, now)
		if p, ok := s.state.Woken(); ok {
			r.tellTurn(s, p)
		}
	}
	r.dig.add(uint64(r.now)<<8 | uint64(f.call.Op))
	r.dig.add(uint64(s.index)<<40 ^ uint64(f.ref.Tag)<<16 ^ uint64(uint8(reply.Code))<<8 ^ reply.Token<<20)
	r.cover.replies[opIndex(f.call.Op)][codeIndex(reply.Code)]++
	r.judge(s, f, &reply)
	return reply
}

// voter tells whether the server may vote under the i-th name.
func (s *server) voter(i int) bool {
	rec := s.state.Record("")
	return rec.Admitted && rec.Self == i+1
}

// admitted tells whether the server may vote.
func (s *server) admitted() bool { return s.state.Record("").Admitted }

// syncEvery is how often servers write to disk, as with appendfsync everysec.
const syncEvery = int64(time.Second)
