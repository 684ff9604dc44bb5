package store

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestIncidents(t *testing.T) {
	ctx, db := t.Context(), open(t, t.TempDir())
	put := func(list ...Incident) {
		t.Helper()
		if err := db.PutIncidents(ctx, list); err != nil {
			t.Fatal(err)
		}
	}
	a := Incident{ID: "01A", Going: "refused", State: "open", Kind: "connection_refused", Services: []string{"orders", "stock"}, LastSeen: moment, Data: []byte(`{"n":1}`)}
	b := Incident{ID: "01B", State: "recovered", Kind: "connect_timeout", Services: []string{"web"}, LastSeen: moment.Add(-time.Hour), Data: []byte(`{}`)}
	c := Incident{ID: "01C", Going: "quiet", State: "quiet", Kind: "connect_timeout", LastSeen: moment.Add(-48 * time.Hour), Data: []byte(`{}`)}
	put(a, b, c)
	put()
	for _, x := range []struct {
		name string
		q    IncidentQuery
		want []string
	}{
		{"all, the newest first", IncidentQuery{}, []string{"01C", "01B", "01A"}},
		{"by states", IncidentQuery{States: []string{"open", "quiet"}}, []string{"01C", "01A"}},
		{"by kind", IncidentQuery{Kind: "connect_timeout"}, []string{"01C", "01B"}},
		{"by service", IncidentQuery{Service: "stock"}, []string{"01A"}},
		{"by a part of a service's name", IncidentQuery{Service: "stoc"}, nil},
		{"by a service with a wildcard", IncidentQuery{Service: "%"}, nil},
		{"since", IncidentQuery{Since: moment.Add(-2 * time.Hour)}, []string{"01B", "01A"}},
		{"a page", IncidentQuery{Limit: 1, Before: "01C"}, []string{"01B"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			list, err := db.Incidents(ctx, x.q)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, n := range list {
				ids = append(ids, n.ID)
			}
			if !reflect.DeepEqual(ids, x.want) {
				t.Errorf("got %v, want %v", ids, x.want)
			}
		})
	}
	if got, err := db.Incident(ctx, "01A"); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("got %+v, %v, want %+v", got, err, a)
	}
	if _, err := db.Incident(ctx, "01X"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown one gave %v, want ErrNotFound", err)
	}
	// Another process has opened the same one: there is one.
	again := a
	again.ID = "01D"
	put(again)
	if list, _ := db.Incidents(ctx, IncidentQuery{Kind: "connection_refused"}); len(list) != 1 || list[0].ID != "01D" {
		t.Errorf("the same fingerprint is there twice: %+v", list)
	}
	if n, err := db.DropIncidents(ctx, moment); err != nil || n != 1 {
		t.Errorf("dropped %d, %v, want the one that is over", n, err)
	}
}
