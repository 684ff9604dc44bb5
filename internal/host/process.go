package host

import "syscall"

// readProcess reads what getrusage and getrlimit tell of this process.
func readProcess(r *Reading) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		r.Own = seconds(u.Utime) + seconds(u.Stime)
	}
	r.FilesMax = filesMax()
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
