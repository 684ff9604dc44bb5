package snapshot

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"

	"causeway/internal/catalog"
	"causeway/internal/sign"
)

// Credential is one key of a provider: a header line that is known at startup, or a Signer that makes the
// lines of each call. Printing it shows its Hint at the most.
type Credential struct {
	Line   []byte      // "Authorization: Bearer ...\r\n"; never logged; nil where there is a Signer
	Signer sign.Signer // nil where there is a Line
	Hint   string      // its last four characters, for evidence: "...1a2b"; "" for a key too short to tell from a word
	Name   string      // as the configuration calls it; "" for none

	secret []byte   // the key itself, or what of it a provider could quote
	id     [32]byte // of everything that the Signer is made from
}

// String is the key's name and hint: "[key main ...1a2b]".
func (k Credential) String() string {
	return "[" + strings.Join(strings.Fields("key "+k.Name+" "+k.Hint), " ") + "]"
}

// GoString is String: %#v must not show more.
func (k Credential) GoString() string { return k.String() }

// QuotedIn tells whether a provider's text has the key in it. A key without a Hint is never found.
func (k *Credential) QuotedIn(text []byte) bool {
	return k != nil && k.Hint != "" && bytes.Contains(text, k.secret)
}

// Without is the text with the key taken out.
func (k *Credential) Without(text string) string {
	if k == nil || k.Hint == "" {
		return text
	}
	return strings.ReplaceAll(text, string(k.secret), "[key]")
}

// hintOf shows the end of a key that is too long to be a word.
func hintOf(secret string) string {
	if len(secret) < 16 {
		return ""
	}
	return "..." + secret[len(secret)-4:]
}

// keyField begins the header line that carries a key, by catalog.Vendor.Auth.
func keyField(auth string) string {
	switch auth {
	case "x-api-key":
		return "x-api-key: "
	case "x-goog-api-key":
		return "x-goog-api-key: "
	case "api-key":
		return "api-key: "
	}
	return "Authorization: Bearer " // bearer; a Bedrock API key, or an access token of Google's
}

// lineCredential is a key that is sent as it is.
func lineCredential(k *catalog.ProviderKey, auth string) Credential {
	v := k.Value.Reveal()
	return Credential{Line: slices.Concat([]byte(keyField(auth)), []byte(v), crlf), Hint: hintOf(v), Name: k.Name, secret: []byte(v)}
}

// CallerCredential is a caller's own key for a provider with CallerKey, as the provider wants it.
func (p *Provider) CallerCredential(key string) *Credential {
	auth := "bearer"
	if p.Vendor != nil {
		auth = p.Vendor.Sends()
	}
	c := lineCredential(&catalog.ProviderKey{Name: "of the caller", Value: catalog.Secret(key)}, auth)
	return &c
}

var crlf = []byte("\r\n")

// credentials makes a provider's keys. What old has made a Signer of and has not changed keeps it, with the
// token that it holds.
func (b *builder) credentials(p *catalog.Provider, old *Upstream) ([]Credential, error) {
	auth := "bearer"
	if p.Vendor != nil {
		auth = p.Vendor.Sends()
	}
	var list []Credential
	for i := range p.Keys {
		k := &p.Keys[i]
		if k.AccessKeyID == "" {
			list = append(list, lineCredential(k, auth))
			continue
		}
		c, err := awsCredential(k, p.Region, old)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		list = append(list, c)
	}
	if p.Credentials == "" && p.CredentialsFile == "" {
		return list, nil
	}
	c, err := googleCredential(p, old, b.deps.Google)
	if err != nil {
		return nil, err
	}
	return append(list, c), nil
}

// signed fills in what a signing key is, with the Signer of old where it is the same, else one that is made.
func signed(c Credential, old *Upstream, make func() (sign.Signer, error), parts ...string) (Credential, error) {
	c.Hint, c.id = hintOf(string(c.secret)), sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	if old != nil {
		for i := range old.Keys {
			if k := &old.Keys[i]; k.Signer != nil && k.id == c.id {
				c.Signer = k.Signer
				return c, nil
			}
		}
	}
	var err error
	c.Signer, err = make()
	return c, err
}

func awsCredential(k *catalog.ProviderKey, region string, old *Upstream) (Credential, error) {
	key := sign.AWSKey{AccessKey: k.AccessKeyID, Secret: k.SecretAccessKey.Reveal(), Session: k.SessionToken.Reveal()}
	c := Credential{Name: k.Name, secret: []byte(key.Secret)}
	if c.Name == "" {
		c.Name = k.AccessKeyID // no secret: it stands in each signature
	}
	return signed(c, old, func() (sign.Signer, error) {
		return sign.NewAWS(sign.AWS{Key: key, Region: region, Service: "bedrock"})
	}, "aws", key.AccessKey, key.Secret, key.Session, region)
}

func googleCredential(p *catalog.Provider, old *Upstream, google func(account []byte) (sign.Signer, error)) (Credential, error) {
	account := []byte(p.Credentials.Reveal())
	if p.CredentialsFile != "" {
		var err error
		if account, err = os.ReadFile(p.CredentialsFile); err != nil {
			return Credential{}, fmt.Errorf("%s: reading credentials_file: %w", p.Name, err)
		}
	}
	if google == nil {
		google = func(account []byte) (sign.Signer, error) {
			s, err := sign.NewGoogle(account, sign.GoogleOptions{})
			if err != nil {
				return nil, err // and no Signer that is a nil *sign.Google
			}
			return s, nil
		}
	}
	c := Credential{Name: "service account", secret: account}
	c, err := signed(c, old, func() (sign.Signer, error) { return google(account) }, "google", string(account))
	c.Hint = "" // its end is that of a JSON text
	if err != nil {
		return Credential{}, fmt.Errorf("%s: the service account can't be used: %w", p.Name, err)
	}
	return c, nil
}
