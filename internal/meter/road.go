package meter

// Road is the state of the connections to one target.
type Road struct {
	Open    int  // connections
	HTTP2   bool // calls may go over HTTP/2; the rest is for these targets alone
	Shared  int  // of the open connections, those that speak it
	Streams int  // calls on them now
	Moved   int64
}

var (
	descTargetOpen    = desc("target_connections", "Connections to the target that are open.", targetLabels...)
	descTargetShared  = desc("target_http2_connections", "Connections to the target that are open and speak HTTP/2.", targetLabels...)
	descTargetStreams = desc("target_http2_streams", "Calls on HTTP/2 connections to the target.", targetLabels...)
	descTargetMoved   = desc("target_http2_moved_total",
		"Calls that an HTTP/2 connection which was being closed had turned away unworked, and that went on over another one.", targetLabels...)
)

func (r *Road) collect(e emitter, labels []string) {
	e.gauge(descTargetOpen, float64(r.Open), labels...)
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
}
