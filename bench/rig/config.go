package rig

import (
	"bytes"
	_ "embed" // for the configurations below
	"fmt"
	"text/template"

	"causeway/bench/answers"
)

var (
	//go:embed conf/nginx.conf.tmpl
	nginxTemplate string
	//go:embed conf/haproxy.cfg.tmpl
	haproxyTemplate string
	//go:embed conf/causeway.yaml.tmpl
	causewayTemplate string
)

// settings fill a configuration's template.
type settings struct {
	Dir, Listen, Upstream, Key             string
	Descriptors                            uint64
	TLS                                    *Certificate // nil: plain
	CallerModel, UpstreamModel, CrossModel string
}

func render(text string, s settings) (string, error) {
	s.CallerModel, s.UpstreamModel, s.CrossModel = answers.CallerModel, answers.UpstreamModel, answers.CrossModel
	t, err := template.New("").Parse(text)
	if err != nil {
		return "", fmt.Errorf("reading a configuration's template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, s); err != nil {
		return "", fmt.Errorf("filling a configuration's template: %w", err)
	}
	return b.String(), nil
}

// Configurations are the proxies' configurations by name, those of the rows over TLS, with placeholders
// for what differs between two runs: for documentation.
func Configurations(descriptors uint64) (map[string]string, error) {
	shown := map[string]string{}
	for name, text := range map[string]string{Nginx: nginxTemplate, HAProxy: haproxyTemplate, Causeway: causewayTemplate} {
		var err error
		shown[name], err = render(text, settings{
			Dir: "DIR", Listen: "127.0.0.1:PORT", Upstream: "127.0.0.1:MOCK", Key: "KEY", Descriptors: descriptors,
			TLS: &Certificate{CertFile: "DIR/cert.pem", KeyFile: "DIR/key.pem", BothFile: "DIR/both.pem"},
		})
		if err != nil {
			return nil, err
		}
	}
	return shown, nil
}
