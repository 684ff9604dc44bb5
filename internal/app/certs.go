package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"

	"causeway/internal/catalog"
)

// certificates are the door's, chosen by the name that the caller asks for (SNI) and replaced
// without a new listener.
type certificates struct {
	list atomic.Pointer[[]tls.Certificate]
}

// load reads every certificate; on an error those in force stay.
func (c *certificates) load(files []catalog.Certificate) error {
	list := make([]tls.Certificate, 0, len(files))
	for _, f := range files {
		cert, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
		if err != nil {
			return fmt.Errorf("loading the certificate %s: %w", f.CertFile, err)
		}
		list = append(list, cert)
	}
	c.list.Store(&list)
	return nil
}

// config is the door's, nil when there are no certificates.
func (c *certificates) config() *tls.Config {
	list := c.list.Load()
	if list == nil || len(*list) == 0 {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			list := *c.list.Load()
			for i := range list {
				if hello.SupportsCertificate(&list[i]) == nil {
					return &list[i], nil
				}
			}
			if len(list) == 0 {
				return nil, errors.New("no certificate is loaded")
			}
			return &list[0], nil // the caller will say what it thinks of the name
		},
	}
}
