package quorum

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// Canonical appends the one encoding of a machine's state to b: two states are
// equal if and only if their encodings are. state must be a struct of plain
// values (or a pointer to one), as all machines of this package are; anything
// else panics, because it is a mistake in the program.
func Canonical(b []byte, state any) []byte {
	switch h := state.(type) { // an explorer encodes little else
	case *Hold:
		return h.canonical(b)
	case Hold:
		return h.canonical(b)
	}
	v := reflect.ValueOf(state)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return appendCanonical(b, v)
}

func appendCanonical(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Bool:
		return appendBits(b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(b, v.Uint())
	case reflect.String:
		return appendText(b, v.String())
	case reflect.Array: // as many elements as it takes: most clusters have few nodes
		n := v.Len()
		for n > 0 && v.Index(n-1).IsZero() {
			n--
		}
		b = binary.AppendUvarint(b, uint64(n))
		for i := range n {
			b = appendCanonical(b, v.Index(i))
		}
		return b
	case reflect.Struct:
		for i := range v.NumField() {
			b = appendCanonical(b, v.Field(i))
		}
		return b
	}
	panic(fmt.Sprintf("quorum: a state holds a %s, which is no plain value", v.Type()))
}

// appendText writes the length first, so that no two lists of texts look alike.
func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// appendBits writes up to eight flags as one byte.
func appendBits(b []byte, flags ...bool) []byte {
	bits := byte(0)
	for i, f := range flags {
		if f {
			bits |= 1 << i
		}
	}
	return append(b, bits)
}

func appendInts[T ~int | ~int64](b []byte, numbers ...T) []byte {
	for _, n := range numbers {
		b = binary.AppendVarint(b, int64(n))
	}
	return b
}

func appendUints[T ~uint8 | ~uint16 | ~uint32 | ~uint64](b []byte, numbers ...T) []byte {
	for _, n := range numbers {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

// canonical is what reflection would do, several times faster. A test changes
// every field and finds one that is missing here.
func (h *Hold) canonical(b []byte) []byte {
	b = appendInts(b, h.p.N, h.crowd, h.round.ok, h.req.Keeper)
	b = appendInts(b, h.p.NodeDeadline, h.p.MaxTTL, h.req.TTL, h.longest, h.round.ttl)
	b = appendInts(b, h.p.Drift)
	b = appendText(appendText(b, h.req.ID), h.req.Cfg)
	b = appendText(b, h.req.Place.Client)
	b = appendInts(b, h.req.Place.Turn)
	b = appendUints(b, h.req.Hint, h.token, h.req.Place.Number)
	b = appendUints(b, h.req.Untimed)
	b = append(b, byte(h.phase), byte(h.why))
	b = appendInts(b, h.start, h.asked, h.until, h.grace, h.deadline, h.round.start, h.round.until, h.renewAt, h.relUntil)
	b = appendUints(b, h.round.seq, h.tag)
	b = appendBits(b, h.req.Auto, h.extended, h.round.open, h.round.auto, h.waiting, h.req.First, h.alone, h.leaves)
	b = appendBits(b, h.won)
	n := MaxNodes
	for n > 0 && h.nodes[n-1] == (holdNode{}) {
		n--
	}
	b = append(b, byte(n))
	for i := range n {
		b = h.nodes[i].canonical(b)
	}
	return b
}

func (n *holdNode) canonical(b []byte) []byte {
	b = append(b, byte(n.vote), byte(n.member), n.tries)
	b = appendBits(b, n.same, n.old, n.alien, n.reached, n.deleted, n.unsettled)
	b = appendUints(b, n.token)
	b = appendInts(b, n.code)
	b = appendInts(b, n.wait)
	b = appendInts(b, n.releaseAt)
	return appendUints(b, n.acquire, n.raise, n.extend, n.release, n.answered, n.final)
}
