package admin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"causeway/internal/journey"
)

const docRepro = `Sends a kept call again: directly to its upstream and through the gateway, and compares status, header, body and time. The answer has a curl script for the upstream's owner, without secrets.
A method that may write is sent only with "unsafe": true: the work may have been done, and would be done, or billed, once more for each way. A body that was masked or cut is never sent as if it were whole: give the whole one.
The header fields that the configuration adds are sent to the service's own target alone, and leave this process nowhere else.`

// reproLongest bounds one reproduction.
const reproLongest = 4 * time.Minute

// Reproduction says how a call is sent again.
type Reproduction struct {
	Unsafe  bool     // methods that may write as well
	Only    string   // direct | gateway | "" for both
	Query   string   // beside what is kept
	Headers []string // "Name: value"
	Body    []byte   // in place of the kept one, nil for that
	Key     string   // an application's, for the way through the gateway
}

// Reproducer sends a call again. The error is a *Problem where the one who asked has to do something, and else a
// reason why the call can't be sent again, for them to read.
type Reproducer func(ctx context.Context, j *journey.Journey, how Reproduction) (*Repro, error)

// Repro is what came of it.
type Repro struct {
	CallID      string       `json:"call_id" doc:"The call that was sent again."`
	Method      string       `json:"method" example:"GET" doc:"Its method."`
	Path        string       `json:"path" example:"/orders/7" doc:"Its path as the caller had sent it."`
	Service     string       `json:"service,omitempty" example:"orders" doc:"Its service. Missing for a call to a model."`
	Model       string       `json:"model,omitempty" example:"fast" doc:"The model that the caller named. Missing for a call to a service."`
	Target      string       `json:"target" example:"http://127.0.0.1:9001" doc:"Where it was sent directly."`
	Kept        ReproAnswer  `json:"kept" doc:"The answer that the call log has."`
	Direct      *ReproAnswer `json:"direct,omitempty" doc:"The upstream's answer without the gateway."`
	Gateway     *ReproAnswer `json:"gateway,omitempty" doc:"The answer through the gateway."`
	Differences []string     `json:"differences,omitempty" nullable:"false" doc:"Between the two."`
	Meaning     string       `json:"meaning" doc:"What that says."`
	Advice      []string     `json:"advice,omitempty" nullable:"false" doc:"What to do."`
	Notes       []string     `json:"notes,omitempty" nullable:"false" doc:"What was not sent as the caller had sent it."`
	Script      string       `json:"script" doc:"A POSIX shell script with curl that does the same without the gateway. Secrets are environment variables in it."`
}

// ReproAnswer is one answer.
type ReproAnswer struct {
	Status      int     `json:"status" example:"502" doc:"0: there was none."`
	Kind        string  `json:"kind,omitempty" example:"connection_refused" doc:"The kind of the failure."`
	Detail      string  `json:"detail,omitempty" doc:"What was seen."`
	MS          float64 `json:"ms" doc:"How long it took."`
	FirstByteMS float64 `json:"first_byte_ms,omitempty" doc:"Until its first byte."`
	Phases      string  `json:"phases,omitempty" doc:"Where the time went."`
	Bytes       int     `json:"bytes" doc:"Of the body."`
	Body        string  `json:"body,omitempty" doc:"Its beginning."`
	CallID      string  `json:"call_id,omitempty" doc:"The id of the call through the gateway."`
}

type reproInput struct {
	ID   string `path:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"The call's id."`
	Body struct {
		Unsafe  bool     `json:"unsafe,omitempty" doc:"Send a method that may write as well."`
		Only    string   `json:"only,omitempty" enum:"direct,gateway" doc:"One way instead of both."`
		Query   string   `json:"query,omitempty" maxLength:"8000" doc:"The query, in place of the kept one."`
		Headers []string `json:"headers,omitempty" maxItems:"50" nullable:"false" doc:"Header fields, NAME: VALUE, in place of the kept ones of the same names."`
		Body    string   `json:"body,omitempty" contentEncoding:"base64" doc:"The whole body, in base64, in place of the kept one."`
		Key     string   `json:"key,omitempty" maxLength:"500" doc:"An application's key, for the way through the gateway."`
	} `nameHint:"NewRepro"`
}

type reproOutput struct{ Body Repro }

func (a *api) reproduce(ctx context.Context, in *reproInput) (*reproOutput, error) {
	if a.Reproduce == nil {
		return nil, &Problem{Status: http.StatusNotImplemented, Detail: "This process sends no calls again."}
	}
	j, err := a.call(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	how := Reproduction{Unsafe: in.Body.Unsafe, Only: in.Body.Only, Query: in.Body.Query, Headers: in.Body.Headers, Key: in.Body.Key}
	if in.Body.Body != "" {
		if how.Body, err = base64.StdEncoding.DecodeString(in.Body.Body); err != nil {
			return nil, invalid(FieldError{In: "body", Pointer: "#/body", Detail: "must be base64"})
		}
	}
	if !a.examined.enter() {
		return nil, &Problem{
			Status: http.StatusServiceUnavailable, headers: http.Header{"Retry-After": {"10"}},
			Detail: fmt.Sprintf("%d examinations are under way, which is the most at a time.", doctorAtOnce),
		}
	}
	defer a.examined.leave(nil)
	ctx, cancel := context.WithTimeout(ctx, reproLongest)
	defer cancel()
	a.Log.InfoContext(ctx, "call sent again", "username", visitOf(ctx).who.Account, "call", j.ID.String(), "unsafe", how.Unsafe)
	r, err := a.Reproduce(ctx, j, how)
	if err != nil {
		return nil, err
	}
	return &reproOutput{*r}, nil
}

// takesLargeBody lets a whole request body in.
func takesLargeBody(_ *api, op *huma.Operation) { op.MaxBodyBytes = 16 << 20 }

// ReproOf makes a Repro of one in JSON that has the same members.
func ReproOf(b []byte) (*Repro, error) {
	var r Repro
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("reading a reproduction: %w", err)
	}
	return &r, nil
}
