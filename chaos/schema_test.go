package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// schema checks JSON values against docs/results.schema.json. It knows the part
// of JSON Schema that is used there, and refuses a schema that uses more.
type schema struct{ root map[string]any }

func readSchema(t *testing.T) *schema {
	t.Helper()
	data, err := os.ReadFile("../docs/results.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return &schema{decode(t, data).(map[string]any)}
}

// decode keeps numbers as they stand.
func decode(t *testing.T, data []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// check returns what is wrong with v, each with its place.
func (s *schema) check(v any) []string { return s.at("", s.root, v) }

func (s *schema) at(place string, rules map[string]any, v any) (wrong []string) {
	for _, rule := range sortedKeys(rules) {
		arg := rules[rule]
		switch rule {
		case "$schema", "title", "description", "$defs", "properties", "additionalProperties":
		case "$ref":
			target, ok := s.root["$defs"].(map[string]any)[strings.TrimPrefix(arg.(string), "#/$defs/")].(map[string]any)
			if !ok {
				return append(wrong, fmt.Sprintf("%s: no definition %v", place, arg))
			}
			wrong = append(wrong, s.at(place, target, v)...)
		case "items":
			list, _ := v.([]any)
			for i, item := range list {
				wrong = append(wrong, s.at(fmt.Sprintf("%s[%d]", place, i), arg.(map[string]any), item)...)
			}
		case "required":
			object, isObject := v.(map[string]any)
			for _, name := range arg.([]any) {
				if _, ok := object[name.(string)]; isObject && !ok {
					wrong = append(wrong, fmt.Sprintf("%s: %v is missing", place, name))
				}
			}
		default:
			if !fits(rule, arg, v) {
				wrong = append(wrong, fmt.Sprintf("%s: %s: %v does not fit %v", place, rule, v, arg))
			}
		}
	}
	return append(wrong, s.fields(place, rules, v)...)
}

// fits tells whether v alone, whatever is inside it, is as the rule wants it.
// Nothing fits a rule that is not known.
func fits(rule string, arg, v any) bool {
	text, isText := v.(string)
	switch rule {
	case "type":
		kinds, ok := arg.([]any)
		if !ok {
			kinds = []any{arg}
		}
		return slices.ContainsFunc(kinds, func(k any) bool { return isA(v, k.(string)) })
	case "const":
		return reflect.DeepEqual(v, arg)
	case "enum":
		return slices.ContainsFunc(arg.([]any), func(a any) bool { return reflect.DeepEqual(a, v) })
	case "minimum":
		n, least := number(v), number(arg)
		return n == nil || least != nil && n.Cmp(least) >= 0
	case "pattern":
		return !isText || regexp.MustCompile(arg.(string)).MatchString(text)
	case "format":
		_, err := time.Parse(time.RFC3339, text)
		return arg == "date-time" && err == nil
	}
	return false
}

// fields checks an object's fields.
func (s *schema) fields(place string, rules map[string]any, v any) (wrong []string) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	known, _ := rules["properties"].(map[string]any)
	for _, name := range sortedKeys(object) {
		inner := place + "." + name
		if rule, ok := known[name].(map[string]any); ok {
			wrong = append(wrong, s.at(inner, rule, object[name])...)
			continue
		}
		switch more := rules["additionalProperties"].(type) {
		case map[string]any:
			wrong = append(wrong, s.at(inner, more, object[name])...)
		case bool:
			if !more {
				wrong = append(wrong, inner+": unknown field")
			}
		}
	}
	return wrong
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// number returns nil for what is none.
func number(v any) *big.Float {
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	f, _ := new(big.Float).SetString(n.String())
	return f
}

func isA(v any, kind string) bool {
	switch v := v.(type) {
	case nil:
		return kind == "null"
	case bool:
		return kind == "boolean"
	case string:
		return kind == "string"
	case []any:
		return kind == "array"
	case map[string]any:
		return kind == "object"
	case json.Number:
		_, whole := new(big.Int).SetString(v.String(), 10)
		return kind == "number" || kind == "integer" && whole
	}
	return false
}

// fill gives every field a value of its own, so that none is left out.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1, 0)))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.SetMapIndex(reflect.ValueOf("x").Convert(v.Type().Key()), value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Uint64:
		v.SetUint(1)
	default:
		v.SetInt(1)
	}
}

// TestSchemaKnowsEveryField: a field that Result gains must be described.
func TestSchemaKnowsEveryField(t *testing.T) {
	var res Result
	fill(reflect.ValueOf(&res).Elem())
	data, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, w := range readSchema(t).check(decode(t, data)) {
		switch {
		case strings.Contains(w, "unknown field"), strings.Contains(w, ": type:"), strings.Contains(w, "is missing"), strings.Contains(w, "no definition"):
			t.Error(w)
		default:
			seen++ // "x" is no word of any list
		}
	}
	if seen == 0 {
		t.Error("no value was looked at")
	}
}

// refusesBroken shows that results with a mistake do not fit the schema.
func refusesBroken(t *testing.T, s *schema, results []byte) {
	t.Helper()
	for _, c := range []struct{ place, old, by string }{
		{"version", `"version": 1`, `"version": 2`},
		{"word", `"word": "`, `"word": "SAFE `},
		{"seed", `"seed": `, `"seed": -`},
		{"sha256", `"sha256": "`, `"sha256": "z`},
		{"duration", `"duration": "`, `"duration": "about `},
		{"claimed", `"claimed": true`, `"claimed": "yes"`},
		{"opinion", `"segments": `, `"segment": `},
		{"unknown", `"nodes": `, `"knots": 1, "nodes": `},
	} {
		broken := bytes.Replace(results, []byte(c.old), []byte(c.by), 1)
		if bytes.Equal(broken, results) {
			t.Errorf("%s: the results have no %q", c.place, c.old)
		} else if len(s.check(decode(t, broken))) == 0 {
			t.Errorf("%s: results with %q fit the schema", c.place, c.by)
		}
	}
}
