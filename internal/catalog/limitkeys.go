package catalog

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits are what an application may use of models in a time. The zero value is no limit.
type Limits struct {
	Tokens    int64 // input and output together; 0 is no limit
	TokensPer Period
	Budget    float64 // US dollars; 0 is no limit unless HasBudget
	HasBudget bool
	BudgetPer Period
	// Wait is how long a call waits for others that run to settle what they have reserved.
	Wait time.Duration
}

// Period is a window of time: of a fixed length, or a day, week or month of the calendar in UTC.
type Period struct {
	Every    time.Duration
	Calendar string // "day", "week", "month"; "" for Every
}

// ModelPrice is what a model of a provider costs, in US dollars for a million tokens, over the catalogue of the binary.
type ModelPrice struct {
	Input, Output, Cached, CacheWrite, CacheWrite1h float64
	AudioIn, AudioOut, ImageIn, ImageOut            float64
	Long                                            int64
	LongInput, LongOutput, LongCached, LongWrite    float64
	Batch, Search, Image                            float64
}

func limitKeys() []key {
	return []key{
		{
			name: "tokens", shape: scalarOf(integer("a number of tokens", 1, 1_000_000_000_000)), aka: []string{"max_tokens", "tpm"},
			doc: "Tokens of input and output together in the time of `per`.",
		},
		{
			name: "per", def: "1m", shape: scalarOf(period()), aka: []string{"window", "interval"},
			doc: "The time of `tokens`: a duration, or `minute`, `hour`, `day`, `week` or `month`. Windows begin at whole multiples since 1970, days, weeks and months at midnight in UTC.",
		},
		{
			name: "budget", shape: objectOf("{usd: 50, per: month}", []key{
				{name: "usd", required: true, example: "usd: 50", shape: scalarOf(dollars()), aka: []string{"dollars", "amount", "max"}, doc: "US dollars. A call to a model without a price is refused, since it could not be counted."},
				{name: "per", def: "month", shape: scalarOf(period()), doc: "The time of it, as in `limits.per`."},
			}),
			doc: "What its calls may cost. A call reserves what it may cost and settles what it did, so that calls at the same time cannot spend the same dollar twice.",
		},
		{
			name: "wait", def: "5s", shape: scalarOf(duration(0)),
			doc: "How long a call near a limit waits for others to settle what they have reserved, before it is refused.",
		},
	}
}

// period is a duration of a second or more, or a word for one.
func period() scalar {
	words := map[string]Period{
		"second": {Every: time.Second}, "minute": {Every: time.Minute}, "hour": {Every: time.Hour},
		"day": {Calendar: "day"}, "week": {Calendar: "week"}, "month": {Calendar: "month"},
	}
	d := duration(time.Second)
	return scalar{
		noun: "a time such as 1m, hour, day or month", name: "period", kinds: d.kinds,
		schema: map[string]any{"anyOf": []any{
			map[string]any{"enum": []string{"second", "minute", "hour", "day", "week", "month"}},
			d.schema,
		}},
		parse: func(s string) (any, *wrong) {
			if p, ok := words[s]; ok {
				return p, nil
			}
			v, w := d.parse(s)
			if w != nil {
				if strings.Contains(w.message, "not a duration") {
					w = &wrong{message: "is not a time", fix: "write a duration such as 1m or 24h, or minute, hour, day, week or month"}
				}
				return nil, w
			}
			return Period{Every: v.(time.Duration)}, nil
		},
	}
}

func priceKeys() []key {
	rate := func(name, doc string, aka ...string) key {
		return key{name: name, shape: scalarOf(dollars()), aka: aka, doc: doc}
	}
	return []key{
		{name: "input", required: true, example: "input: 0.15", shape: scalarOf(dollars()), aka: []string{"in", "prompt"}, doc: "Of input."},
		{name: "output", required: true, example: "output: 0.60", shape: scalarOf(dollars()), aka: []string{"out", "completion"}, doc: "Of output."},
		rate("cached", "Of input read from the provider's cache; without it, as `input`.", "cache_read"),
		rate("cache_write", "Of input written to the provider's cache; without it, as `input`."),
		rate("cache_write_1h", "The same, kept for an hour; without it, as `cache_write`."),
		rate("audio_input", "Of audio in; without it, as `input`."),
		rate("audio_output", "Of audio out; without it, as `output`."),
		rate("image_input", "Of images in; without it, as `input`."),
		rate("image_output", "Of images out; without it, as `output`."),
		{name: "long_from", shape: scalarOf(integer("a number of tokens", 1, 1_000_000_000)), doc: "Input tokens above which the long prices hold for the whole call."},
		rate("long_input", "Of input of a long call."),
		rate("long_output", "Of output of a long call."),
		rate("long_cached", "Of input of a long call read from the cache."),
		rate("long_cache_write", "Of input of a long call written to the cache."),
		rate("batch", "A factor for calls of the batch API, such as 0.5."),
		rate("search", "Of one search or rerank, in dollars."),
		rate("image", "Of one image, in dollars."),
	}
}

func applicationLimits(v *value) (l Limits) {
	if !v.set() {
		return l
	}
	budget := v.get("budget")
	l = Limits{Tokens: as[int64](v.get("tokens")), TokensPer: as[Period](v.get("per")), Wait: as[time.Duration](v.get("wait"))}
	if budget.set() {
		l.HasBudget, l.Budget, l.BudgetPer = true, as[float64](budget.get("usd")), as[Period](budget.get("per"))
	}
	return l
}

func modelPrices(v *value) map[string]ModelPrice {
	if len(v.names) == 0 {
		return nil
	}
	prices := map[string]ModelPrice{}
	for _, name := range v.names {
		p := v.get(name)
		amount := func(key string) float64 { return as[float64](p.get(key)) }
		prices[name] = ModelPrice{
			Input: amount("input"), Output: amount("output"), Cached: amount("cached"), CacheWrite: amount("cache_write"), CacheWrite1h: amount("cache_write_1h"),
			AudioIn: amount("audio_input"), AudioOut: amount("audio_output"), ImageIn: amount("image_input"), ImageOut: amount("image_output"),
			Long: as[int64](p.get("long_from")), LongInput: amount("long_input"), LongOutput: amount("long_output"), LongCached: amount("long_cached"), LongWrite: amount("long_cache_write"),
			Batch: amount("batch"), Search: amount("search"), Image: amount("image"),
		}
	}
	return prices
}

// counters is where limits are counted: in this process, or in a server that several share.
func counters() scalar {
	const want = "write memory, or redis://HOST:PORT/N (rediss:// for TLS)"
	return scalar{
		noun: "memory, or redis://HOST:PORT/N", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": `^(memory|rediss?://.+|unix://.+)$`},
		parse: func(s string) (any, *wrong) {
			if s == "memory" {
				return s, nil
			}
			u, err := url.Parse(s)
			switch {
			case err != nil || u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix":
				return nil, &wrong{message: "is no place for counters", fix: want}
			case u.Scheme != "unix" && u.Hostname() == "":
				return nil, &wrong{message: "has no host", fix: want}
			}
			if path := strings.Trim(u.Path, "/"); u.Scheme != "unix" && path != "" {
				if n, err := strconv.Atoi(path); err != nil || n < 0 {
					return nil, &wrong{message: "names a database that is no number", fix: want}
				}
			}
			return s, nil
		},
	}
}
