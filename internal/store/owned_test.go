package store

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestOwned(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	db, err := Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	put := func(o Owned, replace bool) {
		t.Helper()
		if err := db.PutOwned(ctx, o, replace); err != nil {
			t.Fatal(err)
		}
	}
	first := Owned{Provider: "a", ID: "file-1", Tenant: "web", Kind: "file", Created: at, Models: []string{"m1", "m2"}}
	second := Owned{Provider: "b", ID: "file-1", Tenant: "app", Kind: "file", Created: at.Add(time.Second)}
	put(first, true)
	put(second, true)
	put(Owned{Provider: "a", ID: "file-1", Tenant: "app", Kind: "file", Created: at}, false) // it is another's
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(ctx, dir); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if list, err := db.OwnedByID(ctx, "file-1"); err != nil || fmt.Sprint(list) != fmt.Sprint([]Owned{second, first}) {
		t.Errorf("%v: %v", err, list)
	}
	for _, want := range []bool{true, false} {
		if got, err := db.BillOwned(ctx, "a", "file-1"); got != want || err != nil {
			t.Errorf("billed: %v, %v", got, err)
		}
	}
	if ids, err := db.OwnedIDs(ctx, "web", "a", "file"); err != nil || fmt.Sprint(ids) != "[file-1]" {
		t.Errorf("%v: %v", err, ids)
	}
	if ids, err := db.OwnedIDs(ctx, "web", "a", "batch"); err != nil || len(ids) != 0 {
		t.Errorf("%v: %v", err, ids)
	}
	first.Tenant = "app"
	put(first, true) // made anew
	if ids, err := db.OwnedIDs(ctx, "web", "a", "file"); err != nil || len(ids) != 0 {
		t.Errorf("%v: %v", err, ids)
	}
	for range 2 {
		if err := db.DropOwned(ctx, "a", "file-1"); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := db.OwnedByID(ctx, "file-1"); err != nil || len(list) != 1 {
		t.Errorf("%v: %v", err, list)
	}
}
