package gateway

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// neverCopied are the caller's fields that do not go upstream as they are: those of its connection
// (the codec leaves most of them out), those that the gateway writes itself, and what is meant for
// the gateway alone.
const neverCopied = 1<<wire.Host | 1<<wire.ContentLength | 1<<wire.TransferEncoding | 1<<wire.Connection |
	1<<wire.KeepAlive | 1<<wire.ProxyConnection | 1<<wire.TE | 1<<wire.Upgrade | 1<<wire.Expect |
	1<<wire.ProxyAuthorization | 1<<wire.XForwardedFor | 1<<wire.XForwardedProto | 1<<wire.XForwardedHost |
	1<<wire.XForwardedPort | 1<<wire.XRealIP | 1<<wire.Forwarded | 1<<wire.Traceparent |
	1<<wire.CausewayCallID | 1<<wire.CausewayAttempts | 1<<wire.CausewayFinding

// fromTrusted are those among them that a trusted proxy's word counts for as it stands.
const fromTrusted = 1<<wire.Forwarded | 1<<wire.XForwardedPort | 1<<wire.XRealIP

// lookalike tells whether a field name is one of ours, or of the operator's rules, written with "_"
// for "-": CGI and WSGI servers read both as the same variable, so that it would speak for us.
func lookalike(name []byte, rules *snapshot.HeaderRules) bool {
	if bytes.IndexByte(name, '_') < 0 {
		return false
	}
	plain := bytes.ReplaceAll(name, []byte{'_'}, []byte{'-'})
	id := wire.Identify(plain)
	return id != wire.Other && uint64(neverCopied)&(1<<id) != 0 || rules != nil && rules.Drops(plain)
}

// nominated tells whether the caller's Connection field names this field as its connection's own
// (RFC 9110 section 7.6.1).
func (c *call) nominated(name []byte) bool {
	found := false
	for i := range c.rq.Header.Fields {
		f := &c.rq.Header.Fields[i]
		if f.ID == wire.Connection {
			wire.EachToken(f.Value, func(t []byte) bool {
				found = len(t) == len(name) && bytes.EqualFold(t, name)
				return !found
			})
		}
		if found {
			return true
		}
	}
	return false
}

