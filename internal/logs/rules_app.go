package logs

import "causeway/internal/fault"

const broken = symClosed | symRefused | symNone

// pythonRules are what gunicorn, uvicorn, uWSGI, Flask and Django say of themselves.
func pythonRules() []rule {
	return []rule{
		{
			id: "gunicorn-worker-timeout", kind: fault.ClosedBeforeResponse, cause: fault.Overload, server: "gunicorn", level: atApp, explains: broken | symTimeout, before: 4,
			title: "gunicorn killed a worker that had not answered within --timeout",
			any:   either("WORKER TIMEOUT (pid:"), process: "(pid:",
			fix: []string{"gunicorn: raise --timeout (30 s by default) above the slowest call that is meant to be, or use --worker-class gthread --threads 8 (uvicorn.workers.UvicornWorker for ASGI), whose workers report while they wait.", "Find the slow call: the request in the proxy's line, and what it waits for (a database, another API: give it a timeout of its own)."},
		},
		{
			id: "gunicorn-worker-killed", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: "gunicorn", level: atApp, explains: broken, before: 4,
			title: "a gunicorn worker was ended by a signal",
			any:   [][]string{{"Worker (pid:", "was sent SIG"}, {"Worker with pid ", "was terminated due to signal"}}, process: "pid ",
			fix: []string{"SIGKILL that gunicorn did not send itself is the OOM killer or a person: dmesg -T on its host tells which.", "SIGSEGV: a native module; update it, and run with PYTHONFAULTHANDLER=1 to see where."},
		},
		{
			id: "gunicorn-boot", kind: fault.ConnectionRefused, cause: fault.Software, server: "gunicorn", level: atApp, explains: broken, before: 600,
			title: "gunicorn's workers could not start the application",
			any:   either("Worker failed to boot", "Exception in worker process", "App failed to load"),
			fix:   []string{"The traceback before it says why: a missing module, a wrong setting. Try: python -c 'import yourapp'."},
		},
		{
			id: "gunicorn-port", kind: fault.ConnectionRefused, cause: fault.Configuration, server: "gunicorn", level: atApp, explains: broken, before: 600,
			title: "gunicorn could not listen: the address is in use",
			any:   [][]string{{"Connection in use:"}, {"Can't connect to ('"}, {"error while attempting to bind on address"}, {"Address already in use"}, {"listen EADDRINUSE"}},
			fix:   []string{"Stop who holds the port: ss -ltnp."},
		},
		{
			id: "gunicorn-stop", kind: fault.ConnectionRefused, cause: fault.Configuration, server: "gunicorn", level: atChange, explains: broken, before: 60, quiet: true,
			title: "gunicorn was stopped, or restarted",
			any:   either("Handling signal: term", "Handling signal: int", "Handling signal: quit", "Shutting down: Master", "Handling signal: hup"),
			fix:   []string{"Restart without a gap: systemctl reload (kill -HUP), or a systemd socket that keeps listening; --graceful-timeout 30 lets calls in flight end."},
		},
		{
			id: "gunicorn-recycle", kind: fault.StaleConnection, cause: fault.Configuration, server: "gunicorn", level: atChange, explains: symClosed, before: 2, quiet: true,
			title: "gunicorn recycled a worker (--max-requests)",
			any:   either("Autorestarting worker after current request"), fix: []string{"gunicorn: --max-requests-jitter, and let the proxy retry on another connection."},
		},
		{
			id: "uwsgi-harakiri", kind: fault.ClosedBeforeResponse, cause: fault.Overload, server: "uWSGI", level: atApp, explains: broken | symTimeout, before: 4,
			title: "uWSGI killed a worker that had not answered within harakiri",
			any:   [][]string{{"HARAKIRI ON WORKER"}, {"HARAKIRI triggered"}, {"F*CK !!! i must kill myself"}}, process: "pid: ",
			fix: []string{"uWSGI: raise harakiri above the slowest call that is meant to be; harakiri-verbose = true shows where it hung."},
		},
		{
			id: "uwsgi-died", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: "uWSGI", level: atApp, explains: broken, before: 4,
			title: "a uWSGI worker died", any: [][]string{{"DAMN ! worker", "died"}}, process: "(pid: ",
			fix: []string{"\"killed by signal 9\" is the OOM killer or a person: dmesg -T tells which; 11 is a native module."},
		},
		{
			id: "uwsgi-full", kind: fault.Overloaded, cause: fault.Overload, server: "uWSGI", level: atApp, explains: broken | symTimeout | symConnect, before: 30,
			title: "uWSGI's listen queue is full", any: either("listen queue of socket", "uWSGI listen queue"),
			fix: []string{"uWSGI: listen = 1024 (and net.core.somaxconn with it), more processes or threads."},
		},
		{
			id: "python-memory", kind: fault.UpstreamError, cause: fault.Overload, server: "the Python application", level: atApp, explains: symApp | broken, before: 2,
			title: "the application ran out of memory (MemoryError)", any: either("MemoryError"), fix: []string{"Give it more (MemoryMax= of its unit, the container's limit), or read large data in pieces."},
		},
		{
			id: "app-error", kind: fault.UpstreamError, cause: fault.Software, server: "the application", level: atApp, explains: symApp, before: 2,
			title: "the application failed on the request with an exception",
			any:   either("Exception on /", "Internal Server Error: /", "Error handling request", "Exception in ASGI application", "Unhandled exception in event loop", "unhandledRejection", "UnhandledPromiseRejection", "HttpUnhandledException"),
			fix:   []string{"The traceback that follows names the line of code; examples below name the request."},
		},
		{
			id: "python-exception", kind: fault.UpstreamError, cause: fault.Software, server: "the Python application", level: atApp, explains: symApp | symClosed, before: 2,
			title: "the application raised an exception", fix: []string{"The last frame of the traceback in the log names the line of code."},
		},
		{
			id: "app-pool", kind: fault.Overloaded, cause: fault.Overload, server: "the application", level: atApp, explains: symApp | symTimeout, before: 30,
			title: "the application waited for a database connection in vain",
			any:   either("QueuePool limit of size", "remaining connection slots are reserved", "too many clients already", "Too many connections", "Connection is not available, request timed out after", "TimeoutError: ResourceRequest timed out"),
			fix:   []string{"Raise the pool (SQLAlchemy pool_size/max_overflow, Hikari maximumPoolSize) or the database's max_connections, and close connections that leak."},
		},
	}
}

