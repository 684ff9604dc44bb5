package logs

import (
	"testing"
	"time"

	"causeway/internal/fault"
)

func TestSingleLines(t *testing.T) {
	r := NewRecogniser(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	l, ok := r.Line([]byte(`2026/11/23 09:30:00 [error] 12#13: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.7, server: , request: "GET /a?key=hush HTTP/1.1", upstream: "http://10.0.0.5:8000/a", host: "h"`))
	if !ok || l.Form != "nginx error log" || l.Known == nil || l.Known.Kind != fault.ConnectionRefused || l.Known.Server != "nginx" || l.Target != "GET /a" || len(l.Known.Advice) == 0 || len(l.Known.Says) == 0 {
		t.Errorf("%v %+v", ok, l)
	}
	if _, ok := r.Line([]byte("nobody wrote this")); ok {
		t.Error("a line of no form was recognised")
	}
	if k := r.Termination("sH--"); k == nil || k.Kind != fault.FirstByteTimeout {
		t.Errorf("%+v", k)
	}
	if k := r.Flag("UH"); k == nil || k.Kind != fault.NoHealthyTarget {
		t.Errorf("%+v", k)
	}
	if r.Termination("zz") != nil || r.Flag("ZZ") != nil {
		t.Error("an unknown code was recognised")
	}
	for status, kind := range map[int]fault.Kind{502: fault.ConnectionRefused, 504: fault.FirstByteTimeout, 503: fault.NoHealthyTarget, 413: fault.BodyTooLarge, 499: fault.CallerGone} {
		found := false
		for _, k := range r.OfServer("nginx", status) {
			found = found || k.Kind == kind
		}
		if !found {
			t.Errorf("nginx's %d is never %s", status, kind)
		}
	}
}