// appendHead writes the request head for one target into dst: the request line with the caller's
// bytes (less a stripped prefix, behind the target's own), the caller's fields in their order and
// case, and what the gateway adds.
func (c *call) appendHead(dst []byte, o *wire.Origin, up *snapshot.Upstream, target []byte, length int64) []byte {
	rq := c.rq
	dst = append(dst, rq.Method...)
	dst = append(dst, ' ')
	dst = append(dst, o.Prefix...)
	dst = append(dst, target...)
	if c.model != nil {
		dst = c.appendModelQuery(dst)
	} else if rq.HasQuery {
		dst = append(append(dst, '?'), rq.Query...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	switch up.Host {
	case "", "target":
		dst = append(dst, o.Host...)
	case "caller":
		if len(rq.Authority) > 0 {
			dst = append(dst, rq.Authority...)
		} else {
			dst = append(dst, o.Host...)
		}
	default:
		dst = append(dst, up.Host...)
	}
	dst = append(dst, '\r', '\n')
	dst = c.appendCallersFields(dst, up)
	dst = append(dst, up.ExtraFields...)
	for i := range up.IfMissing {
		if f := &up.IfMissing[i]; c.cross.on || rq.Header.Lookup(f.Name) == nil {
			dst = append(dst, f.Line...)
		}
	}
	if c.shelf.asksWhether() {
		dst = c.shelf.appendConditions(dst)
	}
	if c.key != nil {
		dst = append(dst, c.key.Line...)
	}
	if c.cross.on {
		dst = append(dst, crossedFields...)
	} else if c.model != nil {
		dst = c.appendAccept(dst)
	}
	dst = c.appendForwarded(dst)
	dst = c.appendTrace(dst)
	if c.rpc.form != rpcNone {
		dst = c.appendRPCFields(dst, up)
	}
	switch {
	case length == wire.LengthChunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case length > 0 || rq.Header.Has(wire.ContentLength):
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, length, 10)
		dst = append(dst, '\r', '\n')
	}
	if c.upgrade {
		dst = append(dst, "Connection: Upgrade\r\nUpgrade: "...)
		dst = append(dst, rq.Header.Get(wire.Upgrade)...)
		dst = append(dst, '\r', '\n')
	}
	return append(dst, '\r', '\n')
}

func (c *call) appendCallersFields(dst []byte, up *snapshot.Upstream) []byte {
	rq := c.rq
	hasConnection := rq.Header.Has(wire.Connection)
	for i := range rq.Header.Fields {
		f := &rq.Header.Fields[i]
		if f.ID != wire.Other {
			if uint64(neverCopied)&(1<<f.ID) != 0 && !(c.trustedPeer && uint64(fromTrusted)&(1<<f.ID) != 0) {
				continue
			}
			if uint64(c.dropped)&(1<<f.ID) != 0 {
				continue
			}
		} else if lookalike(f.Name, up.Rules) || c.model != nil && forGateway(f.Name) {
			continue
		}
		if up.Rules != nil && up.Rules.Drops(f.Name) || c.cross.on && ofDialect(f) || c.shelf.asksWhether() && ofCondition(f) {
			continue
		}
		if hasConnection && c.nominated(f.Name) {
			continue
		}
		value := f.Value
		if c.op == llm.Realtime && f.ID == wire.Other && wire.EqualFold(f.Name, nameExtensions) {
			continue // nothing compressed: what the provider says it used is read
		}
		if c.op == llm.Realtime && f.ID == wire.Other && wire.EqualFold(f.Name, nameSubprotocol) {
			if value = withoutKey(value); len(value) == 0 {
				continue
			}
		}
		if f.ID == wire.Cookie && bytes.Contains(value, ownCookie) {
			if value = withoutOwnCookie(value); len(value) == 0 {
				continue
			}
		}
		dst = append(dst, f.Name...)
		dst = append(dst, ':', ' ')
		dst = append(dst, value...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// ownCookie is the console's session. Browsers send it to every port of a host, so that it comes
// to the gateway as well; it is nobody else's.
var ownCookie = []byte("causeway_session=")

func withoutOwnCookie(value []byte) []byte {
	var kept [][]byte
	for _, pair := range bytes.Split(value, []byte{';'}) {
		if pair = bytes.TrimSpace(pair); !bytes.HasPrefix(pair, ownCookie) {
			kept = append(kept, pair)
		}
	}
	return bytes.Join(kept, []byte("; "))
}

// appendForwarded tells the upstream who called, and that we stand between (RFC 9110 section
// 7.6.3, RFC 7239). What the caller said of itself counts only from a trusted proxy.
func (c *call) appendForwarded(dst []byte) []byte {
	rq := c.rq
	if c.j.Protocol == "HTTP/2" {
		dst = append(dst, "Via: 2.0 "...)
	} else {
		dst = append(dst, "Via: 1."...)
		dst = append(dst, byte('0'+rq.Minor), ' ')
	}
	dst = append(dst, c.pseudonym...)
	dst = append(dst, "\r\nX-Forwarded-For: "...)
	dst = c.appendEarlier(dst, false)
	if c.peerText == "" {
		dst = append(dst, "unknown"...) // a Unix socket's caller has no address
	}
	dst = append(dst, c.peerText...)
	dst = append(dst, "\r\nX-Forwarded-Proto: "...)
	proto, host := c.origin()
	dst = append(dst, proto...)
	if len(host) > 0 {
		dst = append(dst, "\r\nX-Forwarded-Host: "...)
		dst = append(dst, host...)
	}
	dst = append(dst, "\r\nForwarded: "...)
	dst = c.appendEarlier(dst, true)
	dst = append(dst, "for="...)
	if strings.IndexByte(c.peerText, ':') >= 0 {
		dst = append(dst, `"[`...)
		dst = append(dst, c.peerText...)
		dst = append(dst, `]"`...)
	} else if c.peerText == "" {
		dst = append(dst, "unknown"...)
	} else {
		dst = append(dst, c.peerText...)
	}
	if len(host) > 0 {
		dst = append(dst, `;host="`...)
		dst = append(dst, host...)
		dst = append(dst, '"')
	}
	dst = append(dst, ";proto="...)
	dst = append(dst, proto...)
	return append(dst, '\r', '\n')
}

// plainText tells whether a scheme or host is one that can stand in Forwarded as it is.
func plainText(v []byte) bool {
	for _, b := range v {
		if b <= ' ' || b >= 0x7f || b == '"' || b == '\\' || b == ';' || b == ',' {
			return false
		}
	}
	return true
}

// appendTrace continues the caller's trace, or begins one (W3C Trace Context, section 3.2).
func (c *call) appendTrace(dst []byte) []byte {
	flags := byte('0')
	if v := c.rq.Header.Get(wire.Traceparent); v != nil {
		if id, sampled, ok := parseTraceparent(v); ok {
			c.j.Trace = id
			if sampled {
				flags = '1'
			}
		}
	}
	if c.j.Trace == ([16]byte{}) {
		binary.LittleEndian.PutUint64(c.j.Trace[:8], rand.Uint64())
		binary.LittleEndian.PutUint64(c.j.Trace[8:], rand.Uint64())
	}
	dst = append(dst, "traceparent: 00-"...)
	dst = hex.AppendEncode(dst, c.j.Trace[:])
	dst = append(dst, '-')
	var span [8]byte
	binary.LittleEndian.PutUint64(span[:], rand.Uint64()|1)
	dst = hex.AppendEncode(dst, span[:])
	return append(dst, '-', '0', flags, '\r', '\n')
}

// parseTraceparent reads version-traceid-parentid-flags; a later version may have more after it.
func parseTraceparent(v []byte) (id [16]byte, sampled, ok bool) {
	if len(v) < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' || string(v[:2]) == "ff" {
		return id, false, false
	}
	if len(v) > 55 && (string(v[:2]) == "00" || v[55] != '-') {
		return id, false, false
	}
	for i, b := range v[:55] {
		if i != 2 && i != 35 && i != 52 && (b < '0' || b > '9') && (b < 'a' || b > 'f') {
			return id, false, false
		}
	}
	if _, err := hex.Decode(id[:], v[3:35]); err != nil || id == ([16]byte{}) {
		return id, false, false
	}
	var parent [8]byte
	if _, err := hex.Decode(parent[:], v[36:52]); err != nil || parent == ([8]byte{}) {
		return id, false, false
	}
	var f [1]byte
	if _, err := hex.Decode(f[:], v[53:55]); err != nil {
		return id, false, false
	}
	return id, f[0]&1 != 0, true
}
