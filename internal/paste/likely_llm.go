package paste

import "causeway/internal/fault"

// llmCauses are those of providers, of protocols and of callers.
func llmCauses(k fault.Kind) []Likely {
	switch k {
	case fault.ProviderKeyRejected:
		return []Likely{
			{"the key is of another provider, project or environment, or was cut when it was copied", "its first and last characters beside those in the provider's console", "Put the whole key where the client reads it (OPENAI_API_KEY, ANTHROPIC_API_KEY; providers.NAME.keys)."},
			{"it was revoked or has expired", "the console lists it no more", "Make a new one."},
			{"it may not use this model or this endpoint", "the status is 403, and another model works", "Give the key's project the permission."},
			{"the base URL is another provider's", "the error body has another provider's form", "Correct base_url."},
		}
	case fault.QuotaExhausted:
		return []Likely{
			{"no money or credit is left, or a spending limit is reached", "the billing page; the code is insufficient_quota, billing_hard_limit_reached or 402", "Add credit, raise the limit. Repeating does not help."},
			{"the key belongs to an account without a payment method", "it never worked", "Set up billing, or use the other account's key."},
		}
	case fault.ProviderRateLimited, fault.UpstreamRateLimited, fault.RateLimited:
		return []Likely{
			{"more requests or tokens a minute than the account may use", "the x-ratelimit-remaining or anthropic-ratelimit fields of answers before fall to 0", "Wait as long as Retry-After says; spread the calls; ask for a higher tier; a second key or provider to fall back on."},
			{"a burst: the minute's share is gone in its first second", "fewer calls than the limit, all at once", "A queue, or fewer in parallel."},
			{"retries of several layers multiply each call", "each call appears several times in the provider's log", "Retry in one layer only, with backoff (max_retries=0 in the SDK where a gateway retries)."},
		}
	case fault.Overloaded:
		return []Likely{
			{"the server or the provider has no capacity at this moment", "the provider's status page; other accounts see it too", "Wait and repeat with backoff; fall back on another model or provider."},
			{"your own server's queue or pool is full", "it comes under load", "More workers or replicas, a limit on what is let in."},
		}
	case fault.ModelNotFound:
		return []Likely{
			{"the model's name is misspelt, or is another provider's", "GET /v1/models lists what the key may use", "Correct the name."},
			{"the model was retired", "it worked until a day; the provider's page of deprecations has it", "Use its successor."},
			{"the account has no access to it", "the list of models of another key has it", "Ask for access."},
			{"at Azure: the deployment's name is meant, not the model's", "DeploymentNotFound", "The deployment's name, and an api-version that has it."},
		}
	case fault.ContextTooLong:
		return []Likely{{"the prompt and the answer asked for are longer than the model's window", "the message tells both numbers", "Shorten the history, lower max_tokens, or take a model with a larger window."}}
	case fault.ContentRefused:
		return []Likely{{"the provider's filter took the prompt or the answer for forbidden", "the error names the category", "Reword it; at Azure the filter's strictness is a setting of the deployment."}}
	case fault.ParameterRejected:
		return []Likely{
			{"a parameter that this model does not take", "error.param names it; max_tokens where max_completion_tokens is wanted, temperature of a reasoning model", "Leave it out, or use the name that the message gives."},
			{"a schema or message that the provider reads more strictly", "another provider takes it", "As the message says."},
		}
	case fault.RegionBlocked:
		return []Likely{{"the provider does not serve the country that the call comes from", "curl from a server elsewhere works", "Call from a region that it serves."}}
	case fault.ProviderError:
		return []Likely{
			{"an error inside the provider", "the status page; other calls of the same kind fail too", "Repeat with backoff; tell its support the request id."},
			{"this prompt triggers it", "the same prompt fails again, others do not", "Change it, and tell its support the request id."},
		}
	case fault.IncompatibleResponse:
		return []Likely{
			{"the base URL is wrong, and a web page answers", "the body begins with <!doctype html>; curl -i URL shows its title", "Add the path of the API (/v1) to the base URL."},
			{"a login page or a company's proxy answered", "the title says sign in; the status is 200 or 302", "Send the credentials that it wants, or go round it."},
			{"an error page was read as JSON since the status was not looked at", "the status is 4xx or 5xx", "Look at the status first (response.raise_for_status())."},
			{"the body is empty", "char 0, Unexpected end of JSON input", "Look at the status: 204 has none."},
		}
	case fault.NotHTTP, fault.MalformedResponse:
		return []Likely{
			{"the port speaks another protocol: TLS, SSH, a database, gRPC or HTTP/2 without TLS", "nc HOST PORT shows the first bytes", "Correct port and scheme."},
			{"the application writes a broken header", "curl -v shows it; a line break in a value", "Let the framework write it."},
			{"a connection on which an answer before was longer than it said", "only on reused connections", "Repair that answer's Content-Length."},
		}
	case fault.ResponseHeaderTooLarge:
		return []Likely{{"a cookie or a token in the answer's header grows", "curl -sD - -o /dev/null URL | wc -c", "Make it smaller; else raise the reader's limit (nginx proxy_buffer_size 16k, Node --max-http-header-size=32768)."}}
	case fault.RequestHeaderTooBig:
		return []Likely{{"a cookie or a token in the request grows", "it works in a private window", "Delete the cookies; else raise the server's limit (nginx large_client_header_buffers 4 16k, Apache LimitRequestFieldSize)."}}
	case fault.BodyTooLarge:
		return []Likely{
			{"a proxy's limit is below the upload", "its page or its Server field names it", "nginx client_max_body_size, Apache LimitRequestBody, IIS maxAllowedContentLength, Cloudflare 100 MB by plan, API Gateway 10 MB."},
			{"the application's own limit", "the answer is JSON of the application's", "Raise it there (express.json({limit}), DATA_UPLOAD_MAX_MEMORY_SIZE)."},
		}
	case fault.GRPCUnavailable:
		return []Likely{
			{"no connection: nothing listens there, or the name is not found", "the message has connection refused or name resolution", "Start the server, correct address and port."},
			{"the server is restarting or draining (GOAWAY)", "it comes with a deployment", "Repeat; enable retries in the service config."},
			{"TLS on one side only", "the message has handshake, wrong version or first record", "The same credentials on both sides (insecure against TLS)."},
		}
	case fault.GRPCDeadline, fault.DeadlineExceeded:
		return []Likely{
			{"the deadline is shorter than the call takes", "it fails at the same time each time", "A longer deadline, or a faster method."},
			{"the server waits for something", "other methods are quick", "Its own deadlines below the caller's."},
		}
	case fault.KeyMissing, fault.KeyUnknown, fault.KeyExpired:
		return []Likely{{"the key is missing, was mistyped, or is of another gateway", "the first characters beside those in the gateway's configuration", "Send it as Authorization: Bearer KEY, or as apikey."}}
	case fault.RouteNotFound:
		return []Likely{
			{"the path is wrong: a prefix is missing or doubled", "/v1/v1/..., or no /v1", "Correct base URL and path."},
			{"another server answers than you think", "its Server field, its page's form", "Look who listens: the port, the Host field."},
		}
	case fault.MethodNotAllowed:
		return []Likely{
			{"the address takes other methods", "the Allow field lists them", "Use one of them."},
			{"a redirect turned POST into GET", "curl -v shows a 301 or 302 before; http to https, or a slash at the end", "Call the address that Location names."},
		}
	case fault.CallerGone:
		return []Likely{
			{"the caller's own timeout is shorter than the answer takes", "all of them leave after the same time", "Make the answer faster than it, or raise it at the caller."},
			{"a person closed the page, or a program cancelled", "the times differ", "Nothing: it is as it should be."},
		}
	case fault.GatewayFilesExhausted:
		return []Likely{
			{"connections or files are never closed", "ls /proc/PID/fd | wc -l grows", "Close them: one client for all calls, with a pool."},
			{"the limit is low", "ulimit -n is 1024", "LimitNOFILE=65536 in the unit, ulimits: in compose."},
		}
	case fault.GatewayPortsExhausted:
		return []Likely{{"a new connection for each call: all local ports are in TIME_WAIT", "ss -s; ss -tan state time-wait | wc -l near 28,000", "Keep connections (one Session or client for all calls); widen net.ipv4.ip_local_port_range."}}
	}
	return nil
}
