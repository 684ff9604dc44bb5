package admin

import (
	"context"

	"causeway/internal/journey"
)

const (
	docListCalls = `Ended calls, the newest first. Filters are joined by "and"; a parameter that is not known, or has a wrong value, is refused.
A call is listed as soon as it has ended.`
	docCall = `One call with its attempts and the time of every phase.`
)

// CallList is a page of calls.
type CallList struct {
	Calls      []CallSummary `json:"calls" nullable:"false" doc:"The newest first."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"cursor of the next page. Missing: this is the last."`
}

type listCallsOutput struct{ Body CallList }

func (a *api) listCalls(ctx context.Context, in *listCallsInput) (*listCallsOutput, error) {
	q, err := in.parse(a.Now())
	if err != nil {
		return nil, err
	}
	page, err := a.Calls.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	list := CallList{Calls: make([]CallSummary, 0, len(page.Calls)), NextCursor: page.Next}
	for i := range page.Calls {
		list.Calls = append(list.Calls, summaryView(&page.Calls[i]))
	}
	return &listCallsOutput{list}, nil
}

type callInput struct {
	ID string `path:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"The call's id: the Causeway-Call-Id of its answer."`
}

type callOutput struct{ Body Call }

func (a *api) getCall(ctx context.Context, in *callInput) (*callOutput, error) {
	j, err := a.call(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &callOutput{a.callView(j)}, nil
}

// call fetches a call, or says what is wrong with its id.
func (a *api) call(ctx context.Context, text string) (*journey.Journey, error) {
	id, ok := journey.ParseID(text)
	if !ok {
		return nil, invalid(FieldError{In: "path", Pointer: "#/id", Detail: "must be a call's id, 26 letters and digits, and not " + quoted(text)})
	}
	j, found, err := a.Calls.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("No call with the id "+id.String()+" is kept.",
			"A call is kept once it has ended, for as long as calls.keep and calls.max_size in the configuration allow.")
	}
	return &j, nil
}
