package journey

import "time"

// Child is what is known of the upstream's process, where the gateway itself has started it (causeway run). It
// is asked for when a call has failed and is not part of the call's record: what it says of the failure becomes
// the finding's evidence. A Child is not changed once it is made. Its texts are masked and hold no control
// characters.
type Child struct {
	Name    string // the program's name, without folder and arguments
	PID     int    // of the process that Ended is about, or else of the one that runs
	Running bool   // one runs now, the same or one started since
	Ended   bool   // one has ended; the members up to MemoryMax tell how
	// Ago is how long before the call's failure it ended; negative when that was seen only afterwards.
	Ago    time.Duration
	Ran    time.Duration // how long it had run
	Code   int           // what it exited with, -1 when a signal ended it
	Signal string        // "SIGKILL", "" when it exited by itself
	// OutOfMemory says how it is known that the kernel ended it, or another process of its control group while
	// the call ran, for want of memory; "" when nothing says so.
	OutOfMemory string
	// MemoryCounted is true when the control group's counter could be read: without OutOfMemory the kernel's
	// OOM killer is then ruled out.
	MemoryCounted bool
	MemoryMax     int64 // bytes that its control group may have, 0 for no limit or when not known
	Restarts      int   // how often it was started again
	// Crashes is how many of its ends went wrong (a code other than 0, or a signal) one soon after the other, the
	// last of them included, and CrashSpan the time from the first to the last of these.
	Crashes   int
	CrashSpan time.Duration
	// Last are the last lines that it wrote to standard error: all of them for one that has ended, for one that
	// runs those since the call began.
	Last []string
	// Trace is the last traceback among them, nil where there is none.
	Trace *Traceback
}

// Traceback is an exception or a panic as a program's runtime prints it.
type Traceback struct {
	Language string // "Python", "Node.js", "Go" or "Java"
	Error    string // "KeyError: 'total'"
	Where    string // the innermost place of the program's own, "app.py:12 in handler"; "" when not found
	Lines    []string
}
