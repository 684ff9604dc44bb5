package admin

import (
	"strconv"

	"causeway/internal/journey"
)

// Attempt is one attempt at one target, as its socket showed it. Times are milliseconds; a missing
// one means that the phase did not happen.
type Attempt struct {
	Target           string       `json:"target" example:"http://127.0.0.1:9001" doc:"The target as configured."`
	Address          string       `json:"address,omitempty" example:"127.0.0.1:9001" doc:"The address of the connection used."`
	Kind             string       `json:"kind,omitempty" example:"connection_refused" doc:"How it failed. Missing: it did not."`
	Status           int          `json:"status,omitempty" example:"200" doc:"The status received. Missing: none."`
	Phase            string       `json:"phase" enum:"none,dns,connect,tls,send,wait,head,body,done" example:"connect" doc:"How far it got."`
	End              string       `json:"end" enum:"open,complete,eof,reset,errno,timeout,parse,dns,tls,caller,cancelled,refused,http2,hedged" example:"errno" doc:"How it ended."`
	Error            string       `json:"error,omitempty" example:"connection refused" doc:"The system's error."`
	Limit            string       `json:"limit,omitempty" example:"first_byte" doc:"The limit that fired."`
	LimitMS          float64      `json:"limit_ms,omitempty" example:"60000" doc:"Its value."`
	Fault            string       `json:"fault,omitempty" example:"not_http" doc:"What was wrong with the bytes of the answer."`
	FaultOffset      int64        `json:"fault_offset,omitempty" doc:"At which byte of the answer."`
	FirstBytes       string       `json:"first_bytes,omitempty" example:"SSH-2.0-OpenSSH_9.6\\r\\n" doc:"The first bytes of an answer that could not be understood, escaped."`
	Line             string       `json:"line,omitempty" doc:"The line that was wrong, escaped."`
	StartMS          float64      `json:"start_ms" example:"0.1" doc:"When it began, since the call's start."`
	DNSMS            float64      `json:"dns_ms,omitempty" doc:"Looking up the name."`
	ConnectMS        float64      `json:"connect_ms,omitempty" example:"0.2" doc:"Connecting."`
	TLSMS            float64      `json:"tls_ms,omitempty" doc:"The TLS handshake."`
	SendMS           float64      `json:"send_ms,omitempty" doc:"Sending the request."`
	FirstByteMS      float64      `json:"first_byte_ms,omitempty" doc:"From the last byte of the request to the first of the answer."`
	TotalMS          float64      `json:"total_ms" example:"0.2" doc:"The whole attempt."`
	SilenceMS        float64      `json:"silence_ms,omitempty" doc:"At its end, since the last byte in either direction."`
	BytesSent        int64        `json:"bytes_sent" example:"512" doc:"Bytes of the request written to the socket."`
	BytesReceived    int64        `json:"bytes_received" doc:"Bytes of the answer read from the socket."`
	BodyReceived     int64        `json:"body_received,omitempty" doc:"Bytes of the answer's body, after framing."`
	BodyAnnounced    *int64       `json:"body_announced,omitempty" doc:"Bytes of the answer's body by its Content-Length. Missing: not announced."`
	RequestSent      bool         `json:"request_sent" doc:"The whole request was written."`
	Reused           bool         `json:"reused" doc:"It went over a kept-alive connection."`
	ConnectionUses   int          `json:"connection_uses,omitempty" doc:"Calls that this connection had served before."`
	ConnectionIdleMS float64      `json:"connection_idle_ms,omitempty" doc:"How long it had been idle."`
	ConnectionAgeMS  float64      `json:"connection_age_ms,omitempty" doc:"How old it was."`
	Tries            []AddressTry `json:"tries,omitempty" nullable:"false" doc:"Every address that was dialled."`
	DNS              *DNS         `json:"dns,omitempty" doc:"What the resolver said, where the lookup failed."`
	TLS              *TLS         `json:"tls,omitempty" doc:"What the handshake showed, where it failed."`
	HTTP2            *HTTP2       `json:"http2,omitempty" doc:"What the HTTP/2 layer showed. Missing: the upstream was spoken to in HTTP/1.1."`
	Usage            *Billed      `json:"usage,omitempty" doc:"What the provider may bill of an attempt that was given up because another one answered first. It counts against the application's limits, and is not part of the call's own usage."`
	Again            string       `json:"again,omitempty" example:"retried: nothing had reached the upstream" doc:"Why another attempt followed, or did not."`
}

// Billed is what a provider may bill of an attempt that did not answer its call.
type Billed struct {
	InputTokens  int64    `json:"input_tokens" example:"11" doc:"Tokens of input."`
	OutputTokens int64    `json:"output_tokens" example:"1" doc:"Tokens of output."`
	Source       string   `json:"source" enum:"partial,estimated" example:"partial" doc:"Where the numbers are from: what the provider had told of until it was given up; an estimate, where it had told of nothing."`
	CostUSD      *float64 `json:"cost_usd,omitempty" example:"0.000013" doc:"What that costs, in US dollars. Missing: the model's price is not known."`
}

