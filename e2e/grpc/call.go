package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Seen is what a client saw of one call.
type Seen struct {
	Method   string              `json:"method,omitempty"`
	Code     int                 `json:"code"`
	Name     string              `json:"name"`
	Message  string              `json:"message"`
	Details  map[string]any      `json:"details"` // by the message's name; for an Any that cannot be read, its error
	Header   map[string][]string `json:"header"`
	Trailer  map[string][]string `json:"trailer"`
	Messages int                 `json:"messages"` // answer messages that came whole
	Bytes    int                 `json:"bytes"`    // of their payloads
	TookMS   float64             `json:"took_ms"`
}

// call makes one call and prints what came of it.
func call(args []string) error {
	flags := flag.NewFlagSet("call", flag.ExitOnError)
	addr, ca := flags.String("addr", "", "host:port"), flags.String("ca", "", "PEM file; with it the client speaks TLS")
	var methods []string
	flags.Func("method", "path to call instead of UnaryCall's; several are called at a time", func(s string) error {
		methods = append(methods, s)
		return nil
	})
	kind := flags.String("kind", "unary", "unary, stream (the server's messages), upload (the client's) or duplex")
	code, text := flags.Int("code", 0, "status that the server is asked for"), flags.String("text", "", "its message")
	size := flags.Int("size", 0, "bytes of the request's payload")
	responses, pause := flags.Int("responses", 1, "messages of a stream"), flags.Duration("pause", 0, "before each of them")
	timeout := flags.Duration("timeout", 0, "the call's deadline, 0 for none")
	compress := flags.Bool("gzip", false, "compress messages")
	policy := flags.String("service-config", "", "grpc service config, as JSON")
	announce := flags.Bool("announce", false, "print a line for each message of a stream as it comes")
	var meta []string
	flags.Func("meta", "NAME=VALUE, metadata to send", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("NAME=VALUE is wanted")
		}
		meta = append(meta, name, value)
		return nil
	})
	_ = flags.Parse(args)
	var dials []grpc.DialOption
	if *policy != "" {
		dials = append(dials, grpc.WithDefaultServiceConfig(*policy))
	}
	conn, err := dial(*addr, *ca, dials...)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(context.Background(), meta...)
	if *timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *timeout)
		defer cancel()
	}
	if len(methods) > 0 {
		return unary(ctx, conn, methods)
	}
	var seen Seen
	var header, trailer metadata.MD
	options := []grpc.CallOption{grpc.Header(&header), grpc.Trailer(&trailer)}
	if *compress {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	payload := &testgrpc.Payload{Body: make([]byte, *size)}
	asked := &testgrpc.EchoStatus{Code: int32(*code), Message: *text}
	parameters := make([]*testgrpc.ResponseParameters, *responses)
	for i := range parameters {
		parameters[i] = &testgrpc.ResponseParameters{Size: 1000, IntervalUs: int32(pause.Microseconds())}
	}
	began := time.Now()
	switch *kind {
	case "unary":
		in, out := &testgrpc.SimpleRequest{Payload: payload, ResponseSize: 1000}, new(testgrpc.SimpleResponse)
		if *code != 0 {
			in.ResponseStatus = asked
		}
		if err = conn.Invoke(ctx, testgrpc.TestService_UnaryCall_FullMethodName, in, out, options...); err == nil {
			seen.Messages, seen.Bytes = 1, len(out.GetPayload().GetBody())
		}
	case "stream", "duplex":
		err = stream(ctx, conn, &seen, *kind == "duplex", &testgrpc.StreamingOutputCallRequest{ResponseParameters: parameters, Payload: payload}, *announce, options)
	case "upload":
		err = upload(ctx, conn, &seen, *responses, *pause, payload, options)
	default:
		return fmt.Errorf("%s is no kind of call", *kind)
	}
	seen.ended(began, err, header, trailer)
	return json.NewEncoder(os.Stdout).Encode(seen)
}

func (s *Seen) ended(began time.Time, err error, header, trailer metadata.MD) {
	st := status.Convert(err)
	s.Code, s.Name, s.Message, s.Details = int(st.Code()), st.Code().String(), st.Message(), details(st)
	s.Header, s.Trailer, s.TookMS = header, trailer, float64(time.Since(began).Microseconds())/1000
}

// unary makes one call of each method, all at a time, and prints what came of them.
func unary(ctx context.Context, conn *grpc.ClientConn, methods []string) error {
	all := make([]Seen, len(methods))
	var wait sync.WaitGroup
	for i, method := range methods {
		wait.Go(func() {
			var header, trailer metadata.MD
			began := time.Now()
			err := conn.Invoke(ctx, method, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: make([]byte, 100)}}, new(testgrpc.SimpleResponse), grpc.Header(&header), grpc.Trailer(&trailer))
			all[i].ended(began, err, header, trailer)
			all[i].Method = method
		})
	}
	wait.Wait()
	out := json.NewEncoder(os.Stdout)
	for i := range all {
		if err := out.Encode(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

// receiver is a stream that messages come from.
type receiver interface {
	Recv() (*testgrpc.StreamingOutputCallResponse, error)
}

func stream(ctx context.Context, conn *grpc.ClientConn, seen *Seen, duplex bool, in *testgrpc.StreamingOutputCallRequest, announce bool, options []grpc.CallOption) error {
	tc := testgrpc.NewTestServiceClient(conn)
	var from receiver
	if duplex {
		s, err := tc.FullDuplexCall(ctx, options...)
		if err != nil {
			return err
		}
		if err := s.Send(in); err != nil && err != io.EOF {
			return err
		}
		if err := s.CloseSend(); err != nil {
			return err
		}
		from = s
	} else {
		s, err := tc.StreamingOutputCall(ctx, in, options...)
		if err != nil {
			return err
		}
		from = s
	}
	for {
		m, err := from.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		seen.Messages++
		seen.Bytes += len(m.GetPayload().GetBody())
		if announce {
			fmt.Println("message", seen.Messages)
		}
	}
}

// upload sends messages with a pause before each, and waits for the one answer.
func upload(ctx context.Context, conn *grpc.ClientConn, seen *Seen, messages int, pause time.Duration, payload *testgrpc.Payload, options []grpc.CallOption) error {
	s, err := testgrpc.NewTestServiceClient(conn).StreamingInputCall(ctx, options...)
	if err != nil {
		return err
	}
	for range messages {
		time.Sleep(pause)
		if err := s.Send(&testgrpc.StreamingInputCallRequest{Payload: payload}); err != nil && err != io.EOF {
			return err
		}
	}
	out, err := s.CloseAndRecv()
	if err == nil {
		seen.Messages, seen.Bytes = 1, int(out.GetAggregatedPayloadSize())
	}
	return err
}

// details are the status's details as their generated types read them.
func details(s *status.Status) map[string]any {
	out := map[string]any{}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			out["ErrorInfo"] = map[string]any{"reason": d.Reason, "domain": d.Domain, "metadata": d.Metadata}
		case *errdetails.RetryInfo:
			out["RetryInfo"] = d.RetryDelay.AsDuration().String()
		case *errdetails.Help:
			var links []string
			for _, l := range d.Links {
				links = append(links, l.Description+": "+l.Url)
			}
			out["Help"] = links
		case *errdetails.DebugInfo:
			out["DebugInfo"] = map[string]any{"stack_entries": d.StackEntries, "detail": d.Detail}
		case error:
			out["error"] = d.Error()
		default:
			out[fmt.Sprintf("%T", d)] = fmt.Sprint(d)
		}
	}
	return out
}
