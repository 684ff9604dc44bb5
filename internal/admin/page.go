package admin

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

const docIndex = `A plain page that says what is where. It needs no sign-in and shows no secret.`

//go:embed index.html
var indexHTML string

// page is a page and the policy under which it works.
type page struct {
	html []byte
	csp  string
}

// newPage makes GET /. The page has one style element and no script; the policy names the style by
// its hash, so that nothing else would be applied, wherever it came from.
func newPage(info Info) (page, error) {
	t, err := template.New("index").Parse(indexHTML)
	if err != nil {
		return page{}, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, info); err != nil {
		return page{}, err
	}
	_, style, _ := strings.Cut(b.String(), "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	csp := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return page{html: b.Bytes(), csp: csp}, nil
}

func (a *api) getIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", a.page.csp)
	// An error here means that the client has left, and there is no one else to tell.
	_, _ = w.Write(a.page.html)
}
