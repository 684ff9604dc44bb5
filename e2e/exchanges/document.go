package exchanges

import (
	"fmt"
	"strings"
)

// The generated part of docs/protocols.md stands between these lines.
const (
	DocumentBegin = "<!-- Made from e2e/exchanges by go test ./e2e/exchanges -update. Do not edit. -->\n"
	DocumentEnd   = "<!-- The end of what is made from e2e/exchanges. -->\n"
)

// Document is the generated part of docs/protocols.md: who makes which exchanges, and what differs
// through the gateway.
func Document() string {
	var b strings.Builder
	b.WriteString(DocumentBegin)
	list, clients := List(), Clients("", "")
	fmt.Fprintf(&b, "\n`e2e/exchanges` makes %d exchanges with %d clients, once straight with a server and once through the gateway, and compares what both\n", len(list), len(clients))
	b.WriteString("ends see: status, reason phrase, every field with its order and case, trailers, interim answers, framing, body, pace, and the error that a\nprogram gets. Whatever is not in the tables below is the same; a difference that is not there fails `make test`.\n\n")
	b.WriteString("Nothing is [repeated](errors.md#may-the-call-be-repeated) there (`retries: {max: 0}`), so that each end is seen.\n\n")
	b.WriteString("| client | HTTP/1.1 | over TLS | HTTP/2 over TLS | h2c |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range clients {
		fmt.Fprintf(&b, "| %s |", c.About)
		for _, column := range []Column{Plain, TLS, H2, H2C} {
			mark := ""
			for _, has := range c.Columns {
				if has == column {
					mark = "yes"
				}
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteString("\n")
	}
	table := func(title string, rules []Rule) {
		fmt.Fprintf(&b, "\n%s\n\n| through the gateway | why | seen in |\n| --- | --- | --- |\n", title)
		for _, r := range rules {
			seen := "any"
			if r.Exchanges != nil {
				seen = strings.Join(r.Exchanges, ", ")
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", r.What, r.Why, seen)
		}
	}
	table("What the server sees:", requestRules())
	table("What the client sees:", answerRules())
	table("What the client sees over HTTP/2:", http2Rules())
	table("With `protocol: h2c` on the upstream (net/http, node:http2 and bytes on a socket):", roadRules())
	table("When the server fails:", failureRules())
	b.WriteString("\nThe exchanges:\n\n| name | what |\n| --- | --- |\n")
	for _, e := range list {
		fmt.Fprintf(&b, "| %s | %s |\n", e.Name, e.About)
	}
	b.WriteString("\n" + DocumentEnd)
	return b.String()
}
