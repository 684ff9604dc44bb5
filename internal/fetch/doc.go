// Package fetch gets what stands at a URL that a stranger wrote: an image, a document or a recording that a caller names
// in a prompt and a provider wants as bytes.
//
// Such a URL must not make the gateway speak to what only the gateway can reach. Every address is judged when it is
// dialled, after the name was resolved, so that neither a name that changes its mind nor a redirect gets past; what is
// not public is refused unless the operator has listed it.
package fetch
