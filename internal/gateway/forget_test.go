package gateway

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"causeway/internal/journey"
)

// memoryOf are the fields of a call that keep their memory, emptied, from one call to the next.
var memoryOf = map[string]bool{"rec": true, "pieces": true, "out": true, "arena": true, "pathBuf": true, "rewrite": true}

// TestACallForgetsTheOneBefore fills every field of a call with something, and finds nothing of it
// after forget: what is left would be another caller's.
func TestACallForgetsTheOneBefore(t *testing.T) {
	c := new(call)
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		field := reflect.NewAt(v.Field(i).Type(), unsafe.Pointer(v.Field(i).UnsafeAddr())).Elem()
		soil(field)
		if field.IsZero() && field.Kind() != reflect.Interface && field.Kind() != reflect.Func {
			t.Errorf("this test cannot fill %s (%s)", v.Type().Field(i).Name, field.Type())
		}
	}
	c.forget()
	var fresh journey.Journey
	fresh.Reset()
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		switch {
		case memoryOf[name]:
			if field.Len() != 0 {
				t.Errorf("%s is not empty", name)
			}
		case name == "answer":
			if len(c.answer.Fields) != 0 || c.answer.Has(1) {
				t.Error("answer is not empty")
			}
		case name == "j":
			if j := c.j; len(j.Attempts)+len(j.Notes)+len(j.Policies) != 0 {
				t.Error("the journey's lists are not empty")
			}
			j := c.j
			j.Attempts, j.Notes, j.Policies = nil, nil, nil
			if !reflect.DeepEqual(j, fresh) {
				t.Errorf("the journey is %+v", j)
			}
			for _, a := range c.j.Attempts[:cap(c.j.Attempts)] {
				if !reflect.ValueOf(a).IsZero() {
					t.Errorf("an attempt is left: %+v", a)
				}
			}
		case !field.IsZero():
			t.Errorf("%s is left: %v", name, field)
		}
	}
}

// soil gives a value that is not zero, as far down as it has fields.
func soil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.String:
		v.SetString(strings.Repeat("s", 3))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		s := reflect.MakeSlice(v.Type(), 2, 2)
		for i := range s.Len() {
			soil(s.Index(i))
		}
		v.Set(s)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Array:
		for i := range v.Len() {
			soil(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			soil(reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem())
		}
	}
}
