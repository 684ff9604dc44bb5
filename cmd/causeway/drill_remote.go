package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"causeway/internal/drill"
)

// remote asks a running instance to drill itself. there is false where none was named and none runs.
func (f *drillFlags) remote(ctx context.Context, tell func(drill.Step)) (r *drill.Report, there bool, err error) {
	if f.server == "" && !runs(f.data) {
		return nil, false, nil
	}
	client, base, token := reach(f.server, f.token, f.data)
	defer client.CloseIdleConnections()
	body, err := json.Marshal(map[string]any{"only": f.only, "faults": f.faults, "full": f.full, "try": f.try})
	if err != nil {
		return nil, true, err
	}
	rq, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/drill", bytes.NewReader(body))
	if err != nil {
		return nil, true, undrilled("%q is not a URL", f.server)
	}
	rq.Header.Set("Content-Type", "application/json")
	if token != "" {
		rq.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(rq)
	if err != nil {
		if f.server == "" {
			return nil, false, nil // a socket that a killed process has left
		}
		return nil, true, undrilled("asking the running instance: %v", err)
	}
	defer res.Body.Close()
	if err := turnedAway(res); err != nil {
		return nil, true, undrilled("%v", err)
	}
	if res.StatusCode == http.StatusOK {
		if r, err = readDrill(res.Body, tell); err != nil {
			return nil, true, undrilled("%v", err)
		}
		return r, true, nil
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16)) // what there is of it is shown
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(text, &problem) == nil && problem.Detail != "" {
		return nil, true, undrilled("the running instance answered %s: %s", res.Status, problem.Detail)
	}
	return nil, true, undrilled("%s", fmt.Sprintf("the running instance answered %s", res.Status))
}
