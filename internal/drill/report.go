package drill

import "causeway/internal/fault"

// Report is what a drill found.
type Report struct {
	Grade    string    `json:"grade" enum:"A,B,C,D,F" doc:"That of the worst subject."`
	Score    float64   `json:"score" doc:"0 to 100, likewise."`
	Config   string    `json:"config,omitempty" doc:"The configuration that was drilled."`
	Time     string    `json:"time" format:"date-time" doc:"When it began."`
	TookMS   int64     `json:"took_ms" doc:"How long the drill took."`
	Full     bool      `json:"full" doc:"Whether the limits were kept as configured; else they were shortened."`
	Subjects []Subject `json:"subjects" nullable:"false" doc:"The services and models, the worst first."`
	Notes    []string  `json:"notes,omitempty" nullable:"false" doc:"What was left out or changed for the drill."`
	Text     string    `json:"text" doc:"The result in a sentence."`
}

// Subject is one service or model.
type Subject struct {
	What    string  `json:"what" enum:"service,model" doc:"Which of the two."`
	Name    string  `json:"name" example:"orders" doc:"Its name in the configuration."`
	Targets int     `json:"targets" doc:"Targets of a service; providers of a model, with its fallbacks."`
	Method  string  `json:"method" example:"GET" doc:"What the calls were made with."`
	Grade   string  `json:"grade" enum:"A,B,C,D,F" doc:"A from 90, B from 80, C from 70, D from 60."`
	Score   float64 `json:"score" doc:"0 to 100."`
	// Absorbed counts the faults that callers would not have noticed, of those that somebody else could have answered.
	Absorbed int      `json:"absorbed" doc:"Faults that callers would not have noticed."`
	Of       int      `json:"absorbable" doc:"Faults that could be absorbed at all."`
	Faults   []Result `json:"faults" nullable:"false" doc:"What each fault came to."`
	Changes  []Change `json:"changes,omitempty" nullable:"false" doc:"What would help, the most helpful first."`
	After    *After   `json:"with_changes,omitempty" doc:"How it would be graded with the changes."`
	Reasons  []string `json:"reasons" nullable:"false" doc:"Why it has its grade, in sentences."`
}

// After is the grade with the suggested changes.
type After struct {
	Grade string  `json:"grade" enum:"A,B,C,D,F" doc:"The grade."`
	Score float64 `json:"score" doc:"0 to 100."`
	Tried bool    `json:"tried" doc:"Whether it was drilled again with them; else it is an estimate."`
}

// Result is what one fault came to.
type Result struct {
	Fault string     `json:"fault" example:"reset_before_response" doc:"Its name."`
	Kind  fault.Kind `json:"kind" example:"reset_before_response" doc:"What a gateway is to call it."`
	About string     `json:"about" doc:"What happens on the wire."`
	Late  bool       `json:"late,omitempty" doc:"The answer had begun: the call that meets it cannot be saved."`
	// One, Blip and All are nil where that was not tried.
	One      *Outcome `json:"one_target,omitempty" doc:"With the fault at one of several targets, lasting."`
	Blip     *Outcome `json:"one_in_ten,omitempty" doc:"With the fault at one connection in ten."`
	All      *Outcome `json:"every_target,omitempty" doc:"With the fault at every target, lasting."`
	Score    float64  `json:"score" doc:"0 to 1."`
	Absorbed bool     `json:"absorbed" doc:"Callers would not have noticed it, at one target or in one connection of ten."`
}

// Outcome is what callers saw.
type Outcome struct {
	Calls int `json:"calls" doc:"Calls made."`
	Hit   int `json:"hit" doc:"Calls of these that met the fault."`
	Lost  int `json:"lost" doc:"Calls that ended badly for the caller."`
	// Status, Kind and Retry are those of the first lost call.
	Status int        `json:"status,omitempty" doc:"What the caller of the first lost call got; 0: no answer."`
	Kind   fault.Kind `json:"kind,omitempty" doc:"How it was told."`
	Retry  string     `json:"retry,omitempty" doc:"Whether the caller was told that it may repeat the call."`
	Told   bool       `json:"told_rightly" doc:"Every lost call was told with the fault's own kind."`
	// TookMS is the longest call as it would have taken with the configured limits.
	TookMS   int64  `json:"took_ms" doc:"The longest call, as it would have taken with the limits as configured."`
	Endless  bool   `json:"endless,omitempty" doc:"No limit ended a call while the drill waited."`
	Attempts int    `json:"attempts" doc:"The most attempts for a call."`
	Repeated int    `json:"repeated" doc:"Attempts beyond each call's first."`
	Unsafe   int    `json:"unsafe" doc:"Repeated attempts of calls that could have been done twice."`
	By       string `json:"by,omitempty" enum:"retry,failover" doc:"What absorbed it."`
	// After is the same once health checks and breakers had time to see it.
	After *Later `json:"later,omitempty" doc:"The same, once health checks and breakers had time to see it."`

	Again string `json:"why,omitempty" example:"not retried: retries.max is 0" doc:"Why no other attempt followed, of the first lost call."`

	limit string // that fired in the longest call
}

// Later is how calls went once health checks and breakers had time to see a lasting fault.
type Later struct {
	Calls  int    `json:"calls" doc:"Calls made."`
	Hit    int    `json:"hit" doc:"Calls of these that met the fault."`
	Lost   int    `json:"lost" doc:"Calls that ended badly for the caller."`
	TookMS int64  `json:"took_ms" doc:"The longest, as above."`
	By     string `json:"by,omitempty" enum:"health,breaker,failover" doc:"What kept calls away from it."`
}

// Change is a setting to change.
type Change struct {
	Key    string   `json:"key" example:"services.orders.upstream.retries.max" doc:"The key in the configuration file."`
	From   string   `json:"from,omitempty" doc:"As it is now; missing: not set."`
	To     string   `json:"to" doc:"The value to set."`
	Why    string   `json:"why" doc:"The reason, in a sentence."`
	Faults []string `json:"faults" nullable:"false" doc:"What it helps against."`

	apply func(*subject) // nil where it cannot be tried
}

// grade is the letter of a score.
func grade(score float64) string {
	for _, g := range []struct {
		from   float64
		letter string
	}{{90, "A"}, {80, "B"}, {70, "C"}, {60, "D"}} {
		if score >= g.from {
			return g.letter
		}
	}
	return "F"
}

// Grades are the letters, the best first.
const Grades = "ABCDF"
