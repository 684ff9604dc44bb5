package main

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"causeway/internal/app"
	"causeway/internal/catalog"
)

func newProxy() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "proxy URL",
		Short: "Put the gateway before one upstream, without a configuration file",
		Long: `Puts the gateway before one upstream: every path and method goes there, without a key, and every
failure is explained in the answer itself. Only /.causeway/ stays the gateway's own.`,
		Example: "  causeway proxy http://127.0.0.1:8000\n  causeway proxy --listen 127.0.0.1:9000 https://api.example.com/v2",
		Args:    oneArgument("URL", "http://127.0.0.1:8000"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := proxyCatalog(args[0])
			if err != nil {
				return err
			}
			return serve(cmd, app.Options{Catalog: c}, f)
		},
	}
	f.add(c)
	return c
}

// proxyCatalog is the configuration of one open service that takes everything.
func proxyCatalog(target string) (*catalog.Catalog, error) {
	u, err := url.Parse(target)
	switch {
	case err == nil && u.Scheme == "unix" && u.Path != "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q is not a URL that begins with http://, https:// or unix:; for a port on this machine write http://127.0.0.1:PORT", target)
	case u.Host == "":
		return nil, fmt.Errorf("%q has no host", target)
	case u.User != nil:
		return nil, errors.New("the URL holds a user name or password; send them as a header instead")
	}
	c := catalog.Default()
	c.LLM.Off = true
	s, err := catalog.OpenService("upstream", target)
	if err != nil {
		return nil, err
	}
	c.Services = map[string]*catalog.Service{s.Name: s}
	return c, nil
}
