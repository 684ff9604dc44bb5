package fault

// GRPCCode is the gRPC status that a failure of this kind is answered with, and CodeUnknown for a
// kind that this catalogue lacks. For a kind of an upstream's own gRPC status it is that status.
func GRPCCode(k Kind) Code {
	if c, ok := codeOf[k]; ok {
		return c
	}
	return CodeUnknown
}

// grpcCodes says for every kind what it is to a gRPC client. The codes are chosen by their meaning
// (https://grpc.io/docs/guides/status-codes/) before HTTP's statuses are mapped
// (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md), because clients decide
// by the code whether to repeat a call: UNAVAILABLE invites them to. So a limit that passed while the
// upstream may be working on the call is DEADLINE_EXCEEDED, what no repetition mends is INTERNAL or
// the code of what the caller must change, and the rest of what is wrong on the way is UNAVAILABLE.
var grpcCodes = []struct {
	code  Code
	kinds []Kind
}{
	{CodeUnavailable, []Kind{ // no connection
		DNSNotFound, DNSNoAddress, DNSServerFailure, DNSRefused, DNSTimeout, ConnectionRefused, SocketMissing, SocketDenied, ConnectTimeout,
		ConnectReset, Unroutable, AddressProhibited, EgressDenied, GatewayPortsExhausted, GatewayFilesExhausted,
		TLSUnknownAuthority, TLSCertificateExpired, TLSCertificateNotYet, TLSNameMismatch, TLSCertificateInvalid, TLSClientCertificate,
		TLSVersionMismatch, TLSUnrecognizedName, TLSAlert, TLSToPlainPort, PlainToTLSPort, TLSHandshakeClosed, TLSHandshakeReset,
		TLSHandshakeTimeout, TLSProtocolError, TLSIntermediateMissing, TLSPinMismatch, TLSClientCertRejected,
		CertificateNotIssued, CertificateNotLoaded, HTTP2HandshakeTimeout,
	}},
	{CodeUnavailable, []Kind{ // a connection that broke
		TruncatedHeader, ClosedBeforeResponse, ResetBeforeResponse, StaleConnection, ResetDuringUpload, TruncatedBody, ResetMidBody, TruncatedStream,
		TunnelReset, TunnelClosed, HTTP2StreamRefused, HTTP2GoAway, HTTP2Draining, HTTP2PingTimeout,
	}},
	{CodeUnavailable, []Kind{ // nobody to answer just now
		NoHealthyTarget, NoSlot, BreakerOpen, UpstreamBadGateway, UpstreamUnavailable, UpstreamTimeout, GRPCUnavailable, Overloaded, WebSocketUnavailable,
		TooManyConnections, GatewayOverloaded, GatewayDraining, GatewayKilled, CallLogFull,
		GatewayMemoryLow, GatewayCPUStarved, GatewayDiskFull, GatewayDiskSlow, GatewayClockJumped, GatewayDNSSlow,
	}},
	{CodeDeadlineExceeded, []Kind{
		FirstByteTimeout, IdleTimeout, TotalTimeout, SendTimeout, TunnelIdleTimeout, DeadlineExceeded, GRPCDeadline, RequestHeaderTimeout, RequestBodyTimeout, RequestBodyTooSlow, CallerTLSTimeout,
	}},
	{CodeInternal, []Kind{ // not what the protocol allows, or never going to work as things stand
		NotHTTP, NotHTTP2, HTTP2NotAgreed, MalformedResponse, ResponseHeaderTooLarge, FramingConflict, UnknownTransferCoding, MalformedChunking, UnexpectedUpgrade,
		UpgradeFailed, HTTP2HTTP11Required, HTTP2InternalError, HTTP2Rejected, HTTP2StreamReset, MalformedHTTP2, WebSocketProtocolError, LoopDetected, NoTarget, GRPCOverHTTP1, GRPCUpstreamHTTP1, GRPCStatusMissing, GRPCInternal,
		CallerTLSPlainHTTP, CallerTLSNotTLS, CallerTLSVersion, CallerTLSCipher, CallerTLSProtocol, CallerTLSUnknownName, CallerTLSDistrust,
		CallerTLSAlert, CallerTLSBroken,
		ProxyHeaderMissing, ProxyHeaderMalformed, MalformedRequest, VersionNotSupported, ExpectationFailed, IncompatibleResponse, OutputMismatch, StreamError, MalformedStream, GatewayBug,
	}},
	{CodeResourceExhausted, []Kind{
		ResponseBodyTooLarge, HTTP2EnhanceYourCalm, UpstreamRateLimited, GRPCExhausted, QuotaExhausted, ProviderRateLimited, RequestHeaderTooBig, BodyTooLarge, RateLimited, TokensSpent, BudgetSpent, PromptTooLarge,
	}},
	{CodeUnauthenticated, []Kind{KeyMissing, ProviderKeyMissing, KeyUnknown, KeyExpired, ClientCertMissing, ClientCertUntrusted, ClientCertExpired, ClientCertNotYet, ClientCertUsage, ClientCertInvalid, ClientCertUnknown, GRPCUnauthenticated}},
	{CodePermissionDenied, []Kind{PriceUnknown, PromptBlocked, AnswerBlocked, NotSubscribed, AddressNotAllowed, ProviderKeyRejected, RegionBlocked}},
	{CodeUnimplemented, []Kind{RouteNotFound, MethodNotAllowed, UnsupportedFeature, GRPCUnimplemented}},
	{CodeInvalidArgument, []Kind{WebSocketRefused, BadRequest, AmbiguousPath, ContextTooLong, ContentRefused, ParameterRejected}},
	{CodeNotFound, []Kind{ModelNotFound, PromptNotFound, CallNotFound, ResponseNotFound, ObjectNotFound}},
	{CodeCancelled, []Kind{HTTP2StreamCancelled, CallerGone, CallerTooSlow, RequestBodyAborted, CallerTLSClosed}},
	{CodeDataLoss, []Kind{GRPCDataLoss}},
	{CodeUnknown, []Kind{WebSocketUpstreamError, UpstreamError, ProviderError, GRPCUnknown, Unclassified}},
}

var codeOf = codeIndex()

func codeIndex() map[Kind]Code {
	m := make(map[Kind]Code, len(catalogue))
	for _, row := range grpcCodes {
		for _, k := range row.kinds {
			m[k] = row.code
		}
	}
	return m
}
