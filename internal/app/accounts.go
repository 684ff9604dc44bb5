package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"causeway/internal/catalog"
	"causeway/internal/identity"
)

// sandboxApplication is the application of the key that the first start makes.
const sandboxApplication = "sandbox"

// openAccounts creates, on the first start, the account admin and a key for the sandbox model, and
// shows what is shown only once.
func (a *App) openAccounts(ctx context.Context, c *catalog.Catalog) (err error) {
	if a.identity, err = identity.New(identity.Options{Store: accountStore{a.store}}); err != nil {
		return err
	}
	password, err := a.identity.Bootstrap(ctx, a.o.Getenv("CAUSEWAY_ADMIN_PASSWORD"))
	if err != nil {
		return fmt.Errorf("creating the account %s (its password comes from CAUSEWAY_ADMIN_PASSWORD): %w", identity.AdminName, err)
	}
	if password != "" {
		fmt.Fprintf(a.o.Stdout, "console account: %s, password: %s (shown this once)\n", identity.AdminName, password)
	}
	if _, taken := c.Applications[sandboxApplication]; taken || c.LLM.Off {
		return nil
	}
	return a.openSandboxKey()
}

// openSandboxKey reads the sandbox's key from the data folder, or makes one. It opens the built-in
// models and nothing else, so that it may be read back by whoever may read the folder.
func (a *App) openSandboxKey() error {
	path := filepath.Join(a.o.DataDir, "sandbox.key")
	b, err := os.ReadFile(path)
	switch {
	case err == nil && len(strings.TrimSpace(string(b))) >= 16:
		a.sandboxKey = strings.TrimSpace(string(b))
	case err == nil || errors.Is(err, fs.ErrNotExist):
		a.sandboxKey = identity.NewCallerKey()
		if err := os.WriteFile(path, []byte(a.sandboxKey+"\n"), 0o600); err != nil {
			return fmt.Errorf("keeping the sandbox's key: %w", err)
		}
		fmt.Fprintf(a.o.Stdout, "sandbox key: %s (kept in %s)\n", a.sandboxKey, path)
	default:
		return fmt.Errorf("reading the sandbox's key: %w", err)
	}
	a.extra = []*catalog.Application{{
		Name: sandboxApplication, Details: "full", Subscribes: []string{"models/sandbox/*"},
		Keys: []catalog.CallerKey{{SHA256: keyHash(a.sandboxKey)}},
	}}
	return nil
}
