package meter

import "time"

// Road is the state of the connections to one target.
type Road struct {
	Open    int  // connections
	HTTP2   bool // calls may go over HTTP/2; the rest is for these targets alone
	Shared  int  // of the open connections, those that speak it
	Streams int  // calls on them now
	Moved   int64
	// KeepFor is how long idle connections are kept since the gateway has learned that the target ends them, 0 where it
	// has learned nothing.
	KeepFor time.Duration
	// CertEnds is until when the certificate that the target showed last is good, zero where none was seen.
	CertEnds time.Time
}

var (
	descTargetOpen    = desc("target_connections", "Connections to the target that are open.", targetLabels...)
	descTargetShared  = desc("target_http2_connections", "Connections to the target that are open and speak HTTP/2.", targetLabels...)
	descTargetStreams = desc("target_http2_streams", "Calls on HTTP/2 connections to the target.", targetLabels...)
	descTargetMoved   = desc("target_http2_moved_total",
		"Calls that an HTTP/2 connection which was being closed had turned away unworked, and that went on over another one.", targetLabels...)
	descTargetKept = desc("target_keepalive_learned_seconds",
		"For how long idle connections to the target are kept since it was learned that it ends them; missing where nothing was learned.", targetLabels...)
	descTargetCert = desc("target_certificate_expiry_timestamp_seconds",
		"When the first certificate of the chain ends that the target showed last; missing where no handshake has gone well.", targetLabels...)
)

func (r *Road) collect(e emitter, labels []string) {
	e.gauge(descTargetOpen, float64(r.Open), labels...)
	if r.KeepFor > 0 {
		e.gauge(descTargetKept, r.KeepFor.Seconds(), labels...)
	}
	if !r.CertEnds.IsZero() {
		e.gauge(descTargetCert, float64(r.CertEnds.Unix()), labels...)
	}
	if !r.HTTP2 {
		return
	}
	e.gauge(descTargetShared, float64(r.Shared), labels...)
	e.gauge(descTargetStreams, float64(r.Streams), labels...)
	e.counter(descTargetMoved, float64(r.Moved), labels...)
}

func (r *Road) add(o Road) {
	r.Open += o.Open
	r.HTTP2 = r.HTTP2 || o.HTTP2
	r.Shared += o.Shared
	r.Streams += o.Streams
	r.Moved += o.Moved
	if o.KeepFor > 0 && (r.KeepFor == 0 || o.KeepFor < r.KeepFor) {
		r.KeepFor = o.KeepFor
	}
	if !o.CertEnds.IsZero() && (r.CertEnds.IsZero() || o.CertEnds.Before(r.CertEnds)) {
		r.CertEnds = o.CertEnds
	}
}
