package fault

// Reason is the reason phrase of the status line for f: the standard phrase with the kind, such
// as "Bad Gateway (connection_refused)", which Python's requests and httpx print.
func Reason(f *Finding) string {
	return phrase(f.Status) + " (" + string(f.Kind) + ")"
}

// phrase is the phrase of the HTTP Status Code Registry for the statuses that a finding can have.
func phrase(status int) string {
	for _, p := range phrases {
		if p.status == status {
			return p.text
		}
	}
	switch {
	case status >= 500:
		return "Server Error"
	case status >= 400:
		return "Client Error"
	case status > 0:
		return "Answered"
	default:
		return "No Answer"
	}
}

var phrases = []struct {
	status int
	text   string
}{
	{200, "OK"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{425, "Too Early"},
	{426, "Upgrade Required"},
	{428, "Precondition Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{451, "Unavailable For Legal Reasons"},
	{499, "Client Closed Request"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
	{507, "Insufficient Storage"},
	{508, "Loop Detected"},
	{529, "Overloaded"},
}
