// Command grpc is grpc-go's side of the tests: the interoperability server, its client's cases, and a
// client that makes one call and prints what it saw. It is a module of its own, so that the gateway's
// does not depend on gRPC.
//
//	grpc server [-cert FILE -key FILE] [-health]
//	grpc interop -addr ADDR [-ca FILE] CASE...
//	grpc call -addr ADDR [-ca FILE] [options]
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: grpc server|interop|call [options]")
		os.Exit(2)
	}
	parts := map[string]func([]string) error{"server": server, "interop": cases, "call": call}
	part := parts[os.Args[1]]
	if part == nil {
		fmt.Fprintf(os.Stderr, "grpc %s: no such part\n", os.Args[1])
		os.Exit(2)
	}
	if err := part(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "grpc:", err)
		os.Exit(1)
	}
}

// server serves the interoperability tests until it is killed, and prints its address.
func server(args []string) error {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	cert, key := flags.String("cert", "", "PEM file; with it the server speaks TLS"), flags.String("key", "", "PEM file")
	most := flags.Int("max-message", 0, "longest message it takes; 0 is grpc-go's own 4 MiB")
	healthy := flags.Bool("health", false, "has grpc-go's health service, which knows shop.Up, SERVING, and shop.Down, NOT_SERVING")
	_ = flags.Parse(args)
	var options []grpc.ServerOption
	if *cert != "" {
		creds, err := credentials.NewServerTLSFromFile(*cert, *key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(creds))
	}
	if *most > 0 {
		options = append(options, grpc.MaxRecvMsgSize(*most))
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := grpc.NewServer(options...)
	testgrpc.RegisterTestServiceServer(s, interop.NewTestServer())
	if *healthy {
		h := health.NewServer()
		h.SetServingStatus("shop.Up", healthgrpc.HealthCheckResponse_SERVING)
		h.SetServingStatus("shop.Down", healthgrpc.HealthCheckResponse_NOT_SERVING)
		healthgrpc.RegisterHealthServer(s, h)
	}
	fmt.Println("listening", lis.Addr())
	return s.Serve(lis)
}

// dial makes a connection as a client of the gateway has it: without a proxy, without retries of its own.
func dial(addr, ca string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", ca)
		}
		creds = credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "localhost"})
	}
	options = append(options, grpc.WithTransportCredentials(creds), grpc.WithNoProxy())
	return grpc.NewClient("passthrough:///"+addr, options...)
}

// cases runs grpc-go's own interoperability cases. A case that fails ends the process, which is how they
// are written; the ones that passed are printed as they do.
func cases(args []string) error {
	flags := flag.NewFlagSet("interop", flag.ExitOnError)
	addr, ca := flags.String("addr", "", "host:port"), flags.String("ca", "", "PEM file; with it the client speaks TLS")
	_ = flags.Parse(args)
	conn, err := dial(*addr, *ca)
	if err != nil {
		return err
	}
	defer conn.Close()
	tc := testgrpc.NewTestServiceClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	table := map[string]func(){
		"empty_unary":                 func() { interop.DoEmptyUnaryCall(ctx, tc) },
		"large_unary":                 func() { interop.DoLargeUnaryCall(ctx, tc) },
		"client_streaming":            func() { interop.DoClientStreaming(ctx, tc) },
		"server_streaming":            func() { interop.DoServerStreaming(ctx, tc) },
		"ping_pong":                   func() { interop.DoPingPong(ctx, tc) },
		"empty_stream":                func() { interop.DoEmptyStream(ctx, tc) },
		"timeout_on_sleeping_server":  func() { interop.DoTimeoutOnSleepingServer(ctx, tc) },
		"cancel_after_begin":          func() { interop.DoCancelAfterBegin(ctx, tc) },
		"cancel_after_first_response": func() { interop.DoCancelAfterFirstResponse(ctx, tc) },
		"status_code_and_message":     func() { interop.DoStatusCodeAndMessage(ctx, tc) },
		"special_status_message":      func() { interop.DoSpecialStatusMessage(ctx, tc) },
		"custom_metadata":             func() { interop.DoCustomMetadata(ctx, tc) },
		"unimplemented_method":        func() { interop.DoUnimplementedMethod(ctx, conn) },
		"unimplemented_service":       func() { interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn)) },
	}
	for _, name := range flags.Args() {
		run := table[name]
		if run == nil {
			return errors.New(name + " is no case")
		}
		run()
		fmt.Println("ok", name)
	}
	return nil
}