func billed(u *journey.AttemptUsage) *Billed {
	if u == nil {
		return nil
	}
	b := &Billed{InputTokens: u.Input, OutputTokens: u.Output, Source: u.Source}
	if u.Priced {
		usd := float64(u.Cost) / 1e9
		b.CostUSD = &usd
	}
	return b
}

// AddressTry is one address that was dialled.
type AddressTry struct {
	Address string  `json:"address" example:"127.0.0.1:9001" doc:"The address."`
	Error   string  `json:"error,omitempty" example:"connection refused" doc:"The system's error. Missing: it connected, or took too long."`
	Timeout bool    `json:"timeout,omitempty" doc:"It took too long."`
	TookMS  float64 `json:"took_ms" example:"0.2" doc:"How long it took."`
}

// DNS is what the resolver said.
type DNS struct {
	Name   string `json:"name" example:"orders.internal" doc:"The name that was looked up."`
	Server string `json:"server,omitempty" example:"127.0.0.53:53" doc:"The resolver that was asked."`
	RCode  string `json:"rcode,omitempty" example:"NXDOMAIN" doc:"Its answer."`
	Error  string `json:"error,omitempty" doc:"The error in words."`
}

// TLS is what the handshake showed.
type TLS struct {
	ServerName string   `json:"server_name,omitempty" example:"orders.internal" doc:"The name asked for (SNI)."`
	Reason     string   `json:"reason,omitempty" example:"expired" doc:"What was wrong."`
	Alert      *int     `json:"alert,omitempty" doc:"The alert received. Missing: none."`
	AlertText  string   `json:"alert_text,omitempty" doc:"The alert in words."`
	Subject    string   `json:"subject,omitempty" doc:"Whom the server's certificate is for."`
	Issuer     string   `json:"issuer,omitempty" doc:"Who signed it."`
	Names      []string `json:"names,omitempty" nullable:"false" doc:"The names it holds."`
	NotBefore  string   `json:"not_before,omitempty" format:"date-time" doc:"From when it is valid."`
	NotAfter   string   `json:"not_after,omitempty" format:"date-time" doc:"Until when."`
	Chain      int      `json:"chain,omitempty" doc:"How many certificates the server sent."`
	FirstBytes string   `json:"first_bytes,omitempty" doc:"The first bytes received, where they were not TLS, escaped."`
	Error      string   `json:"error,omitempty" doc:"The error in words."`
}

func attemptView(a *journey.Attempt) Attempt {
	v := Attempt{
		Target:           withoutUser(a.Target),
		Address:          a.Address,
		Kind:             string(a.Kind),
		Status:           a.Status,
		Phase:            a.Phase.String(),
		End:              a.End.String(),
		Limit:            a.Limit,
		LimitMS:          millis(a.LimitValue),
		Fault:            string(a.Fault),
		FaultOffset:      a.Offset,
		FirstBytes:       escaped(a.First),
		Line:             escaped(a.Line),
		StartMS:          millis(a.Start),
		DNSMS:            millis(a.DNSTime),
		ConnectMS:        millis(a.ConnectTime),
		TLSMS:            millis(a.TLSTime),
		SendMS:           millis(a.SendTime),
		FirstByteMS:      millis(a.FirstByte),
		TotalMS:          millis(a.Total),
		SilenceMS:        millis(a.Silence),
		BytesSent:        a.BytesOut,
		BytesReceived:    a.BytesIn,
		BodyReceived:     a.BodyIn,
		RequestSent:      a.SendComplete,
		Reused:           a.Reused,
		ConnectionUses:   a.ConnUses,
		ConnectionIdleMS: millis(a.ConnIdle),
		ConnectionAgeMS:  millis(a.ConnAge),
		Again:            a.Again,
		HTTP2:            http2View(a.HTTP2),
		Usage:            billed(a.Usage),
	}
	if a.Errno != 0 {
		v.Error = a.Errno.Error()
	}
	if a.Phase >= journey.PhaseBody && a.BodyInLen >= 0 {
		v.BodyAnnounced = &a.BodyInLen
	}
	for _, t := range a.Tries {
		try := AddressTry{Address: t.Address, Timeout: t.Timeout, TookMS: millis(t.Took)}
		if t.Errno != 0 {
			try.Error = t.Errno.Error()
		}
		v.Tries = append(v.Tries, try)
	}
	if d := a.DNS; d != nil {
		v.DNS = &DNS{Name: d.Name, Server: d.Server, RCode: d.RCode, Error: d.Err}
	}
	if t := a.TLS; t != nil {
		v.TLS = &TLS{
			ServerName: t.ServerName,
			Reason:     t.Reason,
			Alert:      alert(t.Alert),
			AlertText:  t.AlertText,
			Subject:    t.Subject,
			Issuer:     t.Issuer,
			Names:      t.Names,
			NotBefore:  stamp(t.NotBefore),
			NotAfter:   stamp(t.NotAfter),
			Chain:      t.Chain,
			FirstBytes: escaped(t.First),
			Error:      t.Err,
		}
	}
	return v
}

// escaped shows bytes that may be anything as printable text.
func escaped(b []byte) string {
	q := strconv.QuoteToASCII(string(b))
	return q[1 : len(q)-1]
}

// alert is the number of a TLS alert; 0 is one (close_notify), below it there was none.
func alert(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}
