// Package price knows what providers' models cost: a catalogue that comes with the binary, with the date and
// the source of each price, under what an operator says in the configuration.
//
// # The files
//
// generated.tsv and own.tsv hold a line for each model: the provider's kind, the model, and words. Prices are
// US dollars for a million tokens: in, out, cached (read from the provider's cache), write and write1h (written
// to it, for minutes and for an hour), audio_in, audio_out, image_in, image_out. From long input tokens on
// the prices long_in, long_out, long_cached and long_write hold for the whole call. batch is a factor for the batch
// API, search the price of one search or rerank, image of one image, minute of a minute of audio. free says that
// it costs nothing. context is in tokens; reasoning, vision and tools are what the model can do.
package price

import (
	_ "embed"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// Date is when the catalogue that comes with the binary was last gone over.
const Date = "2026-11-23"

//go:embed generated.tsv
var generated string

//go:embed own.tsv
var own string

// GeneratedSource is where the prices without a page of their own are from.
const GeneratedSource = "charm.land/catwalk v0.52.1"

// Price is what a model costs, in US dollars for a million tokens where nothing else is said. A price that
// is 0 is not known apart and follows from another: Cached from Input, AudioIn from Input and so on.
type Price struct {
	Input, Output               float64
	Cached, CacheWrite          float64
	CacheWrite1h                float64
	AudioIn, AudioOut           float64
	ImageIn, ImageOut           float64
	Long                        int64 // input tokens above which the Long prices hold for the whole call; 0 never
	LongInput, LongOutput       float64
	LongCached, LongWrite       float64
	Batch                       float64 // factor of the batch API; 0 is 1
	PerSearch, PerImage, Minute float64 // dollars each
	Free                        bool

	Context   int64 // tokens; 0 is not known
	Reasoning bool
	Vision    bool
	Tools     bool
	Source    string
	Date      string
}

// Usage is what is to be paid for. A count below 0 is not known and counts as 0. Input holds all input, what was
// read from or written to a cache, audio and images included; Output all output, thoughts included.
type Usage struct {
	Input, Output                    int64
	Cached, CacheWrite, CacheWrite1h int64 // of Input; CacheWrite1h is also part of CacheWrite
	AudioIn, AudioOut                int64
	ImageIn, ImageOut                int64
	Searches, Images                 int64
	Seconds                          float64 // of audio, where a vendor counts these
	Batch                            bool
}

// Nano is a billionth of a US dollar. Costs are kept in it, so that adding them up loses nothing.
type Nano int64

// Dollars is the amount in dollars.
func (n Nano) Dollars() float64 { return float64(n) / 1e9 }

func (n Nano) String() string { return "$" + strconv.FormatFloat(n.Dollars(), 'f', -1, 64) }

// FromDollars is an amount of dollars, rounded.
func FromDollars(d float64) Nano {
	if d < 0 {
		return Nano(d*1e9 - 0.5)
	}
	return Nano(d*1e9 + 0.5)
}

// Cost is what a call costs.
func (p *Price) Cost(u Usage) Nano {
	if p.Free {
		return 0
	}
	in, out, cached, write := p.Input, p.Output, p.Cached, p.CacheWrite
	write1h := p.CacheWrite1h
	if cached == 0 {
		cached = in
	}
	if write == 0 {
		write = in
	}
	if write1h == 0 {
		write1h = write
	}
	if p.Long > 0 && u.Input > p.Long {
		scale := 1.0
		if p.LongInput > 0 && in > 0 {
			scale = p.LongInput / in
		}
		in, out = orElse(p.LongInput, in), orElse(p.LongOutput, out)
		cached, write = orElse(p.LongCached, cached*scale), orElse(p.LongWrite, write*scale)
		write1h *= scale
	}
	n := func(tokens int64) float64 { return float64(max(tokens, 0)) }
	long := min(n(u.CacheWrite1h), n(u.CacheWrite))
	special := n(u.Cached) + n(u.CacheWrite) + n(u.AudioIn) + n(u.ImageIn)
	sum := max(n(u.Input)-special, 0)*in + n(u.Cached)*cached + (n(u.CacheWrite)-long)*write + long*write1h +
		n(u.AudioIn)*orElse(p.AudioIn, in) + n(u.ImageIn)*orElse(p.ImageIn, in)
	sum += max(n(u.Output)-n(u.AudioOut)-n(u.ImageOut), 0)*out + n(u.AudioOut)*orElse(p.AudioOut, out) + n(u.ImageOut)*orElse(p.ImageOut, out)
	if u.Batch && p.Batch > 0 {
		sum *= p.Batch
	}
	total := sum/1e6 + n(u.Searches)*p.PerSearch + n(u.Images)*p.PerImage + u.Seconds/60*p.Minute
	return FromDollars(total)
}

func orElse(v, other float64) float64 {
	if v > 0 {
		return v
	}
	return other
}

// Catalogue finds prices. It is immutable and safe for concurrent use.
type Catalogue struct{ byName map[string]*Price }

// Builtin is the catalogue that comes with the binary.
func Builtin() (*Catalogue, error) {
	c := &Catalogue{byName: map[string]*Price{}}
	for _, file := range []struct{ name, text, source string }{{"generated.tsv", generated, GeneratedSource}, {"own.tsv", own, ""}} {
		for i, line := range strings.Split(file.text, "\n") {
			if line == "" || line[0] == '#' {
				continue
			}
			if err := c.add(line, file.source); err != nil {
				return nil, fmt.Errorf("%s, line %d: %w", file.name, i+1, err)
			}
		}
	}
	return c, nil
}

// With is the catalogue with prices of one provider by model over it: those of an operator.
func (c *Catalogue) With(vendor string, prices map[string]Price) *Catalogue {
	if len(prices) == 0 {
		return c
	}
	n := &Catalogue{byName: maps.Clone(c.byName)}
	for model, p := range prices {
		n.byName[key(vendor, model)] = &p
	}
	return n
}

func key(vendor, model string) string { return vendor + "\t" + model }

func (c *Catalogue) add(line, source string) error {
	parts := strings.Split(line, "\t")
	if len(parts) != 3 {
		return fmt.Errorf("%d columns, not 3", len(parts))
	}
	p := &Price{Date: Date, Source: source}
	if had := c.byName[key(parts[0], parts[1])]; had != nil {
		*p = *had
	}
	for _, word := range strings.Fields(parts[2]) {
		name, value, _ := strings.Cut(word, "=")
		if err := p.word(name, value); err != nil {
			return err
		}
	}
	if p.CacheWrite1h == 0 && p.CacheWrite > 0 && strings.Contains(parts[1], "claude") {
		p.CacheWrite1h = 2 * p.Input // Anthropic's rule for its one-hour cache
	}
	c.byName[key(parts[0], parts[1])] = p
	return nil
}

func (p *Price) word(name, value string) (err error) {
	numbers := map[string]*float64{
		"in": &p.Input, "out": &p.Output, "cached": &p.Cached, "write": &p.CacheWrite, "write1h": &p.CacheWrite1h,
		"audio_in": &p.AudioIn, "audio_out": &p.AudioOut, "image_in": &p.ImageIn, "image_out": &p.ImageOut,
		"long_in": &p.LongInput, "long_out": &p.LongOutput, "long_cached": &p.LongCached, "long_write": &p.LongWrite,
		"batch": &p.Batch, "search": &p.PerSearch, "image": &p.PerImage, "minute": &p.Minute,
	}
	counts := map[string]*int64{"long": &p.Long, "context": &p.Context}
	flags := map[string]*bool{"free": &p.Free, "reasoning": &p.Reasoning, "vision": &p.Vision, "tools": &p.Tools}
	switch {
	case numbers[name] != nil:
		*numbers[name], err = strconv.ParseFloat(value, 64)
	case counts[name] != nil:
		*counts[name], err = strconv.ParseInt(value, 10, 64)
	case flags[name] != nil && value == "":
		*flags[name] = true
	case name == "src":
		p.Source = value
	default:
		err = fmt.Errorf("%q is not a word that is known", name)
	}
	return err
}

// Find is the price of a provider's model. A name with a date, a version or a vendor's prefix that the
// catalogue lacks is looked for without it: gpt-4o-2024-11-20 costs what gpt-4o does.
func (c *Catalogue) Find(vendor, model string) (*Price, bool) {
	for name := model; name != ""; name = shorter(name) {
		if p := c.byName[key(vendor, name)]; p != nil {
			return p, true
		}
	}
	if vendor == "bedrock" { // an inference profile: us.anthropic.claude-..., or its plain name
		if _, rest, ok := strings.Cut(model, "."); ok && len(model)-len(rest) <= len("global.") {
			return c.Find(vendor, rest)
		}
	}
	return nil, false
}

// shorter is a model's name without its last qualifier, "" when it has none.
func shorter(name string) string {
	if base, ok := strings.CutSuffix(name, "-latest"); ok {
		return base
	}
	if base, _, ok := strings.Cut(name, "@"); ok { // Vertex: claude-sonnet-4@20250514
		return base
	}
	for _, form := range []string{"-0000-00-00", "-00000000", "-0000", "-000", "-00-0000"} {
		if n := len(name) - len(form); n > 0 && fits(name[n:], form) {
			return name[:n]
		}
	}
	return ""
}

// fits tells whether s has a digit where form has a 0, and else what form has.
func fits(s, form string) bool {
	for i := range len(form) {
		if form[i] == '0' {
			if s[i] < '0' || s[i] > '9' {
				return false
			}
		} else if s[i] != form[i] {
			return false
		}
	}
	return true
}

// Len is the number of models with a price.
func (c *Catalogue) Len() int { return len(c.byName) }

// Each calls f for every model.
func (c *Catalogue) Each(f func(vendor, model string, p *Price)) {
	for k, p := range c.byName {
		vendor, model, _ := strings.Cut(k, "\t")
		f(vendor, model, p)
	}
}
