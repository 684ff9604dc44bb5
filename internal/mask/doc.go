// Package mask finds what must not leave a house in texts that go to a model and come back from it: personal
// data, secrets, words and patterns of an operator. It masks what it finds or says that the text is to be
// blocked. What was masked so that it can be put back is kept for one call in a Vault.
//
// Detectors read plain text. Where a form has a check (Luhn's for cards, mod 97 for IBANs, the check digits of
// identity numbers) only what passes it counts, so that order numbers stay what they are.
package mask
