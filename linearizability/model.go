package linearizability

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The models of locks. ModelSemaphore stands for "semaphore:K" with K permits.
const (
	ModelMutex                = "mutex"
	ModelOwnerAwareMutex      = "owner-aware-mutex"
	ModelReentrantMutex       = "reentrant-mutex" // at most twice
	ModelFencedMutex          = "fenced-mutex"
	ModelReentrantFencedMutex = "reentrant-fenced-mutex" // at most twice
	ModelSemaphore            = "semaphore:K"
	ModelRWMutex              = "rw-mutex"

	// ModelLease is the model of a lock with deadlines: per key, no two claims
	// of holds overlap, but those of readers may. See Hold for what a claim is.
	ModelLease = "lease"
)

// Models lists the models that Check knows.
func Models() []string {
	return []string{ModelMutex, ModelOwnerAwareMutex, ModelReentrantMutex, ModelFencedMutex,
		ModelReentrantFencedMutex, ModelSemaphore, ModelRWMutex, ModelLease}
}

// UnknownModelError says that there is no such model.
type UnknownModelError struct {
	Model string   // what was asked for
	Known []string // what there is
}

// Error names the model and those that there are.
func (e *UnknownModelError) Error() string {
	return fmt.Sprintf("linearizability: unknown model %q; there is: %s", e.Model, strings.Join(e.Known, ", "))
}

// maxPermits bounds K and what one acquire may ask for, so that sums fit.
const maxPermits = 1 << 29

// machineOf returns the machine of a model.
func machineOf(model string) (machine, error) {
	switch model {
	case ModelMutex:
		return plainMutex{}, nil
	case ModelOwnerAwareMutex:
		return ownerMutex{limit: 1}, nil
	case ModelReentrantMutex:
		return ownerMutex{limit: 2}, nil
	case ModelFencedMutex:
		return fencedMutex{}, nil
	case ModelReentrantFencedMutex:
		return reentrantFenced{limit: 2}, nil
	case ModelRWMutex, ModelLease:
		return rwMutex{}, nil
	}
	if k, ok := strings.CutPrefix(model, "semaphore:"); ok {
		n, err := strconv.Atoi(k)
		if err == nil && n >= 1 && n <= maxPermits && strconv.Itoa(n) == k {
			return semaphore{permits: int32(n)}, nil
		}
	}
	return nil, &UnknownModelError{Model: model, Known: Models()}
}

// action is what a step does to a lock.
type action uint8

const (
	take  action = iota // the lock, with its fence
	give                // the lock back
	raise               // the fence alone: the claim is empty
)

// step is something that happens to a lock at one point.
type step struct {
	do      action
	reader  bool
	client  int32 // counted from 1
	permits int32
	token   Token
}

// lockState is the state of any of the machines. It can be compared.
type lockState struct {
	owner  int32 // 0 is nobody
	n      int32 // how often it is held, or by how many
	cur    Token // the fence of the hold
	hi     Token // the highest fence so far
	counts string
}

// why says which rule forbids a step.
type why uint8

const (
	legal      why = iota
	whyHeld        // somebody else has the lock
	whyLimit       // its client has it too often
	whyFull        // too few permits are left
	whyFence       // the token is not above an earlier one
	whyCurrent     // the token is not that of the hold that it is nested in
	whyNotHeld     // its client has nothing to give back
)

// String tells the rule.
func (w why) String() string {
	return [...]string{"legal", "the lock is held", "its client holds it as often as it may", "there are not that many permits left",
		"the token is not above all before it", "the token is not that of the hold around it", "its client holds nothing that it could give back"}[w]
}

// machine is the sequential rules of a lock. Every method of judging shares it:
// the sweep, the search and porcupine. The zero lockState is that of a new lock.
type machine interface {
	step(s lockState, in step) (lockState, why)
}

// plainMutex is given back by anyone.
type plainMutex struct{}

func (plainMutex) step(s lockState, in step) (lockState, why) {
	switch {
	case in.do == raise:
		return s, legal
	case in.do == take && s.n != 0:
		return s, whyHeld
	case in.do == give && s.n == 0:
		return s, whyNotHeld
	}
	s.n = 1 - s.n
	return s, legal
}

// ownerMutex is given back by its owner, who may hold it up to limit times.
type ownerMutex struct{ limit int32 }

