package identity

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/journey"
)

const (
	maxTokens    = 100 // of one account
	maxTokenName = 100 // characters
	// touchEvery is how exactly Token.LastUsed is kept: a write for every call would be wasted.
	touchEvery = time.Minute
)

// NewToken is what is wished of a personal access token.
type NewToken struct {
	Name    string    // what its owner calls it; not empty, and new to the account
	Role    Role      // "" means the role of who asks
	Expires time.Time // zero: never
}

// CreateToken makes a personal access token for the account of who asks. secret is the token itself,
// "cw_pat_" and 52 characters; it is not kept. A token never gives more than its maker has: not a
// higher role, and, made with another token, not a later end.
// What is wrong with the wishes comes back as an *InvalidError.
func (i *Identity) CreateToken(ctx context.Context, by Principal, wish NewToken) (secret string, t Token, err error) {
	now := i.now()
	wish.Name = strings.TrimSpace(wish.Name)
	if wish.Role == "" {
		wish.Role = by.Role
	}
	if err := checkWish(by, wish, now); err != nil {
		return "", Token{}, err
	}
	kept, err := i.store.Tokens(ctx, by.Account, "", maxTokens)
	if err != nil {
		return "", Token{}, fmt.Errorf("counting the account's tokens: %w", err)
	}
	if len(kept) >= maxTokens {
		return "", Token{}, &InvalidError{"", fmt.Sprintf("the account has %d tokens, the most it may have: delete one that is not used", maxTokens)}
	}
	secret = TokenPrefix + randomText(secretLength)
	t = Token{
		ID:      journey.NewID(now).String(),
		Hash:    HashKey(secret),
		Hint:    hint(secret),
		Account: by.Account,
		Name:    wish.Name,
		Role:    wish.Role,
		Created: now,
		Expires: wish.Expires,
	}
	created, err := i.store.CreateToken(ctx, t)
	if err != nil {
		return "", Token{}, fmt.Errorf("keeping the token: %w", err)
	}
	if !created {
		return "", Token{}, &InvalidError{"name", "is that of another of your tokens"}
	}
	return secret, t, nil
}

func checkWish(by Principal, wish NewToken, now time.Time) error {
	switch {
	case wish.Name == "":
		return &InvalidError{"name", "must not be empty: it is how you will know the token again"}
	case utf8.RuneCountInString(wish.Name) > maxTokenName:
		return &InvalidError{"name", fmt.Sprintf("must be at most %d characters", maxTokenName)}
	case !wish.Role.Valid():
		return &InvalidError{"role", fmt.Sprintf("must be %q or %q", Admin, Viewer)}
	case !by.Role.Allows(wish.Role):
		return &InvalidError{"role", fmt.Sprintf("must not be more than your own, %q", by.Role)}
	case !wish.Expires.IsZero() && !wish.Expires.After(now):
		return &InvalidError{"expires", "must lie in the future"}
	case by.Via == ViaToken && !by.Expires.IsZero() && (wish.Expires.IsZero() || wish.Expires.After(by.Expires)):
		return &InvalidError{"expires", "must not be later than that of the token you ask with, " + by.Expires.UTC().Format(time.RFC3339)}
	}
	return nil
}

// Token finds who a personal access token belongs to. It returns ErrNotSignedIn when the token is
// unknown, expired or revoked, or its account is gone.
func (i *Identity) Token(ctx context.Context, secret string) (Principal, error) {
	if !strings.HasPrefix(secret, TokenPrefix) {
		return Principal{}, ErrNotSignedIn
	}
	t, found, err := i.store.TokenByHash(ctx, HashKey(secret))
	if err != nil {
		return Principal{}, fmt.Errorf("looking up the token: %w", err)
	}
	now := i.now()
	if !found || !t.Expires.IsZero() && !now.Before(t.Expires) {
		return Principal{}, ErrNotSignedIn
	}
	a, found, err := i.store.Account(ctx, t.Account)
	if err != nil {
		return Principal{}, fmt.Errorf("looking up the token's account: %w", err)
	}
	if !found {
		return Principal{}, ErrNotSignedIn
	}
	if now.Sub(t.LastUsed) >= touchEvery {
		if err := i.store.TouchToken(ctx, t.Hash, now); err != nil {
			return Principal{}, fmt.Errorf("noting the token's use: %w", err)
		}
	}
	role := t.Role
	if !a.Role.Allows(role) {
		role = a.Role // the account was given less since
	}
	return Principal{Account: a.Name, Role: role, Via: ViaToken, Expires: t.Expires}, nil
}

// Tokens lists the tokens of an account, the newest first: those older than the id before unless it
// is "", at most limit.
func (i *Identity) Tokens(ctx context.Context, account, before string, limit int) ([]Token, error) {
	tokens, err := i.store.Tokens(ctx, account, before, limit)
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	return tokens, nil
}

// DeleteToken revokes a token of an account at once. It returns ErrNotFound when the account has no
// such token.
func (i *Identity) DeleteToken(ctx context.Context, account, id string) error {
	found, err := i.store.DeleteToken(ctx, account, id)
	if err != nil {
		return fmt.Errorf("deleting the token: %w", err)
	}
	if !found {
		return ErrNotFound
	}
	return nil
}
