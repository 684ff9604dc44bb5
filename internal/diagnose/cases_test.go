package diagnose

import (
	"maps"
	"syscall"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// The addresses and names of these cases are canaries: none may show in a safe view.
const (
	canaryHost    = "canary-host.internal.example"
	canaryAddress = "10.66.77.88"
	canaryPort    = "59001"
	canarySecret  = "sk-canary-secret-000"
	canaryTarget  = "http://user:" + canarySecret + "@" + canaryHost + ":" + canaryPort + "/base?token=" + canarySecret
	canarySocket  = "/run/canary/app.sock"
)

var callTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// attempt is an attempt on a new connection that got as far as waiting for the answer of a
// request with a body; change makes it the one of the case.
func attempt(change func(a *journey.Attempt)) journey.Attempt {
	a := journey.Attempt{
		Target: canaryTarget, Address: canaryAddress + ":" + canaryPort,
		Phase: journey.PhaseWait, End: journey.EndEOF,
		DNSTime: 1200 * time.Microsecond, ConnectTime: 200 * time.Microsecond, SendTime: 100 * time.Microsecond,
		Total: 12 * time.Millisecond, Silence: 10 * time.Millisecond,
		BytesOut: 345, BodyOut: 100, BodyOutLen: 100, SendComplete: true, BodyInLen: -1,
		Tries: []journey.AddressTry{{Address: canaryAddress + ":" + canaryPort, Took: 200 * time.Microsecond}},
	}
	change(&a)
	return a
}

// before puts an attempt back to a phase in which nothing of the request was sent.
func before(a *journey.Attempt, p journey.Phase, e journey.End) {
	a.Phase, a.End = p, e
	a.BytesOut, a.BodyOut, a.SendComplete, a.SendTime = 0, 0, false, 0
	if p < journey.PhaseTLS {
		a.Tries = nil
	}
	if p == journey.PhaseDNS {
		a.Address, a.ConnectTime = "", 0
	}
}

func post(a journey.Attempt) Input {
	return Input{Service: "orders", Method: "POST", Attempts: []journey.Attempt{a}, Time: callTime}
}

func get(a journey.Attempt) Input {
	in := post(a)
	in.Method, in.Idempotent = "GET", true
	return in
}

func (in Input) worked() Input {
	in.History = History{Known: true, EverGood: true, LastGood: 41 * time.Second}
	return in
}

func (in Input) neverWorked() Input {
	in.History = History{Known: true}
	return in
}

// room is a finding that a room of the gateway makes without an attempt.
func room(k fault.Kind) Input { return Input{Service: "orders", Method: "POST", Kind: k} }

func dnsFailed(rcode string, notFound, timedOut bool) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		before(a, journey.PhaseDNS, journey.EndDNS)
		a.DNS = &journey.DNSFacts{Name: canaryHost, Server: canaryAddress + ":53", RCode: rcode, NotFound: notFound, Timeout: timedOut, Err: "lookup " + canaryHost + ": failed"}
	})
}

func dialFailed(e syscall.Errno) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		before(a, journey.PhaseConnect, journey.EndErrno)
		a.Errno = e
		a.Tries = []journey.AddressTry{{Address: canaryAddress + ":" + canaryPort, Errno: e, Took: 200 * time.Microsecond}}
	})
}

func socketFailed(e syscall.Errno) journey.Attempt {
	a := dialFailed(e)
	a.Target, a.Address = "unix:"+canarySocket, canarySocket
	a.Tries = []journey.AddressTry{{Address: canarySocket, Errno: e, Took: 50 * time.Microsecond}}
	return a
}

func limited(phase journey.Phase, key string, value time.Duration) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		if phase < journey.PhaseSend {
			before(a, phase, journey.EndTimeout)
		}
		a.Phase, a.End, a.Limit, a.LimitValue, a.Silence, a.Total = phase, journey.EndTimeout, key, value, value, value
		if phase == journey.PhaseConnect {
			a.Tries = []journey.AddressTry{{Address: canaryAddress + ":" + canaryPort, Timeout: true, Took: value}}
		}
	})
}

