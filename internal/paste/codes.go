package paste

import (
	"regexp"
	"strconv"
	"strings"

	"causeway/internal/fault"
)

// code is a word by which a provider, a library or a system names a failure, in no body and no sentence.
type code struct {
	who     string
	kind    fault.Kind
	alone   bool   // the word is somebody's only when it stands alone: in a sentence it is everybody's
	title   string // where the catalogue has no kind for it, or none of its words fits
	meaning string
	cause   fault.Cause
	advice  []string
}

const (
	openAICodes    = "OpenAI, or a provider with its dialect"
	anthropicCodes = "Anthropic"
	googleCodes    = "Google (Gemini, Vertex), or a gRPC server"
	awsCodes       = "AWS (Bedrock)"
	azureCodes     = "Azure OpenAI"
)

// codes come from the vendors' own lists: https://platform.openai.com/docs/guides/error-codes,
// https://docs.anthropic.com/en/api/errors, https://ai.google.dev/gemini-api/docs/troubleshooting,
// https://grpc.io/docs/guides/status-codes, https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html,
// https://learn.microsoft.com/azure/ai-services/openai/reference. In lower case.
var codes = map[string]code{
	"insufficient_quota":                   {who: openAICodes, kind: fault.QuotaExhausted},
	"billing_hard_limit_reached":           {who: openAICodes, kind: fault.QuotaExhausted},
	"billing_not_active":                   {who: openAICodes, kind: fault.QuotaExhausted},
	"credit_balance_exhausted":             {who: openAICodes, kind: fault.QuotaExhausted},
	"exceeded_current_quota_error":         {who: "Moonshot", kind: fault.QuotaExhausted},
	"rate_limit_exceeded":                  {who: openAICodes, kind: fault.ProviderRateLimited},
	"tokens_per_min_limit_exceeded":        {who: openAICodes, kind: fault.ProviderRateLimited},
	"requests_per_min_limit_exceeded":      {who: openAICodes, kind: fault.ProviderRateLimited},
	"too_many_requests":                    {who: openAICodes, kind: fault.ProviderRateLimited},
	"slow_down":                            {who: openAICodes, kind: fault.ProviderRateLimited},
	"server_is_overloaded":                 {who: openAICodes, kind: fault.Overloaded},
	"engine_overloaded":                    {who: openAICodes, kind: fault.Overloaded},
	"engine_overloaded_error":              {who: "Moonshot", kind: fault.Overloaded},
	"capacity_exceeded":                    {who: "Groq", kind: fault.Overloaded},
	"server_error":                         {who: openAICodes, kind: fault.ProviderError},
	"internal_server_error":                {who: "an application or a provider", kind: fault.UpstreamError},
	"service_unavailable":                  {who: "an application or a provider", kind: fault.UpstreamUnavailable},
	"bad_gateway":                          {who: "a proxy", kind: fault.UpstreamBadGateway},
	"gateway_timeout":                      {who: "a proxy", kind: fault.UpstreamTimeout},
	"unauthorized":                         {who: "a server", kind: fault.KeyMissing, alone: true},
	"forbidden":                            {who: "a server", alone: true, title: statusSays[403].title, meaning: statusSays[403].meaning, cause: fault.Caller, advice: []string{"The answer's body and the server's own log say which: paste the whole answer (curl -si URL)."}},
	"invalid_api_key":                      {who: openAICodes, kind: fault.ProviderKeyRejected},
	"incorrect_api_key":                    {who: openAICodes, kind: fault.ProviderKeyRejected},
	"account_deactivated":                  {who: openAICodes, kind: fault.ProviderKeyRejected},
	"invalid_organization":                 {who: openAICodes, kind: fault.ProviderKeyRejected},
	"ip_not_authorized":                    {who: openAICodes, kind: fault.ProviderKeyRejected},
	"unsupported_country_region_territory": {who: openAICodes, kind: fault.RegionBlocked},
	"model_not_supported":                  {who: openAICodes, kind: fault.ModelNotFound},
	"model_decommissioned":                 {who: "Groq", kind: fault.ModelNotFound},
	"invalid_model":                        {who: openAICodes, kind: fault.ModelNotFound},
	"unknown_model":                        {who: openAICodes, kind: fault.ModelNotFound},
	"context_length_exceeded":              {who: openAICodes, kind: fault.ContextTooLong},
	"string_above_max_length":              {who: openAICodes, kind: fault.ContextTooLong},
	"max_tokens_exceeded":                  {who: openAICodes, kind: fault.ContextTooLong},
	"exceed_context_size_error":            {who: "llama.cpp", kind: fault.ContextTooLong},
	"content_filter":                       {who: openAICodes, kind: fault.ContentRefused},
	"content_policy_violation":             {who: openAICodes, kind: fault.ContentRefused},
	"moderation_blocked":                   {who: openAICodes, kind: fault.ContentRefused},
	"invalid_prompt":                       {who: openAICodes, kind: fault.ContentRefused},
	"responsibleaipolicyviolation":         {who: azureCodes, kind: fault.ContentRefused},
	"data_inspection_failed":               {who: "DashScope", kind: fault.ContentRefused},
	"unsupported_parameter":                {who: openAICodes, kind: fault.ParameterRejected},
	"unsupported_value":                    {who: openAICodes, kind: fault.ParameterRejected},
	"unknown_parameter":                    {who: openAICodes, kind: fault.ParameterRejected},
	"missing_required_parameter":           {who: openAICodes, kind: fault.ParameterRejected},
	"invalid_request_error":                {who: "OpenAI or Anthropic", kind: fault.ParameterRejected},
	"deploymentnotfound":                   {who: azureCodes, kind: fault.ModelNotFound},
	"operationnotsupported":                {who: azureCodes, kind: fault.ParameterRejected},
	"ratelimitreached":                     {who: azureCodes, kind: fault.ProviderRateLimited},

	"overloaded_error":      {who: anthropicCodes, kind: fault.Overloaded},
	"rate_limit_error":      {who: anthropicCodes, kind: fault.ProviderRateLimited},
	"authentication_error":  {who: anthropicCodes, kind: fault.ProviderKeyRejected},
	"permission_error":      {who: anthropicCodes, kind: fault.ProviderKeyRejected},
	"billing_error":         {who: anthropicCodes, kind: fault.QuotaExhausted},
	"not_found_error":       {who: anthropicCodes, kind: fault.ModelNotFound},
	"request_too_large":     {who: anthropicCodes, kind: fault.ContextTooLong},
	"timeout_error":         {who: anthropicCodes, kind: fault.UpstreamTimeout, title: "The provider did not get the answer ready in its own time", meaning: "The request took longer than the provider works on one: a long answer without streaming, mostly."},
	"api_error":             {who: anthropicCodes, kind: fault.ProviderError},
	"invalid_request":       {who: "a provider", kind: fault.ParameterRejected, alone: true},
	"resource_exhausted":    {who: googleCodes, kind: fault.ProviderRateLimited},
	"unauthenticated":       {who: googleCodes, kind: fault.ProviderKeyRejected, alone: true},
	"permission_denied":     {who: googleCodes, kind: fault.ProviderKeyRejected, alone: true},
	"api_key_invalid":       {who: googleCodes, kind: fault.ProviderKeyRejected},
	"service_disabled":      {who: googleCodes, kind: fault.ProviderKeyRejected},
	"unavailable":           {who: googleCodes, kind: fault.Overloaded, alone: true},
	"invalid_argument":      {who: googleCodes, kind: fault.ParameterRejected, alone: true},
	"failed_precondition":   {who: googleCodes, kind: fault.ParameterRejected, alone: true},
	"out_of_range":          {who: googleCodes, kind: fault.ParameterRejected, alone: true},
	"not_found":             {who: googleCodes, kind: fault.ModelNotFound, alone: true},
	"internal":              {who: googleCodes, kind: fault.ProviderError, alone: true},
	"unimplemented":         {who: "a gRPC server", kind: fault.GRPCUnimplemented, alone: true},
	"data_loss":             {who: "a gRPC server", kind: fault.GRPCDataLoss, alone: true},
	"throttlingexception":   {who: awsCodes, kind: fault.ProviderRateLimited},
	"accessdeniedexception": {who: awsCodes, kind: fault.ProviderKeyRejected},

	"servicequotaexceededexception":   {who: awsCodes, kind: fault.QuotaExhausted},
	"serviceunavailableexception":     {who: awsCodes, kind: fault.Overloaded},
	"modelnotreadyexception":          {who: awsCodes, kind: fault.Overloaded},
	"modeltimeoutexception":           {who: awsCodes, kind: fault.UpstreamTimeout, title: "The model did not get the answer ready in the provider's own time", meaning: "The request took longer than the provider works on one: a long answer without streaming, mostly."},
	"modelerrorexception":             {who: awsCodes, kind: fault.ProviderError},
	"modelstreamerrorexception":       {who: awsCodes, kind: fault.ProviderError},
	"internalserverexception":         {who: awsCodes, kind: fault.ProviderError},
	"validationexception":             {who: awsCodes, kind: fault.ParameterRejected},
	"resourcenotfoundexception":       {who: awsCodes, kind: fault.ModelNotFound},
	"unrecognizedclientexception":     {who: awsCodes, kind: fault.ProviderKeyRejected},
	"expiredtokenexception":           {who: awsCodes, kind: fault.ProviderKeyRejected},
	"invalidsignatureexception":       {who: awsCodes, kind: fault.ProviderKeyRejected},
	"incompletesignature":             {who: awsCodes, kind: fault.ProviderKeyRejected},
	"signaturedoesnotmatch":           {who: awsCodes, kind: fault.ProviderKeyRejected},
	"openai.ratelimiterror":           {who: "the OpenAI SDK", kind: fault.ProviderRateLimited, meaning: "The SDK raises it for every 429: too many calls, and just as well an account without money (the body's code is then insufficient_quota)."},
	"openai.authenticationerror":      {who: "the OpenAI SDK", kind: fault.ProviderKeyRejected},
	"openai.permissiondeniederror":    {who: "the OpenAI SDK", kind: fault.ProviderKeyRejected},
	"openai.notfounderror":            {who: "the OpenAI SDK", kind: fault.ModelNotFound},
	"openai.badrequesterror":          {who: "the OpenAI SDK", kind: fault.ParameterRejected},
	"openai.internalservererror":      {who: "the OpenAI SDK", kind: fault.ProviderError, meaning: "The SDK raises it for every status of 500 and above, a proxy's 502, 503 and 504 among them: the exception's text has the status and the body."},
	"openai.apistatuserror":           {who: "the OpenAI SDK", kind: fault.ProviderError, meaning: "The provider, or a proxy before it, answered with an error: e.status_code and e.body say which."},
	"openai.apierror":                 {who: "the OpenAI SDK", kind: fault.ProviderError},
	"anthropic.ratelimiterror":        {who: "the Anthropic SDK", kind: fault.ProviderRateLimited},
	"anthropic.overloadederror":       {who: "the Anthropic SDK", kind: fault.Overloaded},
	"anthropic.authenticationerror":   {who: "the Anthropic SDK", kind: fault.ProviderKeyRejected},
	"anthropic.permissiondeniederror": {who: "the Anthropic SDK", kind: fault.ProviderKeyRejected},
	"anthropic.notfounderror":         {who: "the Anthropic SDK", kind: fault.ModelNotFound},
	"anthropic.badrequesterror":       {who: "the Anthropic SDK", kind: fault.ParameterRejected},
	"anthropic.internalservererror":   {who: "the Anthropic SDK", kind: fault.ProviderError},
	"anthropic.apistatuserror":        {who: "the Anthropic SDK", kind: fault.ProviderError, meaning: "The provider, or a proxy before it, answered with an error: e.status_code and e.body say which."},

	"oomkilled":        {who: "Kubernetes or Docker", kind: fault.ClosedBeforeResponse, title: "The container was killed for want of memory", meaning: "The kernel ended it with SIGKILL (137) at its memory limit: calls that it was working on got no answer, or half of one.", cause: fault.Overload, advice: oomAdvice},
	"sigkill":          {who: "the system", kind: fault.ClosedBeforeResponse, title: "The process was killed (SIGKILL)", meaning: killMeaning, cause: fault.Software, advice: oomAdvice},
	"sigsegv":          {who: "the system", kind: fault.ClosedBeforeResponse, title: "The process crashed (SIGSEGV)", meaning: "It touched memory that is not its own: a bug in native code. Calls that it was working on got no answer.", cause: fault.Software, advice: crashAdvice},
	"sigabrt":          {who: "the system", kind: fault.ClosedBeforeResponse, title: "The process ended itself (SIGABRT)", meaning: "A check of its own failed, or gunicorn's arbiter ended a worker that was silent for longer than --timeout.", cause: fault.Software, advice: crashAdvice},
	"crashloopbackoff": {who: "Kubernetes", kind: fault.NoHealthyTarget, title: "The container ends again and again, and Kubernetes waits longer before each start", meaning: "While it waits nothing listens: callers see a refused connection, or 503 of what stands before it.", cause: fault.Software, advice: []string{"kubectl logs POD --previous has its last words; kubectl describe pod POD its exit code (137: killed, mostly for memory; 1: its own error).", "A liveness probe that is too strict kills a container that is only slow to start: a startupProbe."}},
	"imagepullbackoff": {who: "Kubernetes", kind: fault.NoHealthyTarget, title: "Kubernetes can't fetch the container's image", meaning: "The new version never started.", cause: fault.Configuration, advice: []string{"kubectl describe pod POD: the name or tag is wrong, or imagePullSecrets is missing."}},
}

