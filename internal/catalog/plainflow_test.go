package catalog

import (
	"reflect"
	"testing"
)

// YAML 1.2 (7.3.3): inside brackets a colon ends plain text only before a space or one of ,[]{}.
func TestAColonInsideTextOfAListIsAPartOfIt(t *testing.T) {
	for _, tt := range []struct {
		name, list string
		want       []string
	}{
		{"a model with a tag", "[llama3.2:1b, l/llama3.2:3b]", []string{"llama3.2:1b", "l/llama3.2:3b"}},
		{"an address with a port", "[127.0.0.1:8080, 12.5:80, a:1]", []string{"127.0.0.1:8080", "12.5:80", "a:1"}},
		{"addresses of IPv6", "[::1, fe80::/10, 2001:db8::1]", []string{"::1", "fe80::/10", "2001:db8::1"}},
		{"a URL", "[http://a:1/b?c=d:e]", []string{"http://a:1/b?c=d:e"}},
		{"words and other characters", "[true:x, null:y, é:ü, x:ünf:z]", []string{"true:x", "null:y", "é:ü", "x:ünf:z"}},
		{"over several lines", "[\n    a:b, # c:d\n    e:f\n  ]", []string{"a:b", "e:f"}},
		{"in quotes", `["a:b", 'c:d']`, []string{"a:b", "c:d"}},
	} {
		for form, source := range map[string]string{"in braces": "{k: " + tt.list + "}", "in a block": "k: " + tt.list} {
			t.Run(tt.name+" "+form, func(t *testing.T) {
				faults := &faultList{}
				root, _ := readYAML(faults, []byte(source), nil)
				if root == nil || len(faults.list) > 0 || len(root.fields) != 1 {
					t.Fatalf("%s: %v", source, faults.list)
				}
				var got []string
				for _, item := range root.fields[0].value.items {
					if item.kind != stringNode {
						t.Errorf("%s: %q is %s", source, item.text, item.kind)
					}
					got = append(got, item.text)
				}
				if !reflect.DeepEqual(got, tt.want) {
					t.Errorf("%s: %q, want %q", source, got, tt.want)
				}
			})
		}
	}
}

func TestAKeyInsideAListIsStillAKey(t *testing.T) {
	for _, source := range []string{`{k: [{a: b}]}`, `{k: [a: b]}`, `{k: ["a":b]}`, `{k: ["a":"b:c"]}`, `{k: [{a: b:c}]}`, "{k: [{a: b, c: [d:e]}]}"} {
		faults := &faultList{}
		root, _ := readYAML(faults, []byte(source), nil)
		if root == nil || len(faults.list) > 0 {
			t.Errorf("%s: %v", source, faults.list)
			continue
		}
		item := root.fields[0].value.items[0]
		if item.kind != mapNode || item.fields[0].key != "a" {
			t.Errorf("%s: the item is %s", source, item.kind)
		}
	}
}
