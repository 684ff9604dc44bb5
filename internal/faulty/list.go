package faulty

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"causeway/internal/fault"
)

// Fault is one way to fail, or, with an empty Kind, one odd but lawful behaviour that a gateway
// must get right. Faults are values: All makes them anew, and changing one changes nothing.
type Fault struct {
	// Name is unique and stable, such as "chunk_cut_rst".
	Name string
	// Kind is what a gateway must say. It is empty where the answer is good and must be passed on.
	Kind fault.Kind
	// Also lists kinds that are right as well: the kernel decides a race, or the RFC allows a
	// gateway to repair the answer. In it the empty kind stands for an answer passed on.
	Also []fault.Kind
	// Row is the row of the failure table that this provokes, such as "41", or "" for a control.
	Row string
	// Status is the status of the upstream's own complete answer, which a gateway passes on;
	// 0 when no complete answer is sent.
	Status int
	// About says in one sentence what happens on the wire.
	About string
	// LLM is true when the answers are in the OpenAI dialect and make sense only on a model's route.
	LLM bool
	// NoReuse is true when the connection is out of step after the answer, and using it for
	// another call would give that call bytes of this one.
	NoReuse bool
	// Needs is what must hold for the fault to show.
	Needs Needs
	// Defaults are the parameters that this fault looks at, with the values used where the
	// caller of [Lab.Start] gives none.
	Defaults Params

	start func(*site) error
}

// Needs is what a fault asks of the caller's request, of the gateway's settings or of the host.
type Needs struct {
	Upload      bool // a request body larger than the socket buffers: 8 MiB is enough
	Reuse       bool // two calls in a row on one kept-alive connection
	Upgrade     bool // a request that asks for an upgrade
	Head        bool // the method HEAD
	Stream      bool // a request for a streamed answer
	Resolver    bool // the gateway must ask Upstream.Resolver for names
	BodyLimit   bool // the gateway must limit the size of answers
	Target      bool // Params.Target must be the gateway's own address
	Linux       bool // the kernel's behaviour on Linux
	NotRoot     bool // the dialling process must not be root, to whom no socket is denied
	UnixSockets bool // the host has Unix sockets with permissions
}

// Met returns nil when this process on this host can start and see the fault, else an error that
// says what is missing. What depends on the request or the gateway's settings is not looked at.
func (n Needs) Met() error {
	switch {
	case n.Linux && runtime.GOOS != "linux":
		return fmt.Errorf("%w: it needs Linux, this is %s", ErrUnavailable, runtime.GOOS)
	case n.UnixSockets && runtime.GOOS == "windows":
		return fmt.Errorf("%w: it needs Unix sockets", ErrUnavailable)
	case n.NotRoot && os.Geteuid() == 0:
		return fmt.Errorf("%w: root may open every socket", ErrUnavailable)
	}
	return nil
}

// ErrUnavailable is wrapped by the errors of [Needs.Met] and of [Lab.Start] for a fault that this
// host cannot provoke.
var ErrUnavailable = errors.New("the fault cannot be provoked here")

// ErrUnknown is wrapped by the error of [Lab.Start] for a name that no fault has.
var ErrUnknown = errors.New("no such fault")

// All returns every fault, family by family. Within a kind the plainest comes first.
func All() []Fault {
	return slices.Concat(
		connectFaults(),
		nameFaults(),
		tlsFaults(),
		chainFaults(),
		schemeFaults(),
		bannerFaults(),
		malformedFaults(),
		headFaults(),
		framingFaults(),
		bodyFaults(),
		chunkFaults(),
		closedFaults(),
		staleFaults(),
		uploadFaults(),
		silenceFaults(),
		interimFaults(),
		upgradeFaults(),
		statusFaults(),
		secureFaults(),
		http2Faults(),
		relayFaults(),
		modelFaults(),
		streamFaults(),
	)
}

// Find returns the fault of that name, and whether there is one.
func Find(name string) (Fault, bool) {
	return first(func(f Fault) bool { return f.Name == name })
}

// ForKind returns the plainest fault that makes a gateway say kind, and whether there is one:
// kinds that are the gateway's or the caller's own doing have none.
func ForKind(kind fault.Kind) (Fault, bool) {
	if kind == "" {
		return Fault{}, false
	}
	return first(func(f Fault) bool { return f.Kind == kind })
}

func first(match func(Fault) bool) (Fault, bool) {
	all := All()
	if i := slices.IndexFunc(all, match); i >= 0 {
		return all[i], true
	}
	return Fault{}, false
}
