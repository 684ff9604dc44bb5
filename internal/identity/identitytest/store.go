// Package identitytest helps to test what uses or implements an identity store: a store in memory,
// and the conformance tests that every store must pass.
package identitytest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/identity"
)

// Store is an identity.Store in memory. The zero value is empty and ready; it may be used
// concurrently.
type Store struct {
	mu       sync.Mutex
	accounts map[string]identity.Account
	sessions map[[32]byte]identity.Session
	tokens   map[string]identity.Token
	fail     error
}

// Fail makes every method return err from now on; nil heals the store.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// begin locks the store; the returned function unlocks it.
func (s *Store) begin() (func(), error) {
	s.mu.Lock()
	if s.accounts == nil {
		s.accounts = map[string]identity.Account{}
		s.sessions = map[[32]byte]identity.Session{}
		s.tokens = map[string]identity.Token{}
	}
	return s.mu.Unlock, s.fail
}

// CreateAccount implements identity.Store.
func (s *Store) CreateAccount(_ context.Context, a identity.Account) (bool, error) {
	unlock, err := s.begin()
	defer unlock()
	if _, taken := s.accounts[a.Name]; taken || err != nil {
		return false, err
	}
	s.accounts[a.Name] = a
	return true, nil
}

// Account implements identity.Store.
func (s *Store) Account(_ context.Context, name string) (identity.Account, bool, error) {
	unlock, err := s.begin()
	defer unlock()
	a, found := s.accounts[name]
	return a, found, err
}

// SetPassword implements identity.Store.
func (s *Store) SetPassword(_ context.Context, name, hash string) (bool, error) {
	unlock, err := s.begin()
	defer unlock()
	a, found := s.accounts[name]
	if !found || err != nil {
		return false, err
	}
	a.PasswordHash = hash
	s.accounts[name] = a
	return true, nil
}

// CreateSession implements identity.Store.
func (s *Store) CreateSession(_ context.Context, x identity.Session) error {
	unlock, err := s.begin()
	defer unlock()
	if err == nil {
		s.sessions[x.Hash] = x
	}
	return err
}

// Session implements identity.Store.
func (s *Store) Session(_ context.Context, hash [32]byte) (identity.Session, bool, error) {
	unlock, err := s.begin()
	defer unlock()
	x, found := s.sessions[hash]
	return x, found, err
}

// DeleteSession implements identity.Store.
func (s *Store) DeleteSession(_ context.Context, hash [32]byte) error {
	unlock, err := s.begin()
	defer unlock()
	if err == nil {
		delete(s.sessions, hash)
	}
	return err
}

// DeleteSessions implements identity.Store.
func (s *Store) DeleteSessions(_ context.Context, account string) error {
	return s.deleteSessions(func(x identity.Session) bool { return x.Account == account })
}

// DeleteExpired implements identity.Store.
func (s *Store) DeleteExpired(_ context.Context, at time.Time) error {
	return s.deleteSessions(func(x identity.Session) bool { return !x.Expires.After(at) })
}

func (s *Store) deleteSessions(which func(identity.Session) bool) error {
	unlock, err := s.begin()
	defer unlock()
	if err != nil {
		return err
	}
	for hash, x := range s.sessions {
		if which(x) {
			delete(s.sessions, hash)
		}
	}
	return nil
}

// CreateToken implements identity.Store.
func (s *Store) CreateToken(_ context.Context, t identity.Token) (bool, error) {
	unlock, err := s.begin()
	defer unlock()
	if err != nil {
		return false, err
	}
	for _, other := range s.tokens {
		if other.Account == t.Account && other.Name == t.Name {
			return false, nil
		}
	}
	s.tokens[t.ID] = t
	return true, nil
}

// TokenByHash implements identity.Store.
func (s *Store) TokenByHash(_ context.Context, hash [32]byte) (identity.Token, bool, error) {
	unlock, err := s.begin()
	defer unlock()
	for _, t := range s.tokens {
		if t.Hash == hash {
			return t, true, err
		}
	}
	return identity.Token{}, false, err
}

// Tokens implements identity.Store.
func (s *Store) Tokens(_ context.Context, account, before string, limit int) ([]identity.Token, error) {
	unlock, err := s.begin()
	defer unlock()
	if err != nil {
		return nil, err
	}
	var list []identity.Token
	for _, t := range s.tokens {
		if t.Account == account && (before == "" || t.ID < before) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b identity.Token) int { return strings.Compare(b.ID, a.ID) })
	return list[:min(limit, len(list))], nil
}

// TouchToken implements identity.Store.
func (s *Store) TouchToken(_ context.Context, hash [32]byte, at time.Time) error {
	unlock, err := s.begin()
	defer unlock()
	if err != nil {
		return err
	}
	for id, t := range s.tokens {
		if t.Hash == hash {
			t.LastUsed = at
			s.tokens[id] = t
		}
	}
	return nil
}

// DeleteToken implements identity.Store.
func (s *Store) DeleteToken(_ context.Context, account, id string) (bool, error) {
	unlock, err := s.begin()
	defer unlock()
	if t, found := s.tokens[id]; !found || t.Account != account || err != nil {
		return false, err
	}
	delete(s.tokens, id)
	return true, nil
}