// runtimeRules are the last words of Go, Java, Node, PHP and .NET programs, and of any that is short of
// descriptors.
func runtimeRules() []rule {
	return []rule{
		{
			id: "app-files", kind: fault.Overloaded, cause: fault.Configuration, server: "the application", level: atApp, explains: broken | symTimeout | symConnect | symApp, before: 30,
			title: "the application has no file descriptor left",
			any:   either("[Errno 24] Too many open files", "accept4: too many open files", "socket: too many open files", "EMFILE: too many open files", "java.io.IOException: Too many open files", "accept tcp", "OSError: [Errno 24]"),
			fix:   []string{"Raise its limit: LimitNOFILE=65536 in its unit, ulimit -n, --ulimit nofile= (Docker).", "Look for what leaks: ls -l /proc/PID/fd."},
		},
		{
			id: "go-panic-request", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: "the Go application", level: atApp, explains: symClosed | symApp, before: 2,
			title: "a handler panicked; Go's server closed the connection without an answer",
			any:   either("http: panic serving"), fix: []string{"The stack in the log names the line; recover in a middleware and answer 500."},
		},
		{
			id: "go-panic", kind: fault.ConnectionRefused, cause: fault.Software, server: "the Go application", level: atApp, explains: broken, before: 30,
			title: "the program crashed with a Go panic",
			any:   either("panic: runtime error", "fatal error: all goroutines are asleep", "fatal error: concurrent map", "goroutine 1 [running]", "panic: ", "fatal error: runtime: out of memory", "fatal error: stack overflow"),
			fix:   []string{"The stack in the log names the line; Restart=always brings the program back meanwhile."},
		},
		{
			id: "java-memory", kind: fault.UpstreamError, cause: fault.Overload, server: "the Java application", level: atApp, explains: symApp | broken | symTimeout, before: 60,
			title: "the Java heap is full (OutOfMemoryError)",
			any:   either("java.lang.OutOfMemoryError", "GC overhead limit exceeded"), fix: []string{"Raise -Xmx (or -XX:MaxRAMPercentage in a container), add -XX:+ExitOnOutOfMemoryError, and look at a heap dump (-XX:+HeapDumpOnOutOfMemoryError)."},
		},
		{
			id: "java-exception", kind: fault.UpstreamError, cause: fault.Software, server: "the Java application", level: atApp, explains: symApp | symClosed, before: 2,
			title: "the application threw an exception", any: [][]string{{"Exception in thread \""}, {"Servlet.service() for servlet", "threw exception"}}, fix: []string{"The stack in the log names the line."},
		},
		{
			id: "node-memory", kind: fault.ConnectionRefused, cause: fault.Overload, server: "the Node application", level: atApp, explains: broken, before: 30,
			title: "Node's heap is full", any: either("JavaScript heap out of memory", "Reached heap limit Allocation failed"), fix: []string{"Raise --max-old-space-size, and look for what grows with --heapsnapshot-near-heap-limit=1."},
		},
		{
			id: "node-exception", kind: fault.UpstreamError, cause: fault.Software, server: "the Node application", level: atApp, explains: symApp | broken, before: 2,
			title: "the application threw an error", any: either("throw er; // Unhandled 'error' event", "Uncaught Exception", "triggerUncaughtException"), fix: []string{"The stack in the log names the line; an uncaught error ends the process: let systemd or pm2 restart it."},
		},
		{
			id: "php-children", kind: fault.Overloaded, cause: fault.Overload, server: "PHP-FPM", level: atApp, explains: broken | symTimeout | symConnect, before: 60,
			title: "PHP-FPM has no child left", any: either("reached pm.max_children", "reached max_children setting"), fix: []string{"PHP-FPM: raise pm.max_children as far as memory goes; request_terminate_timeout frees hung ones."},
		},
		{
			id: "php-fatal", kind: fault.UpstreamError, cause: fault.Software, server: "the PHP application", level: atApp, explains: symApp | symClosed, before: 2,
			title: "the application ended with a PHP fatal error", any: either("PHP Fatal error", "Allowed memory size of"), fix: []string{"The message names file and line; memory_limit in php.ini for exhausted memory."},
		},
		{
			id: "segfault", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: "the application", level: atApp, explains: broken, before: 5,
			title: "a process crashed in native code", any: either("Segmentation fault", "Fatal Python error"), fix: []string{"coredumpctl info, or faulthandler, shows where; update the native module."},
		},
	}
}