const killMeaning = "Nobody can refuse SIGKILL: the kernel sends it for want of memory, an orchestrator when a process does not end within its time, a supervisor when a worker is silent for too long. Calls that it was working on got no answer."

var (
	oomAdvice   = []string{"dmesg -T | grep -i 'killed process' (or journalctl -k) says whether it was the kernel, for want of memory.", "Raise the memory limit (resources.limits.memory, MemoryMax), or lower what it takes: fewer workers, --max-requests against a leak."}
	crashAdvice = []string{"coredumpctl list, and its own log at that second.", "Restart it by itself (systemd Restart=always); repair, or pin the version of, the native module that the core names."}
)

// exits are processes' ends as shells, Docker and Kubernetes print them: 128 and the signal's number.
var exits = regexp.MustCompile(`(?i)\b(?:exit(?:ed)?(?: with)?(?: code| status)?|signal|terminated by signal)[:= ]+(\d{1,3})\b`)

// exitCodes are the words in codes for an exit code or a signal.
var exitCodes = map[string]string{"137": "sigkill", "9": "sigkill", "139": "sigsegv", "11": "sigsegv", "134": "sigabrt", "6": "sigabrt"}

// codeWord finds what can be a code in a text: words with an underscore or a dot in them, and exceptions' names.
var codeWord = regexp.MustCompile(`[A-Za-z][A-Za-z0-9]*(?:[_.][A-Za-z0-9]+)+|[A-Z][A-Za-z]+(?:Exception|NotFound|Violation|Reached|Killed|BackOff|DoesNotMatch)\b|\bSIG[A-Z]{3,5}\b`)

