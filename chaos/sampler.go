package chaos

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quorumlock/quorumlock/linearizability"
	"github.com/quorumlock/quorumlock/testenv"
)

const (
	samplePeriod   = 20 * time.Millisecond
	samplePatience = 100 * time.Millisecond // for one node's answer
)

// sampler looks at the nodes past the clients' network: which lock keys stand
// there, which nodes may vote, how often their fence tables turned.
type sampler struct {
	env  *testenv.Env
	rec  *recorder
	keys []string

	mu       sync.Mutex // guards all below
	admitted map[string]bool
	turns    int // fence tables that turned, all nodes together
	rounds   int
	began    int64 // when the last round began, run time
}

func newSampler(env *testenv.Env, rec *recorder, keys []string) *sampler {
	return &sampler{env: env, rec: rec, keys: keys, admitted: map[string]bool{}}
}

// conn is the part of a Redis connection that sampling needs.
type conn interface {
	Send(command string, args ...any) error
	Flush() error
	Receive() (any, error)
	Close() error
}

// eye looks at one node, over a connection that lasts until it fails.
type eye struct {
	name   string
	conn   conn
	turned turnCount
}

// look is what one node showed.
type look struct {
	sample linearizability.NodeSample
	turns  int
}

// run samples until ctx ends, and then once more, so that the history ends
// with what was left on the nodes.
func (s *sampler) run(ctx context.Context) {
	var eyes []*eye
	for _, n := range s.env.Nodes() {
		e := &eye{name: n.Name()}
		defer e.close()
		eyes = append(eyes, e)
	}
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.round(eyes)
		case <-ctx.Done():
			s.round(eyes)
			return
		}
	}
}

// round looks at all nodes at once and writes the history's line.
func (s *sampler) round(eyes []*eye) {
	looks := make([]look, len(eyes))
	from := s.rec.now()
	var wg sync.WaitGroup
	for i, e := range eyes {
		wg.Go(func() { looks[i] = e.look(s.env, s.keys) })
	}
	wg.Wait()
	to := s.rec.now()
	sample := &linearizability.Keys{From: from, To: to, Nodes: map[string]linearizability.NodeSample{}}
	s.mu.Lock()
	for i, e := range eyes {
		sample.Nodes[e.name] = looks[i].sample
		s.admitted[e.name] = looks[i].sample.Admitted
		s.turns += looks[i].turns
	}
	s.rounds++
	s.began = from
	s.mu.Unlock()
	s.rec.add(linearizability.Event{
		Time: to, Process: linearizability.Observer, Type: linearizability.Info, F: linearizability.SampleKeys,
		Value: linearizability.Value{Keys: sample},
	})
}

// admittedSince tells whether the node could vote when it was last looked at,
// which must have been at the given time or later.
func (s *sampler) admittedSince(node string, at int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.admitted[node] && s.began >= at
}

// out lists the nodes that could not vote when they were last looked at.
func (s *sampler) out() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, n := range s.env.Nodes() {
		if !s.admitted[n.Name()] {
			names = append(names, n.Name())
		}
	}
	return names
}

// fenceTurns is how many fence tables have turned so far.
func (s *sampler) fenceTurns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turns
}

func (e *eye) close() {
	if e.conn != nil {
		e.conn.Close()
		e.conn = nil
	}
}

// look asks one node in one transaction, so that admission and keys belong
// together. A node that does not answer in time is shown as not admitted.
func (e *eye) look(env *testenv.Env, keys []string) look {
	silent := look{sample: linearizability.NodeSample{}}
	n, ok := env.Node(e.name)
	if !ok || !n.Running() || n.Frozen() {
		e.close()
		return silent
	}
	if e.conn == nil {
		ctx, cancel := context.WithTimeout(context.Background(), samplePatience)
		defer cancel()
		c, err := n.Dial(ctx) // its deadline bounds the later answers too
		if err != nil {
			return silent
		}
		e.conn = c
	}
	reply, err := e.ask(keys)
	if err == nil {
		var l look
		if l, err = e.parse(reply, keys); err == nil {
			return l
		}
	}
	e.close()
	return silent
}

// ask sends the transaction and returns the answers within it.
func (e *eye) ask(keys []string) ([]any, error) {
	commands := [][]any{{"MULTI"}, {"INFO", "replication"}, {"HMGET", "redlock:node", "adm", "turned"}}
	for _, k := range keys {
		commands = append(commands, []any{"GET", k}, []any{"PTTL", k})
	}
	commands = append(commands, []any{"EXEC"})
	for _, c := range commands {
		if err := e.conn.Send(c[0].(string), c[1:]...); err != nil {
			return nil, err
		}
	}
	if err := e.conn.Flush(); err != nil {
		return nil, err
	}
	var last any
	for range commands {
		var err error
		if last, err = e.conn.Receive(); err != nil {
			return nil, err
		}
	}
	answers, ok := last.([]any)
	if !ok || len(answers) != len(commands)-2 {
		return nil, fmt.Errorf("chaos: %s answered the transaction with %v", e.name, last)
	}
	return answers, nil
}

func (e *eye) parse(answers []any, keys []string) (look, error) {
	info, _ := answers[0].([]byte)
	record, _ := answers[1].([]any)
	if len(record) != 2 {
		return look{}, fmt.Errorf("chaos: %s: unreadable record %v", e.name, answers[1])
	}
	adm, _ := record[0].([]byte)
	turned, _ := record[1].([]byte)
	l := look{sample: linearizability.NodeSample{
		Admitted: mayVote(string(info), string(adm)), Keys: map[string]string{}, NoTTL: []string{},
	}}
	for i, k := range keys {
		id, ok := answers[2+2*i].([]byte)
		if !ok {
			continue // no key, or none of ours
		}
		l.sample.Keys[k] = string(id)
		if left, ok := answers[3+2*i].(int64); ok && left == -1 {
			l.sample.NoTTL = append(l.sample.NoTTL, k)
		}
	}
	if l.sample.Admitted {
		l.turns = e.turned.next(string(adm), string(turned))
	}
	return l, nil
}

// mayVote tells whether a node votes: it is a primary, and was admitted in the
// incarnation in which it lives now.
func mayVote(info, adm string) bool {
	inc, _, ok := strings.Cut(adm, " ")
	if !ok || inc == "" {
		return false
	}
	role, id := "", ""
	for line := range strings.Lines(info) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "role:"); ok {
			role = v
		}
		if v, ok := strings.CutPrefix(line, "master_replid:"); ok {
			id = v
		}
	}
	return role == "master" && id == inc
}

// turnCount counts the turns of one node's fence tables by the times of the
// last turn that its record shows.
type turnCount struct {
	adm    string
	turned int64
}

// next takes the record's two fields and returns 1 if the tables turned since
// the last call. The time of an admission is none of a turn, and a node whose
// clock went back notes an earlier time without turning.
func (c *turnCount) next(adm, turned string) int {
	t, err := strconv.ParseInt(turned, 10, 64)
	if err != nil {
		return 0
	}
	before := *c
	c.adm, c.turned = adm, t
	if before.adm == adm && t > before.turned {
		return 1
	}
	return 0
}