func (m ownerMutex) step(s lockState, in step) (lockState, why) {
	switch {
	case in.do == raise:
		return s, legal
	case in.do == give && s.owner != in.client:
		return s, whyNotHeld
	case in.do == give:
		return s.leave(), legal
	case s.owner != 0 && s.owner != in.client:
		return s, whyHeld
	case s.n >= m.limit:
		return s, whyLimit
	}
	s.owner, s.n = in.client, s.n+1
	return s, legal
}

// leave takes one hold off the owner's.
func (s lockState) leave() lockState {
	if s.n--; s.n == 0 {
		s.owner, s.cur = 0, 0
	}
	return s
}

// fencedMutex gives every hold a fence above those before; zero is a fence that
// was not observed.
type fencedMutex struct{}

func (fencedMutex) step(s lockState, in step) (lockState, why) {
	switch {
	case in.do == give && s.owner != in.client:
		return s, whyNotHeld
	case in.do == give:
		return s.leave(), legal
	case in.do == take && s.owner != 0:
		return s, whyHeld
	case in.token != 0 && in.token <= s.hi:
		return s, whyFence
	}
	s.hi = max(s.hi, in.token)
	if in.do == take {
		s.owner, s.n = in.client, 1
	}
	return s, legal
}

// reentrantFenced has one fence for all holds of an owner that are nested.
type reentrantFenced struct{ limit int32 }

func (m reentrantFenced) step(s lockState, in step) (lockState, why) {
	switch {
	case in.do == give && s.owner != in.client:
		return s, whyNotHeld
	case in.do == give:
		return s.leave(), legal
	case in.do == take && s.owner != 0 && s.owner != in.client:
		return s, whyHeld
	case in.token != 0 && s.cur != 0 && in.token != s.cur:
		return s, whyCurrent
	case in.token != 0 && s.cur == 0 && in.token <= s.hi:
		return s, whyFence
	case in.do == take && s.n >= m.limit:
		return s, whyLimit
	}
	s.hi = max(s.hi, in.token)
	if in.do == take {
		s.owner, s.n = in.client, s.n+1
	}
	if s.owner != 0 && s.cur == 0 {
		s.cur = in.token
	}
	return s, legal
}

// semaphore hands out permits, of which each client gives back its own.
type semaphore struct{ permits int32 }

func (m semaphore) step(s lockState, in step) (lockState, why) {
	switch {
	case in.do == raise:
		return s, legal
	case in.do == take && s.n+in.permits > m.permits:
		return s, whyFull
	case in.do == take:
		s.n += in.permits
		s.counts, _ = count(s.counts, in.client, in.permits)
		return s, legal
	}
	counts, ok := count(s.counts, in.client, -in.permits)
	if !ok {
		return s, whyNotHeld
	}
	s.n, s.counts = s.n-in.permits, counts
	return s, legal
}

// rwMutex has one writer or any number of readers.
type rwMutex struct{}

func (rwMutex) step(s lockState, in step) (lockState, why) {
	switch {
	case in.do == raise:
		return s, legal
	case in.do == take && (s.owner != 0 || !in.reader && s.n > 0):
		return s, whyHeld
	case in.do == take && !in.reader:
		s.owner = in.client
		return s, legal
	case in.do == give && !in.reader && s.owner != in.client:
		return s, whyNotHeld
	case in.do == give && !in.reader:
		s.owner = 0
		return s, legal
	}
	by := int32(1)
	if in.do == give {
		by = -1
	}
	counts, ok := count(s.counts, in.client, by)
	if !ok {
		return s, whyNotHeld
	}
	s.n, s.counts = s.n+by, counts
	return s, legal
}

// count adds to a client's count, and returns false where it would fall below
// zero. Counts are pairs of four-byte numbers by client, without zeros, so that
// equal counts are equal strings.
func count(counts string, client, by int32) (string, bool) {
	at := 0
	for at < len(counts) && number(counts[at:]) < client {
		at += 8
	}
	rest, n := counts[at:], by
	if len(rest) > 0 && number(rest) == client {
		n, rest = number(rest[4:])+by, rest[8:]
	}
	switch {
	case n < 0:
		return counts, false
	case n == 0:
		return counts[:at] + rest, true
	}
	b := make([]byte, 0, len(counts)+8)
	b = append(b, counts[:at]...)
	for _, v := range []int32{client, n} {
		b = append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	return string(append(b, rest...)), true
}

func number(s string) int32 {
	return int32(s[0])<<24 | int32(s[1])<<16 | int32(s[2])<<8 | int32(s[3])
}

// hasFences tells whether the model looks at tokens.
func hasFences(model string) bool {
	return slices.Contains([]string{ModelFencedMutex, ModelReentrantFencedMutex}, model)
}
