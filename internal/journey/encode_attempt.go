package journey

import (
	"encoding/binary"
	"strings"

	"causeway/internal/fault"
)

// The fields of an attempt in the order they are written. Two of them, tellTarget and sentAll
// with gotAll, say that a value is the same as one that stands before it.
const (
	attTarget uint64 = 1 << iota
	attSameAddress
	attAddress
	attStart
	attReused
	attConnUses
	attConnIdle
	attConnAge
	attGood // PhaseDone and EndComplete
	attPhaseEnd
	attErrno
	attLimit
	attLimitValue
	attDNSTime
	attConnectTime
	attTLSTime
	attSendTime
	attFirstByte
	attTotal
	attBytesOut
	attBodyOut
	attSameOutLen // BodyOutLen is BodyOut
	attBodyOutLen
	attBytesIn
	attBodyIn
	attSameInLen // BodyInLen is BodyIn
	attBodyInLen
	attSilence
	attSendComplete
	attStatus
	attFault
	attOffset
	attFirst
	attLine
	attTries
	attDNS
	attTLS
	attKind
	attAgain
	attMore // see encode_more.go; the last bit of the mask
)

func appendAttempt(dst []byte, a *Attempt) []byte {
	var mask uint64
	dst, at := openSized(dst)
	dst = append(dst, 0, 0, 0, 0, 0)

	dst = optString(dst, &mask, attTarget, a.Target)
	if a.Address != "" && a.Address == targetHost(a.Target) {
		mask |= attSameAddress
	} else {
		dst = optString(dst, &mask, attAddress, a.Address)
	}
	dst = optInt(dst, &mask, attStart, int64(a.Start))
	mask |= flag(attReused, a.Reused)
	dst = optInt(dst, &mask, attConnUses, int64(a.ConnUses))
	dst = optInt(dst, &mask, attConnIdle, int64(a.ConnIdle))
	dst = optInt(dst, &mask, attConnAge, int64(a.ConnAge))
	switch {
	case a.Phase == PhaseDone && a.End == EndComplete:
		mask |= attGood
	case a.Phase != PhaseNone || a.End != EndOpen:
		mask |= attPhaseEnd
		dst = append(dst, byte(a.Phase), byte(a.End))
	}
	dst = optInt(dst, &mask, attErrno, int64(a.Errno))
	dst = optString(dst, &mask, attLimit, a.Limit)
	dst = optInt(dst, &mask, attLimitValue, int64(a.LimitValue))
	dst = optInt(dst, &mask, attDNSTime, int64(a.DNSTime))
	dst = optInt(dst, &mask, attConnectTime, int64(a.ConnectTime))
	dst = optInt(dst, &mask, attTLSTime, int64(a.TLSTime))
	dst = optInt(dst, &mask, attSendTime, int64(a.SendTime))
	dst = optInt(dst, &mask, attFirstByte, int64(a.FirstByte))
	dst = optInt(dst, &mask, attTotal, int64(a.Total))
	dst = optInt(dst, &mask, attBytesOut, a.BytesOut)
	dst = optInt(dst, &mask, attBodyOut, a.BodyOut)
	dst = optSame(dst, &mask, attSameOutLen, attBodyOutLen, a.BodyOut, a.BodyOutLen)
	dst = optInt(dst, &mask, attBytesIn, a.BytesIn)
	dst = optInt(dst, &mask, attBodyIn, a.BodyIn)
	dst = optSame(dst, &mask, attSameInLen, attBodyInLen, a.BodyIn, a.BodyInLen)
	dst = optInt(dst, &mask, attSilence, int64(a.Silence))
	mask |= flag(attSendComplete, a.SendComplete)
	dst = optInt(dst, &mask, attStatus, int64(a.Status))
	dst = optString(dst, &mask, attFault, string(a.Fault))
	dst = optInt(dst, &mask, attOffset, a.Offset)
	dst = optBytes(dst, &mask, attFirst, a.First)
	dst = optBytes(dst, &mask, attLine, a.Line)
	if len(a.Tries) > 0 {
		mask |= attTries
		dst = appendTries(dst, a.Tries)
	}
	if a.DNS != nil {
		mask |= attDNS
		dst = appendDNS(dst, a.DNS)
	}
	if a.TLS != nil {
		mask |= attTLS
		dst = appendTLS(dst, a.TLS)
	}
	dst = optString(dst, &mask, attKind, string(a.Kind))
	dst = optString(dst, &mask, attAgain, a.Again)
	if a.hasMore() {
		mask |= attMore
		dst = appendMore(dst, a)
	}

	putMask(dst[at+1:], mask)
	return closeSized(dst, at)
}

// targetHost is what stands behind "://" in a target, which is mostly the address dialled.
func targetHost(target string) string {
	if i := strings.Index(target, "://"); i >= 0 {
		return target[i+3:]
	}
	return ""
}

// optSame writes b, which is mostly zero or equal to a.
func optSame(dst []byte, mask *uint64, same, other uint64, a, b int64) []byte {
	if b != 0 && b == a {
		*mask |= same
		return dst
	}
	return optInt(dst, mask, other, b)
}

func appendTries(dst []byte, tries []AddressTry) []byte {
	tries = tries[:min(len(tries), maxItems)]
	dst = binary.AppendUvarint(dst, uint64(len(tries)))
	for i := range tries {
		t := &tries[i]
		var at int
		dst, at = openSized(dst)
		dst = appendString(dst, t.Address)
		dst = binary.AppendUvarint(dst, uint64(t.Errno))
		dst = append(dst, byte(flag(1, t.Timeout)))
		dst = binary.AppendVarint(dst, int64(t.Took))
		dst = closeSized(dst, at)
	}
	return dst
}

