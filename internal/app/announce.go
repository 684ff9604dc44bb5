package app

import (
	"fmt"
	"os"
	"strings"
)

// announce prints the ready line, and on a terminal five things to try.
func (a *App) announce() {
	urls := a.urls()
	also := ""
	if len(urls) > 1 {
		also = " also=" + strings.Join(urls[1:], ",")
	}
	fmt.Fprintf(a.o.Stdout, "ready gateway=%s console=%s%s\n", urls[0], a.ConsoleURL(), also)
	if !a.o.Terminal || a.o.Inherited != nil {
		return
	}
	if a.o.Catalog != nil && a.o.Catalog.LLM.Off {
		a.announceProxy()
		return
	}
	key, gw := a.sandboxKey, a.GatewayURL()
	if key == "" {
		key = "YOUR_KEY"
	}
	insecure := ""
	if strings.HasPrefix(gw, "https:") {
		insecure = " -k"
	}
	chat := func(model string, stream bool) string {
		flag := ""
		if stream {
			flag = `,"stream":true`
		}
		return fmt.Sprintf(`curl%s -sN %s/v1/chat/completions -H "Authorization: Bearer %s" -H "Content-Type: application/json" -d '{"model":"%s"%s,"messages":[{"role":"user","content":"Hello, who is there?"}]}'`, insecure, gw, key, model, flag)
	}
	fmt.Fprintf(a.o.Stdout, `
Five things to try:
  1. Ask the built-in model:
     %s
  2. The same, token by token:
     %s
  3. From Python or Node, with the official openai package:
     OPENAI_BASE_URL=%s/v1 OPENAI_API_KEY=%s   and   model="sandbox/echo"
  4. Break something, and read why:
     %s
  5. Put the gateway before a server of your own, stop that server, and ask again:
     %s proxy http://127.0.0.1:8000 --listen 127.0.0.1:8081 --console 127.0.0.1:8091 --data ./data-proxy

Explain a call by its id:  %s explain ID --data %s
`, chat("sandbox/echo", false), chat("sandbox/echo", true), gw, key, chat("sandbox/fault-connection_refused", false), program(), program(), a.o.DataDir)
}

func (a *App) announceProxy() {
	target := ""
	for _, s := range a.o.Catalog.Services {
		target = s.Upstream.Targets[0].URL
	}
	fmt.Fprintf(a.o.Stdout, `
Everything that comes to %s goes to %s. Try:
  curl -i %s/
  stop the server behind it, ask again, and read why;
  %s explain ID --data %s      with the ID from the header Causeway-Call-Id
`, a.GatewayURL(), target, a.GatewayURL(), program(), a.o.DataDir)
}

func program() string {
	if len(os.Args) > 0 && os.Args[0] != "" {
		return os.Args[0]
	}
	return "causeway"
}
