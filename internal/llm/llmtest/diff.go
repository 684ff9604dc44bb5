package llmtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// Value decodes JSON; a member that is null counts as one that is not there, since it says nothing.
func Value(t testing.TB, text []byte) any {
	t.Helper()
	v, err := decode(text)
	if err != nil {
		t.Fatalf("%v: %.2000s", err, text)
	}
	return v
}

func decode(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("something follows the JSON text")
	}
	return withoutNulls(v), nil
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, m := range v {
			if m == nil {
				delete(v, name)
				continue
			}
			v[name] = withoutNulls(m)
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

// Diff lists where two decoded JSON values differ, as pointers with a sign before them: "-/a" is only
// in a, "+/a" only in b, "~/a" is another value. Numbers are compared by value.
func Diff(a, b any) []string {
	var list []string
	diff("", a, b, &list)
	slices.Sort(list)
	return list
}

func diff(path string, a, b any, list *[]string) {
	switch a := a.(type) {
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			for name, v := range a {
				if other, ok := b[name]; ok {
					diff(path+"/"+name, v, other, list)
				} else {
					*list = append(*list, "-"+path+"/"+name)
				}
			}
			for name := range b {
				if _, ok := a[name]; !ok {
					*list = append(*list, "+"+path+"/"+name)
				}
			}
			return
		}
	case []any:
		if b, ok := b.([]any); ok {
			for i := range max(len(a), len(b)) {
				at := path + "/" + strconv.Itoa(i)
				switch {
				case i >= len(b):
					*list = append(*list, "-"+at)
				case i >= len(a):
					*list = append(*list, "+"+at)
				default:
					diff(at, a[i], b[i], list)
				}
			}
			return
		}
	case json.Number:
		if b, ok := b.(json.Number); ok && sameNumber(a, b) {
			return
		}
	}
	if !reflect.DeepEqual(a, b) {
		*list = append(*list, "~"+path)
	}
}

func sameNumber(a, b json.Number) bool {
	x, errX := a.Float64()
	y, errY := b.Float64()
	return a == b || errX == nil && errY == nil && x == y
}

// Covers tells whether pattern allows the difference at, one of Diff's. "*" in a pattern stands for one
// name, "**" at its end for whatever is below and for itself; a sign before it narrows it down to that sign.
func Covers(pattern, at string) bool {
	if pattern == "" || at == "" {
		return false
	}
	if strings.ContainsRune("+-~", rune(pattern[0])) {
		if pattern[0] != at[0] {
			return false
		}
		pattern = pattern[1:]
	}
	want, have := strings.Split(pattern, "/"), strings.Split(at[1:], "/")
	for i, name := range want {
		if name == "**" {
			return true
		}
		if i >= len(have) || name != "*" && name != have[i] {
			return false
		}
	}
	return len(want) == len(have)
}

// Unexpected are the differences that no pattern covers, and Needless the patterns that cover none.
func Unexpected(differences, patterns []string) (unexpected, needless []string) {
	used := make([]bool, len(patterns))
	for _, at := range differences {
		found := false
		for i, p := range patterns {
			if Covers(p, at) {
				found, used[i] = true, true
			}
		}
		if !found {
			unexpected = append(unexpected, at)
		}
	}
	for i, p := range patterns {
		if !used[i] {
			needless = append(needless, p)
		}
	}
	return unexpected, needless
}

// plain turns canonical values into what JSON decodes to, so that Diff can compare them. Places in the
// caller's body are left out; places notes them by the path of the value that stands there.
func plain(v reflect.Value, path string, doc *jsontree.Doc, places map[string]string) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem(), path, doc, places)
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch {
			case f.Type == reflect.TypeFor[jsontree.Ref]():
				if n := doc.At(jsontree.Ref(v.Field(i).Int())); f.Name == "At" && n.Exists() && places != nil {
					places[path] = n.Path()
				}
			case f.Type == reflect.TypeFor[*jsontree.Doc](), f.Name == "Lost":
			default:
				name := path + "/" + f.Name
				if f.Anonymous {
					name = path
				}
				if e := plain(v.Field(i), name, doc, places); e != nil {
					m[f.Name] = e
				}
			}
		}
		if len(m) == 0 {
			return nil
		}
		return m
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return decoded(v.Bytes())
		}
		var list []any
		for i := range v.Len() {
			e := plain(v.Index(i), path+"/"+strconv.Itoa(i), doc, places)
			if v.Kind() == reflect.Array { // Params: by number, those that were said
				if e != nil {
					list = append(list, map[string]any{"id": strconv.Itoa(i), "is": e})
				}
				continue
			}
			list = append(list, e)
		}
		if list == nil {
			return nil
		}
		return list
	case reflect.String:
		if v.Len() == 0 {
			return nil
		}
		if s := v.String(); s[0] == '{' {
			return decoded([]byte(s))
		}
		return strings.Clone(v.String())
	}
	if v.IsZero() {
		return nil
	}
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprint(v.Interface())
}

// decoded decodes what is JSON, such as the arguments of a tool, and leaves the rest as it is.
func decoded(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	if v, err := decode(b); err == nil {
		return v
	}
	return string(b)
}

// PlainAnswer is an answer as Diff compares it.
func PlainAnswer(a *canon.Answer) any { return plain(reflect.ValueOf(a), "", nil, nil) }

// PlainRequest is a request as Diff compares it: its parameters by their numbers, its Doc left out.
func PlainRequest(r *canon.Request) any {
	m, _ := plainRequest(r)
	return m
}

// plainRequest is PlainRequest with the places of its pieces in the caller's body, by their path.
func plainRequest(r *canon.Request) (map[string]any, map[string]string) {
	places := map[string]string{}
	m, _ := plain(reflect.ValueOf(r), "", r.Doc, places).(map[string]any)
	delete(m, "Params")
	params := map[string]any{}
	for id := range canon.NumParams {
		if p := r.Params[id]; p.JSON != nil {
			name := strconv.Itoa(int(id))
			params[name] = decoded(p.JSON)
			places["/Params/"+name] = r.Doc.At(p.At).Path()
		}
	}
	if len(params) > 0 {
		m["Params"] = params
	}
	return m, places
}
