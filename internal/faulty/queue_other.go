//go:build !linux

package faulty

import "fmt"

// fullQueue needs Linux: other systems answer a full accept queue each in their own way.
func (s *site) fullQueue() (string, error) {
	return "", fmt.Errorf("%w: only Linux drops every SYN of a full accept queue", ErrUnavailable)
}
