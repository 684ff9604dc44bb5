package main

import (
	"context"
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

// runs tells whether an instance seems to run on a data folder. One that was killed leaves its socket behind.
func runs(data string) bool {
	_, err := os.Stat(app.SocketPath(data))
	return err == nil
}
