package app

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"causeway/internal/catalog"
)

// catalogChange tells what a configuration has that the one before had not, in words: "service orders
// (upstream.targets, upstream.timeouts)". names are the services, models and providers that it is about; none
// when it may concern all. It is "" where nothing was changed.
func catalogChange(old, c *catalog.Catalog) (text string, names []string) {
	var parts []string
	add := func(what string, list, changed []string) {
		names = append(names, changed...)
		if len(list) > 0 {
			parts = append(parts, what+" "+strings.Join(list, ", "))
		}
	}
	list, changed := differing(old.Services, c.Services)
	add("service", list, changed)
	list, changed = differing(old.Models, c.Models)
	add("model", list, changed)
	list, changed = differing(old.Providers, c.Providers)
	add("provider", list, changed)
	if old.Hash != c.Hash || old.Hash == "" {
		whole := fieldsOf("", reflect.ValueOf(*old), reflect.ValueOf(*c), []string{"Services", "Models", "Providers", "Hash"})
		if len(whole) > 0 {
			parts = append(parts, strings.Join(whole, ", "))
			names = nil
		}
	}
	return strings.Join(parts, "; "), names
}

// differing are the entries of two maps that are not the same, by name.
func differing[T any](old, now map[string]*T) (list, names []string) {
	all := map[string]bool{}
	for name := range old {
		all[name] = true
	}
	for name := range now {
		all[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a, b := old[name], now[name]
		switch {
		case a == nil:
			list = append(list, name+" (new)")
		case b == nil:
			list = append(list, name+" (removed)")
		default:
			fields := fieldsOf("", reflect.ValueOf(*a), reflect.ValueOf(*b), nil)
			if len(fields) == 0 {
				continue
			}
			list = append(list, name+" ("+strings.Join(fields, ", ")+")")
		}
		names = append(names, name)
	}
	return list, names
}

// inner are the members that are told by their own members.
var inner = []string{"Upstream", "Policies"}

// fieldsOf names the members of two structs that differ, as the file writes them.
func fieldsOf(prefix string, a, b reflect.Value, without []string) (list []string) {
	for i := range a.NumField() {
		f := a.Type().Field(i)
		if !f.IsExported() || slices.Contains(without, f.Name) || reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			continue
		}
		if slices.Contains(inner, f.Name) && f.Type.Kind() == reflect.Struct {
			list = append(list, fieldsOf(prefix+snake(f.Name)+".", a.Field(i), b.Field(i), nil)...)
			continue
		}
		list = append(list, prefix+snake(f.Name))
	}
	return list
}

// snake writes a name as the file does: MaxBusy is max_busy, TLS is tls.
func snake(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
