package gemini

import (
	"net/url"
	"strconv"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

var _ llm.Pager = Dialect{}

// mostOnPage is the most models that a page has, whatever pageSize says.
const mostOnPage = 1000

// AppendModelPage appends the models that pageSize and pageToken ask for. Without a pageSize all that are left are
// one page. A token is the name of the model with which its page begins.
//
// Source: ai.google.dev/api/models#method:-models.list.
func (d Dialect) AppendModelPage(dst []byte, models []llm.Model, query string) ([]byte, error) {
	values, _ := url.ParseQuery(query)
	size := len(models)
	if text := values.Get("pageSize"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, &llm.RequestError{Pointer: "/pageSize", Problem: "must be a whole number"}
		}
		if n > 0 {
			size = min(n, mostOnPage)
		}
	}
	if token := values.Get("pageToken"); token != "" {
		at := -1
		for i := range models {
			if models[i].ID == token {
				at = i
				break
			}
		}
		if at < 0 {
			return nil, &llm.RequestError{Pointer: "/pageToken", Problem: "is none that a page of this list ended with"}
		}
		models = models[at:]
	}
	if size >= len(models) {
		return d.AppendModels(dst, models), nil
	}
	dst = d.AppendModels(dst, models[:size])
	dst = append(dst[:len(dst)-1], `,"nextPageToken":`...)
	return append(jsonscan.Quote(dst, models[size].ID), '}'), nil
}