// kernelRules are the kernel's own words.
func kernelRules() []rule {
	const s = "the kernel"
	return []rule{
		{
			id: "oom-kill", kind: fault.ClosedBeforeResponse, cause: fault.Overload, server: s, level: atHost, explains: broken | symTimeout, before: 60,
			title: "the kernel's OOM killer ended the process: memory was used up",
			any:   [][]string{{"Out of memory: Kill"}, {"Memory cgroup out of memory: Kill"}, {"oom_reaper: reaped process"}, {"Killed process ", "total-vm"}}, process: "rocess ",
			fix: []string{"Give it more memory: MemoryMax= of its systemd unit, the container's limit (--memory, resources.limits.memory), or a larger host.", "Use less: fewer workers (gunicorn --workers 2), --max-requests 1000 --max-requests-jitter 100 against leaks, --preload to share memory."},
		},
		{
			id: "oom-invoked", kind: fault.ClosedBeforeResponse, cause: fault.Overload, server: s, level: atHost, quiet: true, explains: 0,
			title: "the OOM killer looked for a process to end", any: either("invoked oom-killer", "oom-kill:constraint="), fix: []string{"See the process that was ended."},
		},
		{
			id: "kernel-segfault", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, level: atHost, explains: broken, before: 5,
			title: "a process crashed in native code", any: [][]string{{"segfault at ", " ip "}, {"traps: ", "general protection"}, {"trap invalid opcode"}}, process: "[",
			fix: []string{"The line names the library; update it, or the native module that uses it (coredumpctl info shows where)."},
		},
		{
			id: "syn-flood", kind: fault.Overloaded, cause: fault.Overload, server: s, level: atHost, explains: symConnect | symRefused | symTimeout | symClosed, before: 60,
			title: "a listener's accept queue overflowed (possible SYN flooding)", any: either("Possible SYN flooding on port", "possible SYN flooding on port", "request_sock_TCP: Possible SYN flooding"),
			fix: []string{"Raise net.core.somaxconn and the server's own backlog (nginx listen ... backlog=4096, gunicorn --backlog 2048), net.ipv4.tcp_max_syn_backlog.", "Whoever accepts is too slow: more workers."},
		},
		{
			id: "conntrack-full", kind: fault.ConnectTimeout, cause: fault.Overload, server: s, level: atHost, explains: symConnect | symTimeout, before: 60,
			title: "the connection tracking table is full, so that new connections are dropped", any: either("nf_conntrack: table full", "ip_conntrack: table full"),
			fix: []string{"Raise net.netfilter.nf_conntrack_max (and hashsize), lower nf_conntrack_tcp_timeout_time_wait, keep connections alive."},
		},
		{
			id: "hung-task", kind: fault.FirstByteTimeout, cause: fault.Overload, server: s, level: atHost, explains: symTimeout | symConnect, before: 180,
			title: "a process hung in the kernel for two minutes: a disk or network file system does not answer", any: [][]string{{"blocked for more than", "seconds"}, {"rcu_sched self-detected stall"}, {"soft lockup - CPU#"}},
			fix: []string{"Look at the disk or NFS: iostat -x 1, dmesg for I/O errors, nfsstat."},
		},
		{
			id: "disk-error", kind: fault.UpstreamError, cause: fault.Software, server: s, level: atHost, explains: symTimeout | symApp, before: 60,
			title: "a disk reports errors", any: either("I/O error, dev ", "EXT4-fs error", "Remounting filesystem read-only", "XFS: Internal error"), fix: []string{"smartctl -a on the disk; restore from a backup onto a good one."},
		},
		{
			id: "disk-full", kind: fault.UpstreamError, cause: fault.Overload, server: "the application", level: atApp, explains: symApp | broken, before: 30,
			title: "a disk is full", any: either("No space left on device", "ENOSPC: no space left"), fix: []string{"df -h and df -i; rotate logs, remove what is not needed."},
		},
		{
			id: "tcp-memory", kind: fault.Overloaded, cause: fault.Overload, server: s, level: atHost, explains: symConnect | symTimeout | symClosed, before: 60,
			title: "the kernel has no memory left for TCP", any: either("TCP: out of memory -- consider tuning tcp_mem", "TCP: too many orphaned sockets"), fix: []string{"Raise net.ipv4.tcp_mem and net.ipv4.tcp_max_orphans; fewer idle connections."},
		},
	}
}

