package incident

import (
	"slices"

	"causeway/internal/fault"
)

// A server that goes down cuts the connections that it has before it refuses or ignores new ones: these kinds
// are the second half of the same story, where the same target shows both.
var downKinds = []fault.Kind{
	fault.ConnectionRefused, fault.SocketMissing, fault.ConnectTimeout, fault.Unroutable, fault.ConnectReset,
}

var cutKinds = []fault.Kind{
	fault.ResetBeforeResponse, fault.ClosedBeforeResponse, fault.StaleConnection, fault.ResetMidBody, fault.TruncatedBody,
	fault.TruncatedHeader, fault.TruncatedStream, fault.ResetDuringUpload, fault.TunnelReset, fault.TunnelClosed,
	fault.HTTP2GoAway, fault.HTTP2StreamReset, fault.HTTP2StreamRefused, fault.HTTP2PingTimeout, fault.TLSHandshakeClosed,
	fault.TLSHandshakeReset, fault.ConnectReset,
}

// explains tells whether a failure of kind k may be the consequence of one of kind cause. same says that both
// are of one target: else only what has no target of its own is.
func explains(cause, k fault.Kind, same bool) bool {
	if cause == k {
		return false
	}
	if same && cutBy(cause, k) {
		return true
	}
	e := fault.Lookup(k)
	return e != nil && slices.Contains(e.DependsOn, cause)
}

// cutBy tells whether k may be what the calls met that a target had as it went down with cause. A few that were refused
// while it was restarted need not have to do with what it breaks off since: that shows once the cause is more than a blip.
func cutBy(cause, k fault.Kind) bool {
	return slices.Contains(downKinds, cause) && slices.Contains(cutKinds, k)
}

// refusals are the kinds of which a burst by one caller is an incident, though each is the caller's own doing.
var refusals = []fault.Kind{
	fault.KeyMissing, fault.KeyUnknown, fault.KeyExpired, fault.NotSubscribed, fault.AddressNotAllowed, fault.RateLimited,
	fault.TokensSpent, fault.BudgetSpent, fault.ClientCertMissing, fault.ClientCertUntrusted, fault.ClientCertExpired,
	fault.ClientCertNotYet, fault.ClientCertUsage, fault.ClientCertInvalid, fault.ClientCertUnknown,
}

// never are kinds that tell of nothing wrong: a gateway that is told to stop.
var never = []fault.Kind{fault.GatewayDraining, fault.CallerGone, fault.RequestBodyAborted}

// Ignored tells whether a call that failed so is of no incident, whatever else is known of it: what a caller does
// wrong, and is no refusal.
func Ignored(k fault.Kind) bool {
	e := fault.Lookup(k)
	return slices.Contains(never, k) || e != nil && ofCaller(e) && !slices.Contains(refusals, k)
}

// ofCaller tells whether a kind is the caller's own doing, and not an upstream's word on it.
func ofCaller(e *fault.Entry) bool {
	return e.Cause == fault.Caller && e.At != fault.AtUpstream && e.At != fault.AtUpstreamLink
}

// ofModel are the kinds that are about one model of a provider, ofProvider those about its account. All other
// kinds of a provider's attempts are about its address.
var ofModel = []fault.Kind{
	fault.Overloaded, fault.ProviderRateLimited, fault.ProviderError, fault.ModelNotFound, fault.IncompatibleResponse, fault.TruncatedStream,
	fault.StreamError, fault.MalformedStream, fault.FirstByteTimeout, fault.IdleTimeout, fault.TotalTimeout, fault.RegionBlocked,
	fault.ParameterRejected, fault.ContextTooLong,
}

var ofProvider = []fault.Kind{fault.ProviderKeyRejected, fault.QuotaExhausted, fault.ProviderKeyMissing}
