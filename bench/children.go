package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"causeway/bench/load"
	"causeway/bench/mock"
	"causeway/bench/rig"
)

// child runs this program as one of the benchmark's own processes; known is false when the
// arguments name none.
func child(args []string) (known bool, err error) {
	if len(args) == 0 {
		return false, nil
	}
	switch args[0] {
	case "engine":
		return true, runEngine(args[1:])
	case "httputil":
		return true, runHTTPUtil(args[1:])
	}
	return false, nil
}

// runEngine is the mock upstream and the load on one thread. It does the runs that lines of
// standard input order, one after the other, and prints each result; it ends with its input.
func runEngine(args []string) error {
	flags := flag.NewFlagSet("engine", flag.ContinueOnError)
	events := flags.Int("events", 200, "events of a stream")
	pace := flags.Duration("pace", 0, "time between two events of a stream")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := mock.Listen("127.0.0.1:0", mock.Options{Events: *events, Pace: *pace})
	if err != nil {
		return err
	}
	defer server.Release()
	fmt.Println(rig.SaysListening + server.Addr())

	orders := make(chan string)
	go func() {
		defer close(orders)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			orders <- lines.Text()
		}
	}()
	const step = 10 * time.Millisecond
	for {
		select {
		case order, open := <-orders:
			if !open {
				return nil
			}
			if err := obey(order, orders, server); err != nil {
				return err
			}
		default:
			if err := server.Step(step); err != nil {
				return err
			}
		}
	}
}

// obey does one run and prints its result. One that holds connections ends with the next order.
func obey(order string, orders <-chan string, server *mock.Server) error {
	var spec load.Spec
	if err := json.Unmarshal([]byte(order), &spec); err != nil {
		return fmt.Errorf("reading the load's specification: %w", err)
	}
	beside := func() error { return server.Step(0) }
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var result load.Result
	var err error
	if spec.Mode.Secure() {
		result, err = load.RunSecure(ctx, spec, func() error { return server.Step(time.Millisecond) })
	} else if spec.Hold {
		result.Reconnects, err = load.Hold(ctx, spec, beside, func() {
			fmt.Println(rig.SaysHeld)
			go func() {
				<-orders
				cancel()
			}()
		})
	} else {
		result, err = load.Run(ctx, spec, beside)
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("writing the load's result: %w", err)
	}
	fmt.Println(rig.SaysResult + string(text))
	return nil
}

// runHTTPUtil serves the standard library's reverse proxy, what a Go gateway costs at least when
// it is built on net/http.
func runHTTPUtil(args []string) error {
	flags := flag.NewFlagSet("httputil", flag.ContinueOnError)
	listen := flags.String("listen", "", "`address` to listen on")
	upstream := flags.String("upstream", "", "`address` of the upstream")
	cert := flags.String("cert", "", "`file` with a certificate, to serve TLS")
	key := flags.String("key", "", "`file` with its key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	target := &url.URL{Scheme: "http", Host: *upstream}
	server := http.Server{
		Addr: *listen,
		Handler: &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
			Transport: &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Hour, DisableCompression: true},
			ErrorLog:  log.New(os.Stderr, "", 0),
		},
		ReadHeaderTimeout: time.Minute,
	}
	if *cert != "" {
		return server.ListenAndServeTLS(*cert, *key)
	}
	return server.ListenAndServe()
}
