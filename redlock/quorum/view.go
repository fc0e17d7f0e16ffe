package quorum

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// version is the protocol's version, the first part of every configuration.
const version = "1"

// Static is the part of a configuration that never changes while a cluster
// lives.
type Static struct {
	Version string
	Cluster string // the cluster's id, given at bootstrap
	N       string
	MaxTTL  string // milliseconds
	Digest  string // of the sorted node names
}

// NewStatic is the static part for a cluster of the given id and sorted names.
func NewStatic(cluster string, names []string, maxTTL time.Duration) Static {
	return Static{version, cluster, strconv.Itoa(len(names)), strconv.FormatInt(maxTTL.Milliseconds(), 10), digest(names...)}
}

// String returns the form in which nodes keep it.
func (s Static) String() string {
	return s.Version + "/" + s.Cluster + "/" + s.N + "/" + s.MaxTTL + "/" + s.Digest
}

// ParseStatic reads what String wrote.
func ParseStatic(text string) (Static, error) {
	var s Static
	rest, found := text, true
	for i, part := range [...]*string{&s.Version, &s.Cluster, &s.N, &s.MaxTTL, &s.Digest} {
		if !found {
			return Static{}, fmt.Errorf("quorum: configuration %.80q has %d parts, want 5", text, i)
		}
		*part, rest, found = strings.Cut(rest, "/")
	}
	if found {
		return Static{}, fmt.Errorf("quorum: configuration %.80q has %d parts, want 5", text, 5+len(strings.Split(rest, "/")))
	}
	return s, nil
}

// sameNodes reports whether two static parts differ in the cluster id at most.
func (s Static) sameNodes(o Static) bool {
	s.Cluster = o.Cluster
	return s == o
}

// Entry says for one name how many times it was replaced, and by which
// newcomer.
type Entry struct {
	K  int
	ID string
}

// less is the order of entries: by K, and the larger ID wins a tie.
func (e Entry) less(o Entry) bool { return e.K < o.K || e.K == o.K && e.ID < o.ID }

// View holds the entry of each name, in the names' order; N counts them.
type View struct {
	N       int
	Entries [MaxNodes]Entry
}

// Join returns the view that has, per name, the larger entry.
func (v View) Join(o View) View {
	for i := range v.Entries {
		if v.Entries[i].less(o.Entries[i]) {
			v.Entries[i] = o.Entries[i]
		}
	}
	return v
}

// String returns the form in which nodes keep it.
func (v View) String() string {
	var b strings.Builder
	for i := range v.N {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(v.Entries[i].K))
		b.WriteByte('-')
		b.WriteString(v.Entries[i].ID)
	}
	return b.String()
}

// Config is a whole configuration: what is compared before any vote counts.
type Config struct {
	Static Static
	View   View
}

// String returns the form in which nodes keep and compare it.
func (c Config) String() string { return c.Static.String() + "|" + c.View.String() }

// ParseConfig reads what String wrote.
func ParseConfig(text string) (Config, error) {
	left, right, ok := strings.Cut(text, "|")
	if !ok {
		return Config{}, fmt.Errorf("quorum: configuration %.80q has no view", text)
	}
	st, err := ParseStatic(left)
	if err != nil {
		return Config{}, err
	}
	c := Config{Static: st}
	for part := range strings.SplitSeq(right, ".") {
		if c.View.N == MaxNodes {
			return Config{}, fmt.Errorf("quorum: configuration %.80q has more than %d entries", text, MaxNodes)
		}
		k, id, ok := strings.Cut(part, "-")
		n, err := strconv.Atoi(k)
		if !ok || err != nil || n < 0 || n > maxK || !validID(id) {
			return Config{}, fmt.Errorf("quorum: configuration %.80q: entry %.40q is not k-id", text, part)
		}
		c.View.Entries[c.View.N] = Entry{n, id}
		c.View.N++
	}
	return c, nil
}

// Bounds of an entry. A view is joined into others and sealed on all nodes, so
// one that was tampered with must not get in.
const (
	maxK  = 1_000_000
	maxID = 32
)

// validID reports whether an entry's id is short lower-case hex, or empty.
func validID(id string) bool {
	return len(id) <= maxID && strings.Trim(id, "0123456789abcdef") == ""
}

// relation says how a node's configuration stands to ours.
type relation uint8

const (
	sameConfig   relation = iota // nothing differs: then the node's own name does
	newerView                    // it has entries that are larger than ours
	olderView                    // ours has larger entries and it has none
	otherCluster                 // another bootstrap of the same nodes
	otherConfig                  // other nodes, another maxttl, another protocol
)

// relate compares the configuration that a node answered with ours.
func relate(ours, theirs string) relation {
	if ours == theirs {
		return sameConfig
	}
	a, err := ParseConfig(ours)
	if err != nil {
		return otherConfig
	}
	b, err := ParseConfig(theirs)
	switch {
	case err != nil || !a.Static.sameNodes(b.Static) || a.View.N != b.View.N:
		return otherConfig
	case a.Static != b.Static:
		return otherCluster
	case a.View.Join(b.View) != a.View:
		return newerView
	}
	return olderView
}

// JoinConfig returns ours with the larger entries of theirs; ours where their
// static part differs.
func JoinConfig(ours, theirs string) string {
	a, err := ParseConfig(ours)
	if err != nil {
		return theirs
	}
	b, err := ParseConfig(theirs)
	if err != nil || a.Static != b.Static || a.View.N != b.View.N {
		return ours
	}
	a.View = a.View.Join(b.View)
	return a.String()
}

// digest is a short hash of its parts; no two different lists collide but by
// chance.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