func tlsFailed(reason string, alert int, change func(t *journey.TLSFacts)) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		before(a, journey.PhaseTLS, journey.EndTLS)
		a.Target = "https://" + canaryHost + ":" + canaryPort
		a.TLSTime = 3 * time.Millisecond
		a.TLS = &journey.TLSFacts{ServerName: canaryHost, Reason: reason, Alert: alert}
		if change != nil {
			change(a.TLS)
		}
	})
}

func certificate(reason string) journey.Attempt {
	return tlsFailed(reason, -1, func(t *journey.TLSFacts) {
		t.Subject, t.Issuer, t.Names, t.Chain = "CN="+canaryHost, "CN="+canaryHost+" authority", []string{canaryHost, "other." + canaryHost}, 1
		t.NotBefore, t.NotAfter = callTime.Add(-90*24*time.Hour), callTime.Add(-2*time.Hour)
		t.Err = "x509: certificate of " + canaryHost
	})
}

func parsed(f journey.ParseFault, line string) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		a.Phase, a.End, a.Fault, a.Offset, a.BytesIn = journey.PhaseHead, journey.EndParse, f, 17, 64
		a.Line = []byte(line)
	})
}

func notHTTP(f journey.ParseFault, first string) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		a.Phase, a.End, a.Fault, a.BytesIn, a.First = journey.PhaseHead, journey.EndParse, f, int64(len(first)), []byte(first)
	})
}

func inHead(e journey.End) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		a.Phase, a.End, a.BytesIn, a.FirstByte = journey.PhaseHead, e, 25, 2*time.Millisecond
	})
}

func inBody(e journey.End, got, declared int64) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		a.Phase, a.End, a.Status, a.FirstByte = journey.PhaseBody, e, 200, 2*time.Millisecond
		a.BytesIn, a.BodyIn, a.BodyInLen = 200+got, got, declared
	})
}

func reused(a journey.Attempt) journey.Attempt {
	a.Reused, a.ConnUses, a.ConnIdle, a.ConnAge, a.Tries = true, 12, 5*time.Second, 65*time.Second, nil
	a.DNSTime, a.ConnectTime = 0, 0
	return a
}

func answered(status int, body string, headers ...string) Input {
	in := post(attempt(func(a *journey.Attempt) {
		a.Phase, a.End, a.Status, a.FirstByte = journey.PhaseDone, journey.EndComplete, status, 3*time.Millisecond
	}))
	in.Answer = &Answer{Status: status, Body: []byte(body), Header: func(name string) string {
		for i := 0; i < len(headers); i += 2 {
			if headers[i] == name {
				return headers[i+1]
			}
		}
		return ""
	}}
	in.Passed = true
	in.Kind = Passed(status, in.Answer.Header)
	if SaysPlainToTLS(status, in.Answer.Body) {
		in.Kind = fault.PlainToTLSPort
	}
	return in
}

// model is the input of a dialect that read kind in a provider's answer.
func model(k fault.Kind, status int) Input {
	in := answered(status, `{"error":{"message":"`+canarySecret+`"}}`)
	in.Kind, in.Passed, in.LLM = k, false, true
	in.Service, in.Provider, in.Model = "", "prov", "fast"
	return in
}

func (in Input) with(change func(in *Input)) Input {
	change(&in)
	return in
}

// facts are the cases of testdata/expected.tsv, built by hand as wire and the rooms report them.
func facts() map[string]Input {
	all := socketFacts()
	maps.Copy(all, rpcFacts())
	maps.Copy(all, hostFacts())
	maps.Copy(all, tunnelFacts())
	maps.Copy(all, http2Facts())
	return all
}

