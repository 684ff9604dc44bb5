package upstream

import (
	"fmt"
	"strings"
)

// balance is a way to choose. Each has a file of its own; choose is the list of them.
type balance uint8

const (
	roundRobin balance = iota
	leastBusy
	randomTwo
	hashed
)

// HashBy is what a hashing pool's stickiness hangs on. The zero value is: on nothing.
type HashBy struct {
	IP     bool   // the caller's address
	Header string // the value of this header
	Cookie string // the value of this cookie
}

// None reports whether nothing is to be hashed.
func (h HashBy) None() bool { return h == HashBy{} }

func parseBalance(s string) (balance, HashBy, error) {
	word, name, _ := strings.Cut(s, ":")
	switch {
	case s == "" || s == "round_robin" || s == "weighted":
		return roundRobin, HashBy{}, nil
	case s == "least_busy":
		return leastBusy, HashBy{}, nil
	case s == "random_two":
		return randomTwo, HashBy{}, nil
	case s == "hash_ip":
		return hashed, HashBy{IP: true}, nil
	case word == "hash_header" && name != "":
		return hashed, HashBy{Header: name}, nil
	case word == "hash_cookie" && name != "":
		return hashed, HashBy{Cookie: name}, nil
	}
	return 0, HashBy{}, fmt.Errorf("balance %q is none of round_robin, least_busy, random_two, hash_ip, hash_header:NAME, hash_cookie:NAME", s)
}

// choose picks a usable target that is not skipped and takes one of its slots; nil when there is
// none. A switch and not an interface: the caller's Tried stays on its stack.
func (p *Pool) choose(hash uint64, s skip) *Target {
	if len(p.targets) == 0 {
		return nil
	}
	switch {
	case p.balance == leastBusy:
		return p.chooseLeastBusy(s)
	case p.balance == randomTwo:
		return p.chooseRandomTwo(s)
	case p.balance == hashed && hash != 0:
		return p.chooseHashed(hash, s)
	default:
		return p.chooseInTurn(s)
	}
}
