package snapshot

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// grpcHealthPath is the method that is asked (grpc/grpc-proto, grpc/health/v1/health.proto).
const grpcHealthPath = "/grpc.health.v1.Health/Check"

// servingStatus are the values of HealthCheckResponse.ServingStatus.
var servingStatus = [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

const serving = 1

// checkGRPC makes one health check of type grpc: the server must say that the service is SERVING. It goes over
// the road that calls take.
func checkGRPC(ctx context.Context, u *Upstream, o *wire.Origin, h *catalog.Health) upstream.CheckResult {
	began := time.Now()
	host := u.Host
	if host == "" || host == "caller" {
		host = o.Host
	}
	ask := appendHealthRequest(nil, h.Service)
	call := wire.Call{
		Head: []byte("POST " + o.Prefix + grpcHealthPath + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: causeway-health\r\nContent-Type: application/grpc\r\n" +
			"grpc-timeout: " + strconv.FormatInt(max(h.Timeout.Milliseconds(), 1), 10) + "m\r\nContent-Length: " + strconv.Itoa(len(ask)) + "\r\n\r\n"),
		Body: ask, Length: int64(len(ask)), Trailers: true,
		Limits: wire.AttemptLimits{
			Connect: h.Timeout, Send: h.Timeout, FirstByte: h.Timeout, Idle: h.Timeout, Total: h.Timeout,
			Until: wire.Now() + int64(h.Timeout),
		},
	}
	var a journey.Attempt
	r := upstream.CheckResult{}
	what := "gRPC health check"
	if h.Service != "" {
		what += " of " + h.Service
	}
	answer := o.Try(&call, &a, &wire.ContextWatch{Context: ctx})
	if answer == nil {
		late := ranOut(&a)
		r.Took, r.Kind = time.Since(began), diagnose.Kind(&a)
		r.Text = fmt.Sprintf("%s: %s", what, r.Kind)
		if late {
			r.Text += fmt.Sprintf(" (health.timeout is %s)", h.Timeout)
		}
		return r
	}
	defer answer.Release()
	var body []byte
	for len(body) < 1<<10 {
		p, err := answer.Next()
		body = append(body, p...)
		if err != nil {
			break
		}
	}
	r.Took = time.Since(began)
	status := answer.Response.Status
	code := answer.Trailer().Lookup("grpc-status")
	if code == nil {
		code = answer.Response.Header.Lookup("grpc-status")
	}
	switch {
	case !answer.Complete() && code == nil:
		ranOut(&a)
		r.Kind = diagnose.Kind(&a)
		r.Text = fmt.Sprintf("%s: %d, and then %s", what, status, r.Kind)
	case code == nil:
		r.Kind = fault.GRPCStatusMissing
		r.Text = fmt.Sprintf("%s: answered %d without a grpc-status: no gRPC server, or a proxy before it", what, status)
	default:
		r.OK, r.Kind, r.Text = judgeHealth(string(code), body, what)
	}
	return r
}

// judgeHealth reads the server's answer.
func judgeHealth(code string, body []byte, what string) (ok bool, kind fault.Kind, text string) {
	switch n, err := strconv.Atoi(code); {
	case err == nil && n == int(fault.CodeOK):
	case err == nil && fault.Code(n) == fault.CodeUnimplemented:
		return false, fault.GRPCUnimplemented, what + ": UNIMPLEMENTED: the server has no grpc.health.v1.Health; register it, or use health.type: tcp"
	case err == nil && fault.Code(n) == fault.CodeNotFound:
		return false, fault.GRPCUnavailable, what + ": NOT_FOUND: the server knows no service of this name (health.service)"
	case err != nil:
		return false, fault.GRPCUnknown, what + ": a grpc-status that is no number"
	default:
		kind = diagnose.GRPCPassed(fault.Code(n))
		if kind == "" {
			kind = fault.GRPCUnknown
		}
		return false, kind, fmt.Sprintf("%s: %s", what, fault.Code(n))
	}
	switch s := readServing(body); {
	case s == serving:
		return true, "", ""
	case s < 0 || s >= len(servingStatus):
		return false, fault.GRPCInternal, what + ": the answer is no HealthCheckResponse"
	default:
		return false, fault.GRPCUnavailable, what + ": " + servingStatus[s]
	}
}

// appendHealthRequest appends a message with a HealthCheckRequest: field 1 is the service's name.
func appendHealthRequest(b []byte, service string) []byte {
	var message []byte
	if service != "" {
		message = append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service))), service...)
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
	return append(b, message...)
}

// readServing reads field 1 of a HealthCheckResponse, uncompressed; -1 when there is none to be read. A field
// that is left out is 0, UNKNOWN.
func readServing(b []byte) int {
	if len(b) < 5 || b[0] != 0 || int(binary.BigEndian.Uint32(b[1:])) != len(b)-5 {
		return -1
	}
	status := uint64(0)
	for b = b[5:]; len(b) > 0; {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return -1
		}
		b = b[n:]
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return -1
		}
		b = b[n:]
		switch tag & 7 {
		case 0:
			if tag>>3 == 1 {
				status = v
			}
		case 2: // a field of a later version
			if v > uint64(len(b)) {
				return -1
			}
			b = b[v:]
		default:
			return -1
		}
	}
	return int(min(status, 1<<10))
}
