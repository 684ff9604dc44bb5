package identitytest

import (
	"testing"

	"causeway/internal/identity"
)

func TestTheStoreInMemoryConforms(t *testing.T) {
	Conformance(t, func(*testing.T) identity.Store { return &Store{} })
}
