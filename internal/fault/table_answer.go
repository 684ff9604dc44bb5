package fault

// answerRows are the failures after the connection stands: the request on its way, no answer,
// an answer that is not HTTP, an answer that breaks off.
var answerRows = []Entry{
	{
		Kind: NotHTTP, Status: 502, Proxy: "http_protocol_error", Cause: Configuration, Again: Never, At: AtUpstream,
		Title:        "The upstream does not speak HTTP",
		Explain:      "The first bytes that came from the target are not an HTTP answer but those of another protocol, such as SSH, SMTP or a database.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Correct the port in upstream.targets (or the provider's base_url): the first bytes in the evidence show what is there now.",
			"Check on the upstream's host which process owns the port: ss -ltnp.",
		},
	},
	{
		Kind: MalformedResponse, Status: 502, Proxy: "http_protocol_error", Cause: Software, Again: Elsewhere, At: AtUpstream,
		Title:        "The upstream's answer is not valid HTTP",
		Explain:      "The answer began as HTTP and then broke its grammar, in the status line or in a header field. The gateway does not guess what was meant: two programs that read one answer differently are a way to smuggle answers.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Look at the offending line in the evidence. A line break or a control byte in a header's value is the usual reason: encode the value where the application sets it.",
			"If it is new, compare with what was deployed last: framework, server and middleware of the upstream.",
			"On a reused connection, bytes left over from the answer before (a body longer than its Content-Length) look like this too.",
		},
	},
	{
		Kind: TruncatedHeader, Status: 502, Proxy: "http_response_incomplete", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream's answer broke off in its header",
		Explain:      "The answer began, and the connection ended before its header was complete. The upstream's process most likely died while it was answering.",
		CallerAdvice: []string{repeatCareful, tellOperator},
		OperatorAdvice: []string{
			"Read the upstream's log, and the kernel's (dmesg) for the out-of-memory killer, at the moment of the call.",
			"If it happens on every call of one kind, the application crashes on it while writing its header.",
		},
	},
	{
		Kind: ResponseHeaderTooLarge, Status: 502, Proxy: "http_response_header_section_size", Cause: Configuration, Again: Never, At: AtUpstream,
		Title:        "The upstream's answer has too large a header",
		Explain:      "The header of the answer has more than 256 KiB, or more than 1,000 fields, which is more than the gateway accepts.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Find the large field with curl -sD - -o /dev/null and the target's URL: a cookie that grows, a token in a header, debug headers.",
			"This limit is fixed (server.max_header is that of callers' requests): send what is so large in the body instead.",
		},
	},
	{
		Kind: FramingConflict, Status: 502, Proxy: "http_protocol_error", Cause: Software, Again: Elsewhere, At: AtUpstream,
		Title:        "The upstream's answer says its length in two ways",
		Explain:      "The answer has a Content-Length that is no number, two that differ, or one beside Transfer-Encoding. Where its body ends cannot be known, and guessing it is how answers are smuggled.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Let the upstream's server compute the length: remove code or middleware that sets Content-Length or Transfer-Encoding by hand.",
			"A proxy inside the upstream that copies both headers from its own upstream does this too.",
		},
	},
	{
		Kind: UnknownTransferCoding, Status: 502, Proxy: "http_response_transfer_coding", Cause: Software, Again: Elsewhere, At: AtUpstream,
		Title:        "The upstream's answer uses an unknown transfer coding",
		Explain:      "The answer's Transfer-Encoding names something other than chunked, which HTTP/1.1 requires every recipient to know, so its body cannot be read.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Compression belongs in Content-Encoding, not in Transfer-Encoding: correct it in the upstream's server or middleware.",
		},
	},
	{
		Kind: MalformedChunking, Status: 502, Proxy: "http_response_transfer_coding", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream's chunked body is broken",
		Explain:      "The body is sent in chunks, and where the size of a chunk or the end of one should stand there was something else. What came before it may have been passed on; the rest is lost.",
		CallerAdvice: []string{repeatCareful, "What you received is not complete: do not use it."},
		OperatorAdvice: []string{
			"Look for application code that writes to the raw connection beside the server's own chunked writer.",
			"Look for a middlebox between gateway and upstream that rewrites bodies.",
		},
	},
	{
		Kind: UnexpectedUpgrade, Status: 502, Proxy: "http_protocol_error", Cause: Software, Again: Elsewhere, At: AtUpstream,
		Title:        "The upstream switched protocols without being asked",
		Explain:      "The upstream answered 101 Switching Protocols to a request that asked for no upgrade, so nobody knows what the next bytes mean.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Let the upstream's handler check for the Upgrade header before it takes the connection over.",
		},
	},
	{
		Kind: ClosedBeforeResponse, Status: 502, Proxy: "connection_terminated", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream closed the connection without an answer",
		Explain:      "The request was sent on a new connection and the upstream closed it without a single byte of answer. A worker that crashed, was killed or was stopped while it worked on the call does this.",
		CallerAdvice: []string{repeatCareful, "If the same call always fails so, something in it makes the upstream crash: report it with the call id."},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call: a panic, an exception in the server itself, a worker timeout (gunicorn: WORKER TIMEOUT).",
			"Look for the out-of-memory killer: dmesg -T on its host, OOMKilled in Kubernetes.",
			"If only one path or one body fails, send it to the target directly with curl: it is a bug on that input.",
			"During a deployment, let the upstream finish running calls before it exits (graceful shutdown).",
		},
	},
	{
		Kind: ResetBeforeResponse, Status: 502, Proxy: "connection_terminated", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream reset the connection without an answer",
		Explain:      "The request was sent on a new connection, and the connection was reset before a single byte of answer. A process that dies with unread data, or a box between that cuts connections, does this.",
		CallerAdvice: []string{repeatCareful, tellOperator},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call for a crash or a killed worker.",
			"A reset always after the same time is a timeout of a load balancer or firewall between: compare the times of several calls, and raise that one.",
			"A reset within a millisecond is a rule that throws the connection out: an access list or an intrusion filter.",
		},
	},
	{
		Kind: StaleConnection, Status: 502, Proxy: "connection_terminated", Cause: Configuration, Again: Idempotent, At: AtUpstreamLink,
		Title:        "The upstream closed a kept-alive connection as it was used again",
		Explain:      "The request was sent on a connection that had served calls before, in the same moment in which the upstream closed it for being idle. It had most likely not read the request; only for calls that may be done twice is that certain enough to repeat by itself.",
		CallerAdvice: []string{repeatCareful},
		OperatorAdvice: []string{
			"Let the upstream keep idle connections longer: its keep-alive timeout has to be longer than the pauses between calls. The idle time in the evidence shows the value it must exceed (gunicorn: --keep-alive, Node: server.keepAliveTimeout, uvicorn: --timeout-keep-alive).",
			"Keep reset_before_response in upstream.retries.on, and have callers send Idempotency-Key with their POSTs: then the gateway repeats it unnoticed.",
		},
	},
	{
		Kind: FirstByteTimeout, Status: 504, Proxy: "http_response_timeout", Cause: Overload, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream did not begin to answer in time",
		Explain:      "The whole request was sent, and no byte of answer came within upstream.timeouts.first_byte. The upstream may still be working on it.",
		CallerAdvice: []string{repeatCareful, "If the call is a large one, try a smaller one, or ask for a stream."},
		OperatorAdvice: []string{
			"If calls like this one are meant to take that long, raise upstream.timeouts.first_byte (for a model: the provider's timeouts.first_byte).",
			"If they used to be quick, the upstream is saturated or waits for something itself: look at its load, its queue and its database.",
			"If every call stalls, one lock or one exhausted pool inside the upstream is likely: take a thread dump while it hangs.",
		},
	},
	{
		Kind: IdleTimeout, Status: 504, Proxy: "connection_read_timeout", Cause: Overload, Again: Never, At: AtUpstream,
		Title:        "The upstream stalled in the middle of its answer",
		Explain:      "The answer had begun, and then no byte moved in either direction for upstream.timeouts.idle. What had come was passed on; the end of the answer is missing. The gateway never repeats a call whose answer has begun.",
		CallerAdvice: []string{"What you received is not complete: do not use it.", repeatCareful},
		OperatorAdvice: []string{
			"If such pauses are normal for this upstream, raise upstream.timeouts.idle, or let it send a heartbeat (in an event stream: a line that begins with a colon).",
			"Else look at the upstream at the moment of the call: a blocked writer, a lost database connection, a saturated model server.",
		},
	},
	{
		Kind: TotalTimeout, Status: 504, Proxy: "http_response_timeout", Cause: Configuration, Again: Never, At: AtUpstream,
		Title:        "The call took longer than it may in all",
		Explain:      "The call was not finished within upstream.timeouts.total, which runs from its start to the last byte of its answer, all attempts included.",
		CallerAdvice: []string{"Ask for less in one call: a smaller page, a shorter answer.", repeatCareful},
		OperatorAdvice: []string{
			"Raise upstream.timeouts.total above what such calls need, or set it to 0s (off) and let timeouts.first_byte and timeouts.idle find the ones that hang.",
			"If the time went into several attempts, lower upstream.retries.max or upstream.timeouts.first_byte.",
		},
	},
	{
		Kind: SendTimeout, Status: 504, Proxy: "connection_write_timeout", Cause: Overload, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream stopped reading the request",
		Explain:      "The connection stood, and the upstream took no more bytes of the request for upstream.timeouts.send: it has stopped reading.",
		CallerAdvice: []string{repeatCareful, "If the body is large, try a smaller one."},
		OperatorAdvice: []string{
			"Look at the upstream's load: a worker that never gets to read its request is the sign of a full queue.",
			"Look for a body limit of the upstream near the number of bytes in the evidence.",
			"If the way to it is slow, raise upstream.timeouts.send.",
		},
	},
	{
		Kind: ResetDuringUpload, Status: 502, Proxy: "connection_terminated", Cause: Configuration, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream reset the connection while the request was being sent",
		Explain:      "The connection was reset before the whole request had been sent. A server that does not accept a body of that size, and does not wait to say so, does this.",
		CallerAdvice: []string{repeatCareful, "If the body is large, try a smaller one."},
		OperatorAdvice: []string{
			"Compare the number of bytes sent with the upstream's body limit (nginx: client_max_body_size, Node's body-parser: limit, Django: DATA_UPLOAD_MAX_MEMORY_SIZE) and raise it, or set policies.body_limit to the same value so that callers get a clear 413.",
			"If the number differs from call to call, the upstream's process is dying: read its log.",
		},
	},
	{
		Kind: TruncatedBody, Status: 502, Proxy: "http_response_incomplete", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream's answer broke off in its body",
		Explain:      "The upstream closed the connection before it had sent all the bytes it had announced. What had come was passed on and then cut, so that nobody takes it for a whole answer.",
		CallerAdvice: []string{"What you received is not complete: do not use it, even if your HTTP library reports no error.", repeatCareful},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call: a crash while the body was being made, a worker that was recycled.",
			"If it always breaks at the same number of bytes, look for a limit: a full disk or buffer of a proxy between, a response size limit of the platform.",
			"If the length is wrong rather than the body, correct the Content-Length that the application sets.",
		},
	},
	{
		Kind: ResetMidBody, Status: 502, Proxy: "http_response_incomplete", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The connection to the upstream was reset in the middle of its answer",
		Explain:      "The answer had begun and the connection was reset before its end. What had come was passed on and then cut, so that nobody takes it for a whole answer.",
		CallerAdvice: []string{"What you received is not complete: do not use it.", repeatCareful},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call for a crash or a killed worker.",
			"If it comes after a long silence, a firewall or load balancer between has forgotten the connection: raise its idle timeout or let the upstream send something meanwhile.",
		},
	},
	{
		Kind: UpgradeFailed, Status: 502, Proxy: "http_upgrade_failed", Cause: Configuration, Again: Never, At: AtUpstream,
		Title:        "The upstream did not switch protocols",
		Explain:      "The caller asked for an upgrade (a WebSocket, for example), and the upstream did not answer with 101 Switching Protocols for the protocol asked for.",
		CallerAdvice: []string{"Check the path: is this the address of a WebSocket, and not of an ordinary call?", tellOperator},
		OperatorAdvice: []string{
			"Check that the upstream serves WebSockets on this path, and that strip_prefix leaves the path it expects.",
			"A proxy inside the upstream has to pass Upgrade and Connection on (nginx: proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\").",
			"Some frameworks refuse unknown origins: add the console's or site's origin to the upstream's list.",
		},
	},
	{
		Kind: LoopDetected, Status: 502, Proxy: "proxy_loop_detected", Cause: Configuration, Again: Never, At: AtGateway,
		Title:        "The call came back to the gateway",
		Explain:      "The request already carries this gateway's mark in its Via header: the target leads, directly or through another proxy, back to the gateway itself.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Correct upstream.targets: it names the gateway's own address, or a proxy that sends the call back to it.",
			"With upstream.host: caller, a proxy behind the gateway may route by a Host that leads back here: use upstream.host: target.",
		},
	},
	{
		Kind: ResponseBodyTooLarge, Status: 502, Proxy: "http_response_body_size", Cause: Configuration, Again: Never, At: AtUpstream,
		Title:        "The upstream's answer is larger than allowed",
		Explain:      "The gateway has to hold this answer as a whole, to translate or to check it, and it is larger than what it may hold.",
		CallerAdvice: []string{"Ask for less in one call: a smaller page, a shorter answer.", "Ask for a stream where the API has one."},
		OperatorAdvice: []string{
			"Let the upstream answer in pages or as a stream.",
		},
	},
}