func socketFacts() map[string]Input {
	version := func(alert int) journey.Attempt { return tlsFailed("alert", alert, nil) }
	elsewhere := func(in *Input) { in.Targets, in.Healthy = 2, 2 }
	return map[string]Input{
		"the name does not exist and never did":  get(dnsFailed("NXDOMAIN", true, false)).neverWorked(),
		"the name does not exist and did before": get(dnsFailed("NXDOMAIN", true, false)).worked(),
		"the name has no address":                get(dnsFailed("NOERROR", true, false)),
		"the resolver answers SERVFAIL":          post(dnsFailed("SERVFAIL", false, false)),
		"the resolver answers REFUSED":           post(dnsFailed("REFUSED", false, false)),
		"the resolver cannot be reached":         post(dnsFailed("", false, false)),
		"the resolver says that it timed out":    post(dnsFailed("", false, true)),
		"connect fires during the lookup":        post(limited(journey.PhaseDNS, "connect", 2*time.Second)),

		"refused, worked before":      get(dialFailed(syscall.ECONNREFUSED)).worked(),
		"refused, never worked":       get(dialFailed(syscall.ECONNREFUSED)).neverWorked(),
		"refused, history not known":  get(dialFailed(syscall.ECONNREFUSED)),
		"refused, POST without key":   post(dialFailed(syscall.ECONNREFUSED)),
		"every address refused":       post(attempt(everyAddressRefused)),
		"the socket is missing":       post(socketFailed(syscall.ENOENT)).neverWorked(),
		"the socket is denied":        post(socketFailed(syscall.EACCES)),
		"host unreachable":            post(dialFailed(syscall.EHOSTUNREACH)),
		"network unreachable":         post(dialFailed(syscall.ENETUNREACH)),
		"network down":                post(dialFailed(syscall.ENETDOWN)),
		"no local port":               post(dialFailed(syscall.EADDRNOTAVAIL)),
		"no file descriptor":          post(dialFailed(syscall.EMFILE)),
		"connecting forbidden, EPERM": post(dialFailed(syscall.EPERM)),

		"the socket is missing, worked before":   post(socketFailed(syscall.ENOENT)).worked(),
		"connect fires during TCP":               post(limited(journey.PhaseConnect, "connect", 2*time.Second)).worked(),
		"connect fires during TCP, never worked": post(limited(journey.PhaseConnect, "connect", 2*time.Second)).neverWorked(),
		"the kernel gives up connecting":         post(dialFailed(syscall.ETIMEDOUT)),
		"reset during TCP":                       post(attempt(func(a *journey.Attempt) { before(a, journey.PhaseConnect, journey.EndReset) })),
		"prohibited address":                     post(attempt(func(a *journey.Attempt) { before(a, journey.PhaseConnect, journey.EndRefused) })),
		"no file descriptor in the system":       post(dialFailed(syscall.ENFILE)),
		"connecting forbidden, EACCES":           post(dialFailed(syscall.EACCES)),

		"self-signed certificate":                       post(certificate("unknown_authority")),
		"expired certificate":                           post(certificate("expired")),
		"certificate not valid yet":                     post(certificate("not_yet_valid")),
		"certificate for another name":                  post(certificate("name_mismatch")),
		"certificate for another name, worked before":   post(certificate("name_mismatch")).worked(),
		"certificate not for servers":                   post(certificate("wrong_usage")),
		"intermediate certificate missing":              post(certificate("missing_intermediate")),
		"expired intermediate certificate":              post(certificate("issuer_expired")),
		"intermediate certificate not valid yet":        post(certificate("issuer_not_yet_valid")),
		"name outside of its authority's constraints":   post(certificate("name_constraint")),
		"weak signature":                                post(certificate("weak_signature")),
		"signed by what is no authority":                post(certificate("not_an_authority")),
		"too long a chain":                              post(certificate("chain_too_long")),
		"another fault of a certificate":                post(certificate("invalid")),
		"key that is not pinned":                        post(certificate("pin_mismatch")),
		"key that is not pinned, worked before":         post(certificate("pin_mismatch")).worked(),
		"client certificate shown and refused, TLS 1.2": post(tlsFailed("alert", 40, func(t *journey.TLSFacts) { t.Asked, t.Own = true, "CN="+canaryHost })),
		"client certificate shown and refused, TLS 1.3": post(attempt(func(a *journey.Attempt) {
			refusedAfterHandshake(a)
			a.TLS.Alert, a.TLS.Own = 48, "CN="+canaryHost
		})),
		"client certificate required, TLS 1.2":         post(tlsFailed("alert", 42, func(t *journey.TLSFacts) { t.Asked = true })),
		"client certificate required, TLS 1.3":         post(attempt(refusedAfterHandshake)),
		"protocol version alert":                       post(version(70)),
		"handshake failure alert":                      post(version(40)),
		"version alert, worked before":                 post(version(70)).worked(),
		"application protocol alert":                   post(version(120)),
		"unrecognized name alert":                      post(version(112)),
		"internal error alert":                         post(version(80)),
		"TLS to a plain port":                          post(tlsFailed("not_tls", -1, func(t *journey.TLSFacts) { t.First = []byte("HTTP/1.0 400 Bad Request\r\n") })),
		"plain to a TLS port, TLS bytes":               post(notHTTP(journey.FaultTLSBytes, "\x15\x03\x01\x00\x02\x02\x16")),
		"plain to a TLS port, alert bytes as not HTTP": post(notHTTP(journey.FaultNotHTTP, "\x15\x03\x01\x00\x02\x02\x16")),
		"plain to a TLS port, answered 400":            answered(400, "Client sent an HTTP request to an HTTPS server.\n"),
		"closed during TLS":                            post(tlsFailed("eof", -1, nil)).worked(),
		"closed during TLS, never worked":              post(tlsFailed("eof", -1, nil)).neverWorked(),
		"reset during TLS":                             post(tlsFailed("reset", -1, nil)),
		"connect fires during TLS":                     post(limited(journey.PhaseTLS, "connect", 2*time.Second)),
		"garbage during TLS":                           post(tlsFailed("protocol", -1, nil)),

		"SSH banner":                                   post(notHTTP(journey.FaultNotHTTP, "SSH-2.0-OpenSSH_9.6 "+canaryHost+"\r\n")),
		"SSH banner to a TLS handshake":                post(tlsFailed("not_tls", -1, func(t *journey.TLSFacts) { t.First = []byte("SSH-2.0-OpenSSH_9.6\r\n") })),
		"broken status line":                           post(parsed(journey.FaultStatusLine, "HTTP/1.1 2xx "+canaryHost)),
		"broken header, another target is there":       get(parsed(journey.FaultFieldLine, "X-Broken "+canarySecret)).with(elsewhere),
		"broken header, POST, another target is there": post(parsed(journey.FaultFieldName, "Set-Cookie: session="+canarySecret)).with(elsewhere),
		"leftover bytes on a reused connection":        post(reused(notHTTP(journey.FaultNotHTTP, "leftover"))),
		"header cut by FIN, GET":                       get(inHead(journey.EndEOF)),
		"header cut by RST, POST":                      post(inHead(journey.EndReset)),
		"header too large":                             post(parsed(journey.FaultHeadTooLarge, "")),
		"too many header fields":                       post(parsed(journey.FaultTooManyFields, "")),
		"two content lengths":                          post(parsed(journey.FaultContentLength, "Content-Length: 5, 6")),
		"content length beside transfer encoding":      post(parsed(journey.FaultFraming, "Content-Length: 5")),
		"unknown transfer coding":                      post(parsed(journey.FaultCoding, "Transfer-Encoding: gzip")),
		"broken chunk, POST":                           post(chunk(journey.FaultChunk)),
		"broken trailer, GET":                          get(chunk(journey.FaultTrailer)),

		"empty reply, GET":                       get(attempt(func(*journey.Attempt) {})),
		"empty reply, POST":                      post(attempt(func(*journey.Attempt) {})),
		"empty reply, POST with Idempotency-Key": post(attempt(func(*journey.Attempt) {})).with(func(in *Input) { in.Idempotent = true }),
		"empty reply, model call with Idempotency-Key": post(attempt(func(*journey.Attempt) {})).with(func(in *Input) {
			in.Idempotent, in.LLM, in.Service, in.Provider, in.Model = true, true, "", "prov", "fast"
		}),
		"reused connection closed after a long wait": post(reused(attempt(func(a *journey.Attempt) { a.Silence = 30 * time.Second }))),
		"reset before the answer, POST":              post(attempt(func(a *journey.Attempt) { a.End = journey.EndReset })),
		"stale connection, FIN, GET":                 get(reused(attempt(func(a *journey.Attempt) { a.Silence = 200 * time.Microsecond }))),
		"stale connection, RST while sending, POST": post(reused(attempt(func(a *journey.Attempt) {
			a.Phase, a.End, a.SendComplete, a.Silence = journey.PhaseSend, journey.EndReset, false, 0
		}))),
		"first_byte fires, POST":                                post(limited(journey.PhaseWait, "first_byte", 2*time.Second)),
		"first_byte fires, GET":                                 get(limited(journey.PhaseWait, "timeouts.first_byte", 2*time.Second)),
		"the kernel gives up waiting":                           post(attempt(func(a *journey.Attempt) { a.End, a.Errno = journey.EndErrno, syscall.ETIMEDOUT })),
		"idle fires in the body":                                post(fires(inBody(journey.EndTimeout, 4096, -1), "idle", time.Minute)),
		"total fires in a slow answer":                          post(fires(inBody(journey.EndTimeout, 4096, 1<<20), "total", 90*time.Minute)),
		"total fires while connecting":                          post(limited(journey.PhaseConnect, "total", time.Second)),
		"send fires":                                            post(fires(uploading(journey.EndTimeout), "send", time.Minute)),
		"reset during the upload":                               post(uploading(journey.EndReset)),
		"reset of a reused connection after much of the upload": post(reused(uploading(journey.EndReset))),
		"body cut by FIN, GET":                                  get(inBody(journey.EndEOF, 10, 100)),
		"body cut by FIN, POST":                                 post(inBody(journey.EndEOF, 10, 100)),
		"body cut by RST, POST":                                 post(inBody(journey.EndReset, 10, 100)),
		"chunked body cut by FIN, POST":                         post(inBody(journey.EndEOF, 4096, -1)),
		"unasked upgrade":                                       post(parsed(journey.FaultUpgrade, "")),
		"upgrade not done": get(attempt(func(a *journey.Attempt) {
			a.Phase, a.End, a.Status, a.Kind = journey.PhaseDone, journey.EndComplete, 200, fault.UpgradeFailed
		})),
		"loop": post(attempt(func(a *journey.Attempt) {
			before(a, journey.PhaseNone, journey.EndRefused)
			a.Kind = fault.LoopDetected
		})),
		"a system error nobody knows": post(attempt(func(a *journey.Attempt) { a.End, a.Errno = journey.EndErrno, syscall.EIO })),

		"no route":                    room(fault.RouteNotFound),
		"method not allowed":          room(fault.MethodNotAllowed),
		"no target":                   room(fault.NoTarget),
		"rate limited":                room(fault.RateLimited).with(func(in *Input) { in.RetryAfter = 1500 * time.Millisecond }),
		"upload broke off":            post(fires(uploading(journey.EndCaller), "", 0)),
		"bad request":                 room(fault.BadRequest),
		"body too large":              room(fault.BodyTooLarge),
		"gateway bug":                 room(fault.GatewayBug),
		"gateway overloaded":          room(fault.GatewayOverloaded),
		"no slot":                     room(fault.NoSlot),
		"the gateway lacks the model": room(fault.ModelNotFound).with(func(in *Input) { in.LLM = true }),
		"caller gone while waiting":   post(attempt(func(a *journey.Attempt) { a.End = journey.EndCaller })),
		"gateway draining, call sent": post(attempt(func(a *journey.Attempt) { a.End = journey.EndCancelled })),
		"no healthy target, refused": room(fault.NoHealthyTarget).with(func(in *Input) {
			in.Targets = 2
			in.HealthReasons = reasons(fault.ConnectionRefused, fault.ConnectionRefused)
		}),
		"no healthy target, expired certificates": room(fault.NoHealthyTarget).with(func(in *Input) {
			in.HealthReasons = reasons(fault.ConnectTimeout, fault.TLSCertificateExpired, fault.TLSCertificateExpired)
		}),
		"breaker open after timeouts": room(fault.BreakerOpen).with(func(in *Input) { in.HealthReasons = reasons(fault.FirstByteTimeout) }),
		"retries exhausted, one sent and then refused": post(attempt(func(*journey.Attempt) {})).with(func(in *Input) {
			in.Attempts[0].Again = "retried: idempotent"
			in.Attempts = append(in.Attempts, dialFailed(syscall.ECONNREFUSED))
		}),
		"retries exhausted, refused twice": post(dialFailed(syscall.ECONNREFUSED)).with(func(in *Input) {
			in.Attempts = append(in.Attempts, dialFailed(syscall.ECONNREFUSED))
		}),

		"upstream answers 500, POST":            answered(500, "Traceback (most recent call last)\n "+canarySecret),
		"upstream answers 502 by nginx":         answered(502, "<center>nginx</center>", "server", "nginx/1.24.0"),
		"upstream answers 504 by a balancer":    answered(504, "", "server", "awselb/2.0"),
		"upstream answers 522 by Cloudflare":    answered(522, "", "server", "cloudflare", "cf-ray", "8f-AMS"),
		"upstream answers 503 with Retry-After": answered(503, "", "retry-after", "30"),
		"upstream answers 429":                  answered(429, "", "retry-after", "30"),
		"provider overloaded":                   model(fault.Overloaded, 529),
		"provider's quota used up":              model(fault.QuotaExhausted, 429),
		"provider fails":                        model(fault.ProviderError, 500),
		"provider rejects our key":              model(fault.ProviderKeyRejected, 401),
		"provider lacks the model":              model(fault.ModelNotFound, 404),
		"context too long":                      model(fault.ContextTooLong, 400),
		"model stream without its end":          model(fault.TruncatedStream, 200),
	}
}

