package catalog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// files checks the certificate files that the configuration names.
func (c *checker) files(root *value, b builder) {
	for _, pair := range root.get("server").get("tls").items {
		c.certificate(pair.get("cert_file"), pair.get("key_file"), b)
		c.content(pair.get("ocsp_file"), b) // what is in it goes out of date by itself: that is said when it is used
	}
	c.authorities(root.get("server").get("client_auth").get("ca_file"), b)
	c.authorities(root.get("server").get("acme").get("ca_file"), b)
	for _, name := range root.get("providers").names {
		c.upstreamFiles(root.get("providers").get(name).get("tls"), b)
		c.account(root.get("providers").get(name).get("credentials_file"), b)
	}
	for _, name := range root.get("services").names {
		c.upstreamFiles(root.get("services").get(name).get("upstream").get("tls"), b)
	}
}

func (c *checker) upstreamFiles(v *value, b builder) {
	c.authorities(v.get("ca_file"), b)
	c.certificate(v.get("cert_file"), v.get("key_file"), b)
}

func (c *checker) certificate(cert, key *value, b builder) {
	certPEM, haveCert := c.content(cert, b)
	keyPEM, haveKey := c.content(key, b)
	if !haveCert || !haveKey {
		return
	}
	var bad *PEMError
	if _, err := KeyPair(certPEM, keyPEM); !errors.As(err, &bad) {
		return
	}
	of, where := cert, ""
	if bad.OfKey {
		of = key
		if bad.Mismatch {
			where = " in `" + cert.path + "`"
		}
	}
	c.faults.add(of.at, subjectOf(of)+" "+bad.What+where, bad.Fix)
}

func (c *checker) authorities(ca *value, b builder) {
	text, ok := c.content(ca, b)
	if !ok {
		return
	}
	var bad *PEMError
	if _, err := Authorities(text); errors.As(err, &bad) {
		c.faults.add(ca.at, subjectOf(ca)+" "+bad.What, bad.Fix)
	}
}

// content reads a file that the configuration names. A file is at most 4 MiB, so that a wrong
// name (a device, a database) can't stop the gateway.
func (c *checker) content(v *value, b builder) ([]byte, bool) {
	if v.bad || !v.set() || as[string](v) == "" {
		return nil, false
	}
	name := b.file(as[string](v))
	info, err := os.Stat(name)
	var data []byte
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("it is not a regular file")
	case info.Size() > maxFile:
		err = errors.New("it is larger than a certificate file can be")
	default:
		data, err = os.ReadFile(name)
	}
	if err == nil {
		return data, true
	}
	message, fix := " can't be read: "+reason(err), "make it a file that the gateway may read"
	if errors.Is(err, fs.ErrNotExist) {
		message, fix = " does not exist", "put the file there, or name another"
		if !filepath.IsAbs(as[string](v)) {
			fix += "; relative names are taken from this file's folder"
		}
	}
	c.faults.add(v.at, subjectOf(v)+message, fix)
	return nil, false
}

// reason is an error without the name of the file, which may come from a secret variable.
func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// subjectOf names a value and shows it as it is written.
func subjectOf(v *value) string {
	text := v.node.text
	if v.node.source != "" {
		text = v.node.source
	}
	return "`" + v.path + ": " + shorten(text) + "`"
}
