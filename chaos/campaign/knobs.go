package campaign

import (
	"math"
	"reflect"
	"time"

	"github.com/quorumlock/quorumlock/chaos/scenario"
)

// A knob is one value of a plan that may be made simpler: a time, a rate, a
// chance, a switch. Knobs are found by reflection, so that what plans learn to
// say can be shrunk without a word here.
type knob struct {
	path []int // fields and indices from the plan on
}

// settled are the fields that are left alone: seeds and versions are no better
// for being round, and times that all of a run hangs on make the run another.
var settled = map[string]bool{"Seed": true, "Version": true, "TTL": true, "NodeDeadline": true, "Drift": true, "Retention": true, "Poll": true, "ID": true, "Tries": true, "Need": true, "Weight": true}

// knobsOf lists the values of a plan that are not as simple as can be.
func knobsOf(p *scenario.Plan) []knob {
	var list []knob
	walk(reflect.ValueOf(p).Elem(), nil, func(path []int, v reflect.Value) {
		if !v.IsZero() && len(simpler(v)) > 0 {
			list = append(list, knob{append([]int(nil), path...)})
		}
	})
	return list
}

func walk(v reflect.Value, path []int, visit func([]int, reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), path, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !settled[f.Name] {
				walk(v.Field(i), append(path, i), visit)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walk(v.Index(i), append(path, i), visit)
		}
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64, reflect.String:
		visit(path, v)
	}
}

// knobNamed is the one of a field of the plan itself.
func knobNamed(p *scenario.Plan, field string) knob {
	f, ok := reflect.TypeOf(p).Elem().FieldByName(field)
	if !ok {
		panic("campaign: a plan has no field " + field)
	}
	return knob{f.Index}
}

// in returns the knob's place in a plan, which must have the shape of the one
// that it was found in.
func (k knob) in(p *scenario.Plan) reflect.Value {
	v := reflect.ValueOf(p).Elem()
	for _, i := range k.path {
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() == reflect.Struct {
			v = v.Field(i)
		} else {
			v = v.Index(i)
		}
	}
	return v
}

// plainest is what a word of some type says where nothing is special.
var plainest = map[reflect.Type]string{
	reflect.TypeFor[scenario.Persist](): "",
	reflect.TypeFor[scenario.Manner]():  string(scenario.Lock),
}

// simpler lists values that a person would rather read than the knob's, the
// simplest first: nothing, half of it in round numbers, then itself rounded.
func simpler(v reflect.Value) []any {
	switch v.Kind() {
	case reflect.Bool:
		return []any{false}
	case reflect.String:
		// Names are as they are; these words have one that says nothing.
		if to, ok := plainest[v.Type()]; ok && v.String() != to {
			return []any{to}
		}
		return nil
	case reflect.Float64:
		f := v.Float()
		return []any{0.0, math.Round(f*5) / 10, math.Round(f*10) / 10}
	}
	n := v.Int()
	list := []any{int64(0)}
	add := func(m int64) {
		if m != 0 && m != n && abs(m) <= abs(n)+abs(n)/4 {
			list = append(list, m)
		}
	}
	units := []int64{1000, 100, 10}
	if v.Type() == reflect.TypeFor[scenario.Duration]() {
		units = []int64{int64(time.Second), int64(100 * time.Millisecond), int64(10 * time.Millisecond), int64(time.Millisecond), int64(100 * time.Microsecond)}
	}
	for _, unit := range units {
		if abs(n)/2 >= unit {
			add(n / 2 / unit * unit)
			break
		}
	}
	for _, unit := range units {
		if n%unit == 0 {
			break // as round as that already
		}
		add((n + sign(n)*unit/2) / unit * unit)
	}
	return list
}

func abs(n int64) int64 { return max(n, -n) }

func sign(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}

// set puts one of simpler's values into v, and tells whether that changed it.
func set(v reflect.Value, to any) bool {
	before := v.Interface()
	switch x := to.(type) {
	case bool:
		v.SetBool(x)
	case string:
		v.SetString(x)
	case float64:
		v.SetFloat(x)
	case int64:
		v.SetInt(x)
	}
	return v.Interface() != before
}
