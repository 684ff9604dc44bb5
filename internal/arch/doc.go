// Package arch holds the rules of the house as tests: who may import whom, what every package
// and file must have, and what nobody may do. docs/ARCHITECTURE.md tells the reasons.
package arch
