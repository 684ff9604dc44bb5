package jsontree_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

func parse(t *testing.T, text string) *jsontree.Doc {
	t.Helper()
	d, err := jsontree.Parse([]byte(text), true)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestValues(t *testing.T) {
	root := parse(t, `{"s":"a\u00e9\n","plain":"x","i":-7,"whole":2.0,"exp":1e2,"f":0.25,"yes":true,"no":false,"null":null,"list":[1,[2]],"o":{"a":{"b":"deep"}}}`).Root()
	if s := root.Get("s").Str(); s != "aé\n" {
		t.Errorf("an escaped string is %q", s)
	}
	if s := root.Get("plain").Str(); s != "x" {
		t.Errorf("a plain string is %q", s)
	}
	for name, want := range map[string]int64{"i": -7, "whole": 2, "exp": 100} {
		if v, ok := root.Get(name).Int(); !ok || v != want {
			t.Errorf("%s is %d, %v", name, v, ok)
		}
	}
	if v, ok := root.Get("f").Float(); !ok || v != 0.25 {
		t.Errorf("f is %v, %v", v, ok)
	}
	if v, ok := root.Get("yes").Bool(); !v || !ok {
		t.Error("yes is not true")
	}
	if v, ok := root.Get("no").Bool(); v || !ok {
		t.Error("no is not false")
	}
	null, missing := root.Get("null"), root.Get("other")
	if !null.Exists() || null.Said() || missing.Exists() || missing.Said() {
		t.Error("null and what is missing are told apart by Exists, and neither is said")
	}
	for _, n := range []jsontree.Node{null, missing} {
		_, i := n.Int()
		_, f := n.Float()
		_, b := n.Bool()
		if n.Str() != "" || i || f || b || n.Get("x").Exists() || n.Len() != 0 {
			t.Error("what does not say anything has a value")
		}
	}
	if v := root.Get("o").Get("a").Get("b"); v.Str() != "deep" || v.Name() != "b" {
		t.Errorf("o.a.b is %q, named %q", v.Str(), v.Name())
	}
	if list := root.Get("list"); list.Len() != 2 || !list.IsArray() || string(list.Raw()) != "[1,[2]]" {
		t.Errorf("list is %s", list.Raw())
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, text, pointer string
		read                func(root jsontree.Node)
	}{
		{"a member twice", `{"model":"a","x":1,"model":"b"}`, "/model", func(r jsontree.Node) { r.Get("model") }},
		{"a name written with escapes", `{"mod\u0065l":"a"}`, "/model", func(r jsontree.Node) { r.Get("model") }},
		{"a number for a string", `{"a":[{"b":1}]}`, "/a/0/b", func(r jsontree.Node) {
			r.Get("a").Each(func(_ int, e jsontree.Node) { e.Get("b").Str() })
		}},
		{"a fraction for a whole number", `{"n":1.5}`, "/n", func(r jsontree.Node) { r.Get("n").Int() }},
		{"a string for a whole number", `{"n":"1"}`, "/n", func(r jsontree.Node) { r.Get("n").Int() }},
		{"a string for a number", `{"n":"1"}`, "/n", func(r jsontree.Node) { r.Get("n").Float() }},
		{"a number too large", `{"n":1e999}`, "/n", func(r jsontree.Node) { r.Get("n").Float() }},
		{"a string for true or false", `{"b":"true"}`, "/b", func(r jsontree.Node) { r.Get("b").Bool() }},
		{"names with slash and tilde", `{"a/b":{"c~d":1}}`, "/a~1b/c~0d", func(r jsontree.Node) { r.Get("a/b").Get("c~d").Str() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.text)
			c.read(d.Root())
			if f := d.Fault(); f == nil || f.Pointer != c.pointer || f.Problem == "" || !strings.Contains(f.Error(), c.pointer) {
				t.Errorf("%v", f)
			}
		})
	}
	d := parse(t, `{"a":{}}`)
	d.Missing(d.Root().Get("a"), "b/c")
	d.Fail(d.Root(), "comes later")
	if f := d.Fault(); f.Pointer != "/a/b~1c" || f.Problem != "is missing" || f.Offset != 5 {
		t.Errorf("%+v", f)
	}
}

