package admin

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"
)

// ReadIncidents is GET /api/v1/incidents for incidents that are read without a running instance; query has the
// parameters of that page. The error says what is wrong with them, or why nothing can be read.
func ReadIncidents(ctx context.Context, from Incidents, query url.Values) (*IncidentList, error) {
	in := &listIncidentsInput{
		State: query.Get("state"), Service: query.Get("service"), Kind: query.Get("kind"), Since: query.Get("since"), Limit: 50, Cursor: query.Get("cursor"),
	}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 500 {
			return nil, errors.New("limit must be between 1 and 500")
		}
		in.Limit = n
	}
	out, err := (&api{Deps: Deps{Incidents: from, Now: time.Now}}).listIncidents(ctx, in)
	if err != nil {
		return nil, inWords(err)
	}
	return &out.Body, nil
}

// ReadIncident is GET /api/v1/incidents/{id} for incidents that are read without a running instance.
func ReadIncident(ctx context.Context, from Incidents, id string) (*Incident, error) {
	out, err := (&api{Deps: Deps{Incidents: from, Now: time.Now}}).getIncident(ctx, &incidentInput{ID: id})
	if err != nil {
		return nil, inWords(err)
	}
	return &out.Body, nil
}

// inWords is a problem as one sentence for a person.
func inWords(err error) error {
	var p *Problem
	if !errors.As(err, &p) {
		return err
	}
	return errors.New(p.Detail)
}
