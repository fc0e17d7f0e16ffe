package fencing

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// ErrStale is the kind of every *StaleError; test for it with errors.Is.
var ErrStale = errors.New("stale fencing token")

// ErrToken is the kind of every *TokenError; test for it with errors.Is.
var ErrToken = errors.New("not a fencing token")

// StaleError says that a resource was touched with a higher token before: the
// caller's lock has passed on to another holder.
type StaleError struct {
	Resource string // the resource's name
	Token    Token  // the token that was refused
	Highest  Token  // the highest token that the resource has seen
}

// Error names the resource and both tokens.
func (e *StaleError) Error() string {
	return fmt.Sprintf("fencing: %q: %v: %v is below %v", e.Resource, ErrStale, e.Token, e.Highest)
}

// Is reports whether target is ErrStale.
func (e *StaleError) Is(target error) bool { return target == ErrStale }

// TokenError says that a value can never be a token: it is zero, which stands
// for a lease without one, or above Max.
type TokenError struct {
	Resource string // the resource's name
	Token    Token  // the value that was refused
}

// Error names the resource and the value.
func (e *TokenError) Error() string {
	return fmt.Sprintf("fencing: %q: %v: %v is not in 1…%v", e.Resource, ErrToken, e.Token, Max)
}

// Is reports whether target is ErrToken.
func (e *TokenError) Is(target error) bool { return target == ErrToken }

// Guard refuses stale holders on behalf of resources that live in this
// process. It remembers the highest token of each resource in memory. The zero
// Guard is ready for use and must not be copied afterwards; all methods may be
// called from many goroutines at once.
//
// If every access to a resource goes through one Guard, then the accepted
// writes form one block per holder, in the order of the holders' tokens,
// whatever clocks and pauses did.
//
// What it does not give:
//   - Nothing outlives the process, and two processes that write to the same
//     thing need a guard at that thing, not one in each of them.
//   - Until a new holder has touched the resource, the old one's writes are
//     still accepted. Call Stamp before the first read, or what was read may
//     change behind the reader's back.
//   - A holder that is refused half-way leaves what it has written so far.
//   - Resources are independent of each other: nothing is atomic across two.
//   - A holder's own retries are accepted; keep a sequence number beside the
//     token where a write must not be applied twice.
//
// A Guard never forgets a resource, since a forgotten one would accept any
// token: its memory grows with the number of names that it has ever seen.
type Guard struct {
	resources sync.Map // name → *resource; entries are never removed
}

// resource is what a Guard knows of one name.
type resource struct {
	mu sync.Mutex // held while a write runs, and to raise highest

	// highest never falls. It is written under mu and read without it, so that
	// neither Highest nor a stale caller waits behind a slow write.
	highest atomic.Uint64
}

// Do runs write if t is at least the highest token that the resource has seen,
// and otherwise returns a *StaleError without running it. A t that is no token
// gives a *TokenError. No other write, and no Stamp, of the same resource runs
// at the same time; other resources are not held up. A nil write is a Stamp.
//
// The highest token becomes t before write runs, and stays so when write
// returns an error (which Do passes on) or panics: the holder may have changed
// the resource before it failed, so an older holder must not follow it. The
// new holder loses nothing by that, since its own retry is still accepted.
//
// write must not call Do or Stamp for the same resource.
func (g *Guard) Do(name string, t Token, write func() error) error {
	if t == 0 || t > Max {
		// A value above Max would shut every later holder out for good.
		return &TokenError{Resource: name, Token: t}
	}
	r := g.resource(name)
	if err := r.check(name, t); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.check(name, t); err != nil {
		return err
	}
	r.highest.Store(uint64(t))
	if write == nil {
		return nil
	}
	return write()
}

// Stamp is Do without a write: once it has returned nil, no holder with a
// lower token can write any more, and what is read from then on stays true for
// as long as the lock is held. It waits for a write that is under way.
func (g *Guard) Stamp(name string, t Token) error { return g.Do(name, t, nil) }

// Highest returns the highest token that the resource has seen, zero if none.
// It does not wait for a write that is under way.
func (g *Guard) Highest(name string) Token {
	r, ok := g.resources.Load(name)
	if !ok {
		return 0
	}
	return Token(r.(*resource).highest.Load())
}

func (g *Guard) resource(name string) *resource {
	if r, ok := g.resources.Load(name); ok {
		return r.(*resource)
	}
	r, _ := g.resources.LoadOrStore(name, new(resource))
	return r.(*resource)
}

func (r *resource) check(name string, t Token) error {
	if h := Token(r.highest.Load()); t < h {
		return &StaleError{Resource: name, Token: t, Highest: h}
	}
	return nil
}