// systemRules are what systemd and container runtimes say of a service's end and start.
func systemRules() []rule {
	const s = "systemd"
	return []rule{
		{
			id: "unit-oom", kind: fault.ClosedBeforeResponse, cause: fault.Overload, server: s, level: atHost, explains: broken | symTimeout, before: 60,
			title: "a unit was ended for want of memory", any: either("Failed with result 'oom-kill'", "A process of this unit has been killed by the OOM killer", "OOMKilled"),
			fix: []string{"Raise MemoryMax= of the unit (systemctl edit), the container's limit, or use fewer workers."},
		},
		{
			id: "unit-died", kind: fault.ConnectionRefused, cause: fault.Software, server: s, level: atApp, explains: broken, before: 120,
			title: "the service's main process ended by itself",
			any:   [][]string{{"Main process exited, code=killed"}, {"Main process exited, code=dumped"}, {"Main process exited, code=exited, status="}, {"Failed with result 'exit-code'"}, {"Failed with result 'signal'"}, {"Failed with result 'core-dump'"}, {"Back-off restarting failed container"}},
			fix:   []string{"Its own last lines say why: journalctl -u UNIT.", "Restart=always with RestartSec=1s brings it back."},
		},
		{
			id: "unit-limit", kind: fault.ConnectionRefused, cause: fault.Software, server: s, level: atApp, explains: broken, before: 24 * 3600,
			title: "systemd gave up on starting the service", any: either("Start request repeated too quickly", "start-limit-hit"), fix: []string{"Repair why it ends, then systemctl reset-failed UNIT; StartLimitIntervalSec=0 keeps trying."},
		},
		{
			id: "unit-timeout", kind: fault.ConnectionRefused, cause: fault.Software, server: s, level: atApp, explains: broken, before: 60,
			title: "the service did not start, stop or report in time", any: either("start operation timed out", "State 'stop-sigterm' timed out", "Watchdog timeout (limit"), fix: []string{"TimeoutStartSec=, TimeoutStopSec=, WatchdogSec= of the unit; first find out what it waits for."},
		},
		{
			id: "deploy", kind: fault.ConnectionRefused, cause: fault.IncompatibleChange, server: "the deployment", level: atChange, explains: broken | symApp | symTimeout, before: 300, quiet: true,
			title: "a deployment had just been made", any: [][]string{{"Deploying "}, {"deployment started"}, {"Successfully deployed"}, {"Unpacking "}, {"docker: pulling"}, {"Scaled up replica set"}, {"Deployment finished"}},
			fix: []string{"Compare with the version before, or roll back; deploy one replica after the other behind a readiness check."},
		},
		{
			id: "unit-stopped", kind: fault.ConnectionRefused, cause: fault.Configuration, server: s, level: atChange, explains: broken, before: 60, quiet: true,
			title: "the service was stopped or restarted",
			any:   [][]string{{"Stopping "}, {"Stopped "}, {"Killing container"}, {"Stopping container"}, {"Handling signal: "}, {"Shutting down"}, {"shutting down"}, {"SIGTERM received"}, {"Received SIGTERM"}},
			fix:   []string{"Restart one replica after the other, drain it in the proxy first, or let a systemd socket hold the port while the service starts."},
		},
	}
}