func everyAddressRefused(a *journey.Attempt) {
	before(a, journey.PhaseConnect, journey.EndErrno)
	a.Errno = syscall.ECONNREFUSED
	for _, addr := range []string{"[fd00::66]:" + canaryPort, canaryAddress + ":" + canaryPort} {
		a.Tries = append(a.Tries, journey.AddressTry{Address: addr, Errno: syscall.ECONNREFUSED, Took: 200 * time.Microsecond})
	}
}

func refusedAfterHandshake(a *journey.Attempt) {
	a.Target, a.End = "https://"+canaryHost, journey.EndTLS
	a.TLS = &journey.TLSFacts{ServerName: canaryHost, Reason: "alert", Alert: 116, Asked: true, AfterComplete: true}
}

func chunk(f journey.ParseFault) journey.Attempt {
	a := inBody(journey.EndParse, 4096, -1)
	a.Fault, a.Offset, a.Line = f, 4300, []byte("zz"+canarySecret)
	return a
}

func fires(a journey.Attempt, key string, value time.Duration) journey.Attempt {
	a.Limit, a.LimitValue, a.Silence, a.Total = key, value, value, value
	return a
}

func uploading(e journey.End) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		a.Phase, a.End, a.SendComplete = journey.PhaseSend, e, false
		a.BodyOut, a.BodyOutLen, a.BytesOut = 2<<20, 8<<20, 2<<20+300
	})
}

func reasons(kinds ...fault.Kind) []TargetReason {
	var list []TargetReason
	for _, k := range kinds {
		list = append(list, TargetReason{Target: canaryTarget, Kind: k, Text: "GET /healthz at " + canaryHost})
	}
	return list
}
