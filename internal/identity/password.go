package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/alexedwards/argon2id"
)

// maxPassword bounds the work that a password can cause.
const maxPassword = 1024 // bytes

// waiters is how many sign-ins may wait for their turn behind each one that is being checked.
const waiters = 16

// hasher computes argon2id hashes, a few at a time.
type hasher struct {
	params argon2id.Params
	queue  chan struct{} // a place for each one waiting or computing
	turn   chan struct{} // a place for each one computing
	nobody string
}

func newHasher(params argon2id.Params, atOnce int) *hasher {
	return &hasher{
		params: params,
		queue:  make(chan struct{}, atOnce*(1+waiters)),
		turn:   make(chan struct{}, atOnce),
		nobody: unmatchable(params),
	}
}

// unmatchable is a hash in the usual form that no known password has. Checking a password against
// it takes as long as against a real one, so that time does not tell which accounts exist.
func unmatchable(p argon2id.Params) string {
	salt, key := make([]byte, p.SaltLength), make([]byte, p.KeyLength)
	// rand.Read never fails since Go 1.24.
	_, _ = rand.Read(salt)
	_, _ = rand.Read(key)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s",
		p.Memory, p.Iterations, p.Parallelism, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// enter waits for a turn; leave must be called after it has returned nil. It returns ErrBusy when
// too many wait already.
func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.queue <- struct{}{}:
	default:
		return ErrBusy
	}
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.queue
		return context.Cause(ctx)
	}
}

func (h *hasher) leave() {
	<-h.turn
	<-h.queue
}

// matches checks a password; hash may be "" for an account that does not exist.
func (h *hasher) matches(ctx context.Context, password, hash string) (bool, error) {
	if hash == "" {
		hash = h.nobody
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("reading a stored password hash: %w", err)
	}
	return ok, nil
}

// hash makes the hash of a new password.
func (i *Identity) hash(ctx context.Context, password string) (string, error) {
	if password == "" {
		return "", &InvalidError{"password", "must not be empty"}
	}
	if len(password) > maxPassword {
		return "", &InvalidError{"password", fmt.Sprintf("must be at most %d bytes", maxPassword)}
	}
	if err := i.hasher.enter(ctx); err != nil {
		return "", err
	}
	defer i.hasher.leave()
	hash, err := argon2id.CreateHash(password, &i.hasher.params)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	return hash, nil
}
