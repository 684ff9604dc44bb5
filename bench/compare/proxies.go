package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// proxy is a program under comparison: a configuration with one path for each fault, and where its log is.
type proxy struct {
	name    string
	version []string // the command that tells it
	// start writes the configuration into dir for a listener at addr, and returns the command. The log is log in dir, or
	// what the command prints to standard output and error.
	start func(dir, addr string, list []provoked, resolver string) ([]string, error)
	log   string
	// line makes a line of the log what its reader looks for in it, "" for a line that is about something else.
	line func(string) string
}

// The limits are the same everywhere: 500 ms to connect, 1 s without a byte; nobody tries again.
func proxies(causeway string) []proxy {
	return []proxy{
		{name: "nginx", version: []string{"nginx", "-v"}, start: nginx, log: "error.log", line: nginxLine},
		{name: "haproxy", version: []string{"haproxy", "-v"}, start: haproxy, line: haproxyLine},
		{name: "apache", version: []string{"/usr/sbin/apache2", "-v"}, start: apache, log: "error.log", line: apacheLine},
		{name: "caddy", version: []string{"caddy", "version"}, start: caddy, line: caddyLine},
		{name: "causeway", version: []string{causeway, "version"}, line: causewayLine, start: func(dir, addr string, list []provoked, resolver string) ([]string, error) {
			return startCauseway(causeway, dir, addr, list, resolver)
		}},
	}
}

