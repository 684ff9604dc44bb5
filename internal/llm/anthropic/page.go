package anthropic

import (
	"net/url"
	"strconv"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

var _ llm.Pager = Dialect{}

// mostOnPage is the most models that a page may have.
const mostOnPage = 1000

// AppendModelPage appends the models that limit, after_id and before_id ask for. Without a limit all of them are
// one page.
//
// Source: docs.claude.com/en/api/models-list.
func (d Dialect) AppendModelPage(dst []byte, models []llm.Model, query string) ([]byte, error) {
	values, _ := url.ParseQuery(query)
	after, before := values.Get("after_id"), values.Get("before_id")
	if after != "" && before != "" {
		return nil, &llm.RequestError{Pointer: "/before_id", Problem: "can't be said together with after_id"}
	}
	limit := len(models)
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostOnPage {
			return nil, &llm.RequestError{Pointer: "/limit", Problem: "must be a whole number from 1 to 1000"}
		}
		limit = n
	}
	more := false
	switch {
	case after != "":
		i := placeOf(models, after)
		if i < 0 {
			return nil, &llm.RequestError{Pointer: "/after_id", Problem: "is no model of this list"}
		}
		models = models[i+1:]
		more = len(models) > limit
		models = models[:min(limit, len(models))]
	case before != "":
		i := placeOf(models, before)
		if i < 0 {
			return nil, &llm.RequestError{Pointer: "/before_id", Problem: "is no model of this list"}
		}
		models = models[:i]
		more = len(models) > limit
		models = models[max(0, len(models)-limit):]
	default:
		more = len(models) > limit
		models = models[:min(limit, len(models))]
	}
	return d.appendPage(dst, models, more), nil
}

func placeOf(models []llm.Model, id string) int {
	for i := range models {
		if models[i].ID == id {
			return i
		}
	}
	return -1
}

func (d Dialect) appendPage(dst []byte, models []llm.Model, more bool) []byte {
	dst = append(dst, `{"data":[`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = d.AppendModel(dst, m)
	}
	dst = append(dst, `],"first_id":`...)
	if len(models) == 0 {
		return append(dst, `null,"has_more":false,"last_id":null}`...)
	}
	dst = jsonscan.Quote(dst, models[0].ID)
	dst = append(dst, `,"has_more":`...)
	dst = strconv.AppendBool(dst, more)
	dst = append(dst, `,"last_id":`...)
	dst = jsonscan.Quote(dst, models[len(models)-1].ID)
	return append(dst, '}')
}
