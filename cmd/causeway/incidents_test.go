package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"causeway/internal/admin"
	"causeway/internal/fault"
	"causeway/internal/incident"
	"causeway/internal/store"
)

// Without a running instance the data folder tells how things stood.
func TestIncidentsOfAStoppedInstance(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Minute).UTC()
	i := incident.Incident{
		ID: "01KAPZQ4M8X3V7N2T5R9W6YB1C", State: incident.Open, Kind: fault.ConnectionRefused, Cause: fault.Software, Services: []string{"orders"},
		Target: "http://127.0.0.1:9001", Onset: at, Opened: at, LastSeen: at, Calls: 7,
	}
	data, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	row := store.Incident{ID: i.ID, Going: "f", State: string(i.State), Kind: string(i.Kind), Services: i.Services, LastSeen: i.LastSeen, Data: data}
	if err := db.PutIncidents(t.Context(), []store.Incident{row}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CAUSEWAY_SERVER", "")
	for _, c := range []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"the open ones", nil, 1, "No instance runs on " + dir, ""},
		{"the table", nil, 1, i.ID + "  open", ""},
		{"those of another service", []string{"--service", "other"}, 0, "no incident fits", ""},
		{"one", []string{i.ID}, 0, "connection_refused", ""},
		{"one that is not", []string{"01KAPZQ4M8X3V7N2T5R9W6YB1D"}, 1, "", "no incident 01KAPZQ4M8X3V7N2T5R9W6YB1D is kept"},
		{"a state that is none", []string{"--state", "odd"}, 2, "", "must be some of open"},
		{"too many", []string{"--limit", "501"}, 2, "", "between 1 and 500"},
	} {
		code, out, err := causeway(append([]string{"incidents", "--data", dir}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(err, c.err) || strings.Count(err, "\n") > 1 {
			t.Errorf("%s: exit %d\n%s\n%s", c.name, code, out, err)
		}
	}
	var list admin.IncidentList
	if code, out, _ := causeway("incidents", "--data", dir, "--json"); code != 1 || json.Unmarshal([]byte(out), &list) != nil || len(list.Incidents) != 1 || list.Incidents[0].Calls != 7 {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, _, err := causeway("incidents", "--data", dir+"/none"); code != 2 || !strings.Contains(err, "--data, --server") {
		t.Errorf("exit %d\n%s", code, err)
	}
}