func write(dir, name, text string) (string, error) {
	path := dir + "/" + name
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// authority is the file of the one authority that all certificates are of.
func authority(list []provoked) string {
	for _, p := range list {
		if p.up.CAFile != "" {
			return p.up.CAFile
		}
	}
	return ""
}

func hostPort(p provoked) string {
	u, err := url.Parse(p.up.URL)
	if err != nil {
		return ""
	}
	if u.Port() == "" {
		return u.Host + ":80"
	}
	return u.Host
}

func nginx(dir, addr string, list []provoked, resolver string) ([]string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;\nevents {}\nhttp {\naccess_log off; resolver %[2]s;\n", dir, resolver)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	fmt.Fprintf(&b, "proxy_connect_timeout 500ms; proxy_read_timeout 1s; proxy_ssl_verify on; proxy_ssl_trusted_certificate %s; proxy_ssl_server_name on; proxy_ssl_name orders.test;\nserver { listen %s;\n", authority(list), addr)
	for _, p := range list {
		if p.up.Resolver != "" { // a name is looked up when it is asked for, not at the start
			fmt.Fprintf(&b, "location /%s/ { set $there %s; proxy_pass $there; }\n", p.name, p.up.URL)
			continue
		}
		fmt.Fprintf(&b, "location /%s/ { proxy_pass %s/; }\n", p.name, p.up.URL)
	}
	config, err := write(dir, "nginx.conf", b.String()+"}}\n")
	return []string{"nginx", "-c", config, "-p", dir, "-e", dir + "/error.log"}, err
}

func haproxy(dir, addr string, list []provoked, resolver string) ([]string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "global\n log stdout format raw local0\ndefaults\n mode http\n log global\n option httplog\n timeout connect 500ms\n timeout server 1s\n timeout client 5s\n retries 0\nresolvers lab\n nameserver a %s\n resolve_retries 1\n timeout resolve 500ms\nfrontend f\n bind %s\n", resolver, addr)
	for _, p := range list {
		fmt.Fprintf(&b, " use_backend %s if { path_beg /%s/ }\n", p.name, p.name)
	}
	for _, p := range list {
		more := ""
		if strings.HasPrefix(p.up.URL, "https") {
			more = " ssl verify required ca-file " + authority(list) + " sni str(orders.test) verifyhost orders.test"
		}
		if p.up.Resolver != "" {
			more = " resolvers lab init-addr none"
		}
		fmt.Fprintf(&b, "backend %s\n server s %s%s\n", p.name, hostPort(p), more)
	}
	config, err := write(dir, "haproxy.cfg", b.String())
	return []string{"haproxy", "-db", "-f", config}, err
}

func apache(dir, addr string, list []provoked, _ string) ([]string, error) {
	var b strings.Builder
	for _, m := range []string{"mpm_event", "proxy", "proxy_http", "ssl", "socache_shmcb", "authz_core"} {
		fmt.Fprintf(&b, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
	}
	fmt.Fprintf(&b, "Listen %[2]s\nServerName localhost\nPidFile %[1]s/pid\nDefaultRuntimeDir %[1]s\nErrorLog %[1]s/error.log\nProxyTimeout 1\nSSLProxyEngine on\nSSLProxyVerify require\n", dir, addr)
	fmt.Fprintf(&b, "SSLProxyCACertificateFile %s\n", authority(list))
	for _, p := range list {
		fmt.Fprintf(&b, "ProxyPass /%s/ %s/ retry=0 disablereuse=on connectiontimeout=500ms timeout=1\n", p.name, p.up.URL)
	}
	config, err := write(dir, "apache.conf", b.String())
	return []string{"/usr/sbin/apache2", "-DFOREGROUND", "-f", config}, err
}

func caddy(dir, addr string, list []provoked, resolver string) ([]string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "{\n admin off\n auto_https off\n storage file_system %s\n}\nhttp://%s {\n", dir, addr)
	for _, p := range list {
		tls := ""
		if strings.HasPrefix(p.up.URL, "https") {
			tls = "tls_trusted_ca_certs " + authority(list) + "\n tls_server_name orders.test\n"
		}
		if p.up.Resolver != "" {
			tls = "resolvers " + resolver + "\n"
		}
		fmt.Fprintf(&b, "handle /%s/* {\n reverse_proxy %s {\n transport http {\n dial_timeout 500ms\n response_header_timeout 1s\n read_timeout 1s\n %s }\n }\n}\n", p.name, p.up.URL, tls)
	}
	config, err := write(dir, "Caddyfile", b.String()+"}\n")
	return []string{"caddy", "run", "--config", config, "--adapter", "caddyfile"}, err
}

func startCauseway(program, dir, addr string, list []provoked, resolver string) ([]string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nserver: {resolver: %q}\nservices:\n", resolver)
	for _, p := range list {
		fmt.Fprintf(&b, "  %s:\n    access: open\n    routes: [{path: /%s/*}]\n    upstream: {targets: [{url: %q}], retries: {max: 0}, timeouts: {connect: 500ms, first_byte: 1s, idle: 1s}, tls: {ca_file: %q, server_name: %q}}\n",
			p.name, p.name, p.up.URL, authority(list), p.up.ServerName)
	}
	config, err := write(dir, "causeway.yaml", b.String())
	return []string{program, "serve", "--config", config, "--data", dir + "/data", "--listen", addr, "--console", "127.0.0.1:0"}, err
}

var (
	nginxHead   = regexp.MustCompile(`^\S+ \S+ \[(\w+)\] \d+#\d+: (?:\*\d+ )?`)
	apacheHead  = regexp.MustCompile(`^\[[^]]*\] `)
	apacheNoise = regexp.MustCompile(`\[pid [^]]*\] |\[(?:client|remote) [^]]*\] `)
	haproxyHead = regexp.MustCompile(`^\S+ \[[^]]*\] `)
)

func nginxLine(s string) string {
	if !nginxHead.MatchString(s) || strings.Contains(s, "[notice]") {
		return ""
	}
	s = nginxHead.ReplaceAllString(s, "[$1] ")
	s, _, _ = strings.Cut(s, ", client:")
	return s
}

func haproxyLine(s string) string {
	if !strings.Contains(s, `"GET /`) {
		return ""
	}
	return haproxyHead.ReplaceAllString(s, "")
}

func apacheLine(s string) string {
	if strings.Contains(s, ":notice]") || strings.Contains(s, "[unixd:") {
		return ""
	}
	return apacheNoise.ReplaceAllString(apacheHead.ReplaceAllString(s, ""), "")
}

var caddyParts = regexp.MustCompile(`"(level|msg|error|status)":("(?:[^"\\]|\\.)*"|\d+)`)

func caddyLine(s string) string {
	if !strings.Contains(s, `"level":"error"`) && !strings.Contains(s, `"level":"warn"`) || !strings.Contains(s, "http.") {
		return ""
	}
	return strings.Join(caddyParts.FindAllString(s, -1), ", ")
}

func causewayLine(s string) string {
	_, rest, ok := strings.Cut(s, "\"call failed\" ")
	if !ok {
		return ""
	}
	return "call failed: " + callID.ReplaceAllString(rest, "call=ID ")
}

var callID = regexp.MustCompile(`call=\S+ `)

// versionOf runs the command that tells a version, and returns the line that has it.
func versionOf(command []string) string {
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil && len(out) == 0 {
		return "?"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	line, _, _ = strings.Cut(line, " - ")
	line, _, _ = strings.Cut(line, ", commit")
	return strings.TrimSpace(strings.NewReplacer("nginx version: ", "", "Server version: ", "").Replace(line))
}
