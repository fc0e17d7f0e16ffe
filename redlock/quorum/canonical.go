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
	v := reflect.ValueOf(state)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return appendCanonical(b, v)
}

func appendCanonical(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(b, v.Uint())
	case reflect.String:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		return append(b, v.String()...)
	case reflect.Array:
		for i := range v.Len() {
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