func TestNotJSON(t *testing.T) {
	for _, c := range []struct {
		text    string
		offset  int
		pointer string
	}{{"", 0, ""}, {"{", 1, ""}, {`{"a":}`, 5, "/a"}, {`{"a":1}x`, 7, ""}, {"[1,]", 3, "/1"}, {`"\x"`, 2, ""}, {`{"a":[{"b":"x`, 13, "/a/0/b"}} {
		d, err := jsontree.Parse([]byte(c.text), false)
		var fault *jsontree.Fault
		if !errors.As(err, &fault) || fault.Pointer != c.pointer || fault.Offset != c.offset || d.Root().Exists() || d.Fault() != fault {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestUnused(t *testing.T) {
	const text = `{"model":"m","null":null,"user":"u","messages":[{"role":"user","content":"hi","cache":{"a":1}},{"x":1}],"schema":{"deep":{"deeper":1}},"gone":{"a":1}}`
	d := parse(t, text)
	root := d.Root()
	root.Get("model").Str()
	root.Get("messages").Each(func(i int, e jsontree.Node) {
		if i == 0 {
			e.Get("role").Str()
			e.Get("content").Str()
		}
	})
	root.Get("schema").Raw()
	root.Get("gone").Settle()
	paths := func() (list []string) {
		for _, n := range d.Unused() {
			list = append(list, n.Path())
		}
		return list
	}
	if got, want := paths(), []string{"user", "messages.0.cache", "messages.1.x"}; !slices.Equal(got, want) {
		t.Errorf("unused %q, want %q", got, want)
	}
	root.Get("model").Leave()
	root.Get("messages").Settle()
	if got, want := paths(), []string{"model", "user"}; !slices.Equal(got, want) {
		t.Errorf("unused %q, want %q", got, want)
	}
	if d.Unused()[0].Pointer() != "/model" || d.Root().Path() != "" {
		t.Error("pointers and paths")
	}
}

func TestNobodyLooked(t *testing.T) {
	if list := parse(t, `{"a":1}`).Unused(); len(list) != 1 || list[0].Path() != "" {
		t.Errorf("%v", list)
	}
}

func TestFirst(t *testing.T) {
	d := parse(t, `{"max_tokens":null,"maxTokens":7,"old":1}`)
	if v, ok := d.Root().First("max_tokens", "maxTokens", "old").Int(); !ok || v != 7 {
		t.Errorf("%d, %v", v, ok)
	}
	if list := d.Unused(); len(list) != 0 {
		t.Errorf("all of the names count as looked at, %d do not", len(list))
	}
	if d.Root().First("x", "y").Exists() {
		t.Error("none of them is there")
	}
}

func TestRefs(t *testing.T) {
	d := parse(t, `{"a":[10,20]}`)
	var ref jsontree.Ref
	d.Root().Get("a").Each(func(i int, e jsontree.Node) {
		if i == 1 {
			ref = e.Ref()
		}
	})
	if n := d.At(ref); n.Path() != "a.1" || string(n.Raw()) != "20" {
		t.Errorf("%s at %s", n.Raw(), n.Path())
	}
	var none *jsontree.Doc
	if none.At(1).Exists() || d.At(0).Exists() || d.At(99).Exists() || (jsontree.Node{}).Ref() != 0 {
		t.Error("a Ref that names nothing gives a node that exists")
	}
}

// TestDepth reads what nests deeper than nodes do: it is still there as text.
func TestDepth(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 80) + "1" + strings.Repeat("}", 80)
	d := parse(t, deep)
	n := d.Root()
	steps := 0
	for n.Get("a").Exists() {
		n = n.Get("a")
		steps++
	}
	if steps != 64 || string(n.Raw()) != strings.Repeat(`{"a":`, 16)+"1"+strings.Repeat("}", 16) {
		t.Errorf("%d steps down stands %s", steps, n.Raw())
	}
	if _, err := jsontree.Parse([]byte(strings.Repeat("[", 5000)), true); err == nil {
		t.Error("5,000 arrays were read")
	}
}

// TestStreamStrings shows that strings of a Doc that does not share outlive its text.
func TestStreamStrings(t *testing.T) {
	var text []byte
	text = append(text, `{"a":"plain"}`...)
	d, err := jsontree.Parse(text, false)
	if err != nil {
		t.Fatal(err)
	}
	s := d.Root().Get("a").Str()
	copy(text, `{"b":"other"}`)
	if err := d.Reset(text); err != nil || s != "plain" || d.Root().Get("b").Str() != "other" || d.Root().Get("a").Exists() {
		t.Errorf("%v, %q", err, s)
	}
}

func TestWriter(t *testing.T) {
	var w jsontree.Writer
	w.Object()
	w.StrMember("s", "a\"\n")
	w.Name("list")
	w.Array()
	w.Int(-1)
	w.Float(0.1)
	w.Null()
	w.Object()
	w.End()
	w.Array()
	w.End()
	w.End()
	w.BoolMember("yes", true)
	w.RawMember("raw", []byte(`{"x":1}`))
	w.Embed(nil)
	w.Embed([]byte(`"m":1,"n":2`))
	w.IntMember("last", 9)
	w.Name("r")
	w.RawStr("[0]")
	w.End()
	const want = `{"s":"a\"\n","list":[-1,0.1,null,{},[]],"yes":true,"raw":{"x":1},"m":1,"n":2,"last":9,"r":[0]}`
	if string(w.Buf) != want || !json.Valid(w.Buf) {
		t.Errorf("%s", w.Buf)
	}
}

// TestReadingAgainAllocatesNothing is what a stream's events cost.
func TestReadingAgainAllocatesNothing(t *testing.T) {
	text := []byte(`{"id":"x","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}],"usage":{"a":1}}`)
	d, err := jsontree.Parse(text, true)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if d.Reset(text) != nil {
			t.Error("a fault")
		}
		d.Root().Get("choices").Len()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// value is the tree as encoding/json decodes it.
func value(n jsontree.Node) any {
	switch n.Kind() {
	case jsonscan.Object:
		m := map[string]any{}
		n.Each(func(_ int, e jsontree.Node) { m[e.Name()] = value(e) })
		return m
	case jsonscan.Array:
		list := []any{}
		n.Each(func(_ int, e jsontree.Node) { list = append(list, value(e)) })
		return list
	case jsonscan.String:
		return n.Str()
	case jsonscan.True, jsonscan.False:
		v, _ := n.Bool()
		return v
	case jsonscan.Number:
		return json.Number(n.Raw())
	}
	return nil
}

// write writes the tree again.
func write(w *jsontree.Writer, n jsontree.Node) {
	switch n.Kind() {
	case jsonscan.Object:
		w.Object()
		n.Each(func(_ int, e jsontree.Node) {
			w.Name(e.Name())
			write(w, e)
		})
		w.End()
	case jsonscan.Array:
		w.Array()
		n.Each(func(_ int, e jsontree.Node) { write(w, e) })
		w.End()
	case jsonscan.String:
		w.Str(n.Str())
	default:
		w.Raw(n.Raw())
	}
}

// FuzzDoc holds the reader and the writer against encoding/json.
func FuzzDoc(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5,-3e7,"x\ud83d\ude00\u2028",true,false,null,{},[]],"b":{"c":"\/"}}`, `"lone \ud800"`, "[]", "\"\xff\"", `{"a":1,"a":2}`, " 7 ", "{", `{"\u0061":"b"}`,
		strings.Repeat("[", 70) + strings.Repeat("]", 70),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := jsontree.Parse(text, true)
		if valid := json.Valid(text); (err == nil) != valid && strings.Count(string(text), "[")+strings.Count(string(text), "{") < jsonscan.MaxDepth {
			t.Fatalf("%v, and encoding/json says %v", err, valid)
		}
		if err != nil {
			return
		}
		decode := func(text []byte) (v any) {
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.UseNumber()
			if err := dec.Decode(&v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		want := decode(text)
		// Str leaves invalid UTF-8 as it is, and the Writer replaces it as encoding/json does.
		if depth(want) <= 64 && utf8.Valid(text) {
			if got := value(d.Root()); !reflect.DeepEqual(got, want) {
				t.Fatalf("read %#v, want %#v", got, want)
			}
		}
		var w jsontree.Writer
		write(&w, d.Root())
		if depth(want) <= 64 && !reflect.DeepEqual(decode(w.Buf), want) {
			t.Fatalf("written %s", w.Buf)
		}
		d.Root().Settle()
		if len(d.Unused()) != 0 {
			t.Fatal("something is unused after all of it was settled")
		}
	})
}

func depth(v any) (deepest int) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	case []any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	default:
		return 0
	}
	return deepest + 1
}