// The fields of DNSFacts.
const (
	dnsName uint64 = 1 << iota
	dnsServer
	dnsNotFound
	dnsTimeout
	dnsRCode
	dnsErr
)

func appendDNS(dst []byte, d *DNSFacts) []byte {
	mask := flag(dnsNotFound, d.NotFound) | flag(dnsTimeout, d.Timeout)
	dst, at := openSized(dst)
	dst = append(dst, 0)
	dst = optString(dst, &mask, dnsName, d.Name)
	dst = optString(dst, &mask, dnsServer, d.Server)
	dst = optString(dst, &mask, dnsRCode, d.RCode)
	dst = optString(dst, &mask, dnsErr, d.Err)
	dst[at+1] = byte(mask)
	return closeSized(dst, at)
}

// The fields of TLSFacts. Alert counts from -1, so that no alert is zero and costs nothing.
const (
	tlsServerName uint64 = 1 << iota
	tlsReason
	tlsAlert
	tlsAlertText
	tlsAsked
	tlsSubject
	tlsIssuer
	tlsNames
	tlsNotBefore
	tlsNotAfter
	tlsChain
	tlsFirst
	tlsErr
	tlsAfterComplete
	tlsOwn
)

func appendTLS(dst []byte, t *TLSFacts) []byte {
	mask := flag(tlsAsked, t.Asked) | flag(tlsAfterComplete, t.AfterComplete)
	dst, at := openSized(dst)
	dst = append(dst, 0, 0)
	dst = optString(dst, &mask, tlsServerName, t.ServerName)
	dst = optString(dst, &mask, tlsReason, t.Reason)
	dst = optInt(dst, &mask, tlsAlert, int64(t.Alert)+1)
	dst = optString(dst, &mask, tlsAlertText, t.AlertText)
	dst = optString(dst, &mask, tlsSubject, t.Subject)
	dst = optString(dst, &mask, tlsIssuer, t.Issuer)
	if len(t.Names) > 0 {
		mask |= tlsNames
		dst = appendStrings(dst, t.Names)
	}
	dst = optTime(dst, &mask, tlsNotBefore, t.NotBefore)
	dst = optTime(dst, &mask, tlsNotAfter, t.NotAfter)
	dst = optInt(dst, &mask, tlsChain, int64(t.Chain))
	dst = optBytes(dst, &mask, tlsFirst, t.First)
	dst = optString(dst, &mask, tlsErr, t.Err)
	dst = optString(dst, &mask, tlsOwn, t.Own)
	binary.LittleEndian.PutUint16(dst[at+1:], uint16(mask))
	return closeSized(dst, at)
}

// The fields of a finding; its kind stands with the record's own fields.
const (
	finCause uint64 = 1 << iota
	finStatus
	finDetail
	finSafeDetail
	finRetry
	finRetryAfter
	finEvidence
	finRuledOut
	finAttempts
	finAdvice
	finCallerAdvice
	finProxyParams
	finReceivedStatus
	finPassed
	finConfidence
	finMore // a value with a mask of its own: see appendFindingMore. It is the mask's last bit
)

func appendFinding(dst []byte, f *fault.Finding) []byte {
	mask := flag(finPassed, f.Passed)
	dst, at := openSized(dst)
	dst = append(dst, 0, 0)
	dst = optString(dst, &mask, finCause, string(f.Cause))
	dst = optInt(dst, &mask, finStatus, int64(f.Status))
	dst = optString(dst, &mask, finDetail, f.Detail)
	dst = optString(dst, &mask, finSafeDetail, f.SafeDetail)
	dst = optString(dst, &mask, finRetry, string(f.Retry))
	dst = optInt(dst, &mask, finRetryAfter, f.RetryAfterMS)
	dst = optStrings(dst, &mask, finEvidence, f.Evidence)
	dst = optStrings(dst, &mask, finRuledOut, f.RuledOut)
	if n := min(len(f.Attempts), maxItems); n > 0 {
		mask |= finAttempts
		dst = binary.AppendUvarint(dst, uint64(n))
		for i := range f.Attempts[:n] {
			dst = appendFindingAttempt(dst, &f.Attempts[i])
		}
	}
	dst = optStrings(dst, &mask, finAdvice, f.Advice)
	dst = optStrings(dst, &mask, finCallerAdvice, f.CallerAdvice)
	if n := min(len(f.ProxyParams), maxItems); n > 0 {
		mask |= finProxyParams
		dst = binary.AppendUvarint(dst, uint64(n))
		for i := range f.ProxyParams[:n] {
			dst = appendParam(dst, &f.ProxyParams[i])
		}
	}
	dst = optInt(dst, &mask, finReceivedStatus, int64(f.ReceivedStatus))
	dst = optString(dst, &mask, finConfidence, f.Confidence)
	if f.Pattern != "" || f.Because != "" || f.Check != "" || f.Warning != "" {
		mask |= finMore
		dst = appendFindingMore(dst, f)
	}
	binary.LittleEndian.PutUint16(dst[at+1:], uint16(mask))
	return closeSized(dst, at)
}

func optStrings(dst []byte, mask *uint64, bit uint64, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	*mask |= bit
	return appendStrings(dst, list)
}
