package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"

	"causeway/internal/app"
)

// reach is how a command asks a running instance: at the address of its console with a personal access token, else
// over the socket in its data folder, which asks for none. token stands for CAUSEWAY_TOKEN where it is empty. Close the
// client's idle connections after use.
func reach(server, token, data string) (client *http.Client, base, key string) {
	if server = strings.TrimRight(server, "/"); server != "" {
		if token == "" {
			token = os.Getenv("CAUSEWAY_TOKEN")
		}
		return http.DefaultClient, server, token
	}
	socket := app.SocketPath(data)
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}, "http://localhost", token
}

// turnedAway is why an instance does not let this command in, as one line: it is not the console's address, or the token
// is missing or not taken. It is nil for any other answer.
func turnedAway(res *http.Response) error {
	asked := res.Request
	base := asked.URL.Scheme + "://" + asked.URL.Host
	switch {
	case res.Header.Get("Causeway-Call-Id") != "":
		return errors.New(base + " is where a gateway takes calls; --server takes the address of its console (console= in the ready line)")
	case res.StatusCode != http.StatusUnauthorized:
		return nil
	case asked.Header.Get("Authorization") != "":
		return errors.New(base + " does not take this personal access token: it is unknown there, withdrawn or expired; make one with POST /api/v1/tokens")
	}
	return errors.New(base + " asks for a personal access token: --token or CAUSEWAY_TOKEN")
}

// runs tells whether an instance seems to run on a data folder. One that was killed leaves its socket behind.
func runs(data string) bool {
	_, err := os.Stat(app.SocketPath(data))
	return err == nil
}