// mostCodes bounds the different codes that are looked at in one text.
const mostCodes = 200

// codes finds codes in a text that nothing has explained better: one word, or a sentence with one in it.
func (r *reader) codes(text string, alone bool) {
	if word := strings.ToLower(strings.Trim(text, " \t'\"`:.,")); alone {
		if c, ok := codes[word]; ok {
			r.coded(&c, strings.Trim(text, " \t'\"`:.,"), rankWord)
			return
		}
	}
	text = text[:min(len(text), mostWords)]
	if m := exits.FindStringSubmatch(text); m != nil && exitCodes[m[1]] != "" {
		c := codes[exitCodes[m[1]]]
		r.coded(&c, m[0], rankTrouble-1)
	}
	if alone {
		return
	}
	// An SDK's class (openai.RateLimitError) stands before the code that says more (insufficient_quota).
	class := ""
	for _, word := range codeWord.FindAllString(text, mostCodes) {
		c, ok := codes[strings.ToLower(word)]
		switch {
		case !ok || c.alone:
		case !strings.Contains(word, "."):
			r.coded(&c, word, rankTrouble-5)
			return
		case class == "":
			class = word
		}
	}
	if c, ok := codes[strings.ToLower(class)]; ok {
		r.coded(&c, class, rankTrouble-5)
	}
}

func (r *reader) coded(c *code, word string, rank int) {
	f := Finding{
		What: "a code", Who: c.who, Kind: c.kind, Cause: c.cause, Title: c.title, Meaning: c.meaning, Advice: c.advice, rank: rank,
		Seen: []string{"it says " + strconv.Quote(clip(word))},
	}
	if c.kind == "" {
		f.Retry = fault.No
	}
	r.add(f)
}
