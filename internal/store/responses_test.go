package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestResponses(t *testing.T) {
	db, err := Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	put := func(tenant, id, root string, at, until time.Time) {
		t.Helper()
		r := Response{Tenant: tenant, ID: id, Root: root, Previous: "p", Provider: "", Model: "fast", Created: at, Expires: until, Size: 100, Input: []byte(`[1]`), Response: []byte(`{"id":1}`)}
		if err := db.PutResponses(ctx, []Response{r}); err != nil {
			t.Fatal(err)
		}
		got, err := db.Response(ctx, tenant, id, at)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(r) {
			t.Fatalf("%v: got %v, want %v", err, got, r)
		}
	}
	has := func(tenant, id string, at time.Time) bool {
		t.Helper()
		_, err := db.Response(ctx, tenant, id, at)
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	hour := time.Hour
	put("web", "a", "a", now, now.Add(hour))
	put("web", "b", "a", now.Add(time.Minute), now.Add(2*hour))
	put("app", "a", "a", now, now.Add(hour))
	if has("other", "a", now) {
		t.Error("a tenant reads another's")
	}
	if !has("web", "a", now.Add(hour)) {
		t.Error("a conversation's first response expired before its last turn")
	}
	if has("app", "a", now.Add(hour)) {
		t.Error("another tenant's conversation of the same name was kept longer")
	}
	if err := db.DeleteResponse(ctx, "app", "b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleting another's: %v", err)
	}
	if n, err := db.SweepResponses(ctx, now.Add(hour), 1<<20); n != 1 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	if err := db.DeleteResponse(ctx, "web", "b"); err != nil || has("web", "b", now) {
		t.Errorf("deleted: %v", err)
	}
	for i := range 450 {
		put("web", fmt.Sprint("r", i), fmt.Sprint("r", i), now.Add(time.Duration(i)*time.Second), now.Add(hour))
	}
	n, err := db.SweepResponses(ctx, now, 1000)
	if err != nil || n != 441 || has("web", "r439", now) || !has("web", "r440", now) {
		t.Errorf("%d removed, %v", n, err)
	}
}
