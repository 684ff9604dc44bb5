package catalog

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxDuration is 100 years: more is a slip, and it leaves room for sums.
const maxDuration = 100 * 365 * 24 * time.Hour

// duration is a length of time, 0 for off where least is 0.
func duration(least time.Duration) scalar {
	return scalar{
		noun: "a duration such as 30s, 500ms, 2m, 1h30m or 30d", name: "duration", kinds: []nodeKind{stringNode, numberNode},
		schema: map[string]any{"anyOf": []any{
			map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(us|µs|ms|s|m|h|d|w))+$|^0$`},
			map[string]any{"const": 0},
		}},
		parse: func(s string) (any, *wrong) {
			d, w := parseDuration(s)
			switch {
			case w != nil:
				return nil, w
			case d == 0 && least > 0:
				return nil, &wrong{message: "is no time at all", fix: "write a duration above 0, such as 10s"}
			case d < least:
				return nil, &wrong{message: "is too short", fix: "write " + formatDuration(least) + " or more"}
			}
			return d, nil
		},
	}
}

type unit struct {
	name string
	size int64
}

// durationUnits are tried in this order: the longer name first.
func durationUnits() []unit {
	const day = 24 * time.Hour
	return []unit{
		{"us", int64(time.Microsecond)},
		{"µs", int64(time.Microsecond)},
		{"ms", int64(time.Millisecond)},
		{"s", int64(time.Second)},
		{"m", int64(time.Minute)},
		{"h", int64(time.Hour)},
		{"d", int64(day)},
		{"w", int64(7 * day)},
	}
}

func parseDuration(s string) (time.Duration, *wrong) {
	if s == "0" {
		return 0, nil
	}
	bad := &wrong{message: "is not a duration", fix: "write a number and a unit: 500ms, 30s, 2m, 1h30m or 30d"}
	if strings.HasPrefix(s, "-") {
		return 0, &wrong{message: "is negative", fix: "write a duration of 0 or more"}
	}
	total, rest := 0.0, s
	for rest != "" {
		number, after := leadingNumber(rest)
		if number == "" {
			return 0, bad
		}
		if after == "" {
			return 0, &wrong{message: "has no unit", fix: "write " + s + "s for seconds; the units are us, ms, s, m, h, d and w"}
		}
		n, err := strconv.ParseFloat(number, 64)
		size, left := leadingUnit(after, durationUnits())
		if err != nil || size == 0 {
			return 0, bad
		}
		total += n * float64(size)
		rest = left
	}
	if rest == s {
		return 0, bad
	}
	if total > float64(maxDuration) {
		return 0, &wrong{message: "is longer than 100 years", fix: "write a shorter duration"}
	}
	return time.Duration(math.Round(total)), nil
}

// leadingNumber cuts digits, with one point between them, off s.
func leadingNumber(s string) (number, rest string) {
	i := 0
	for i < len(s) && ('0' <= s[i] && s[i] <= '9' || s[i] == '.' && i > 0) {
		i++
	}
	if i > 20 || strings.HasSuffix(s[:i], ".") || strings.Count(s[:i], ".") > 1 {
		return "", s
	}
	return s[:i], s[i:]
}

// leadingUnit cuts a unit off s: one that ends where a number begins, or at the end.
func leadingUnit(s string, units []unit) (size int64, rest string) {
	for _, u := range units {
		after, ok := strings.CutPrefix(s, u.name)
		if ok && (after == "" || '0' <= after[0] && after[0] <= '9') {
			return u.size, after
		}
	}
	return 0, s
}

// formatDuration is d in the form of the file.
func formatDuration(d time.Duration) string {
	units := durationUnits()
	for i := len(units) - 2; i > 1; i-- { // d first; w would surprise
		if size := time.Duration(units[i].size); d >= size && d%size == 0 {
			return strconv.FormatInt(int64(d/size), 10) + units[i].name
		}
	}
	if d == 0 {
		return "0s"
	}
	return d.String()
}

// size is a number of bytes.
func size(least int64, most int64) scalar {
	return scalar{
		noun: "a size such as 64KiB, 10MiB, 1GB or plain bytes", name: "size", kinds: []nodeKind{stringNode, numberNode},
		schema: map[string]any{"anyOf": []any{
			map[string]any{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)? ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$`},
			map[string]any{"type": "integer", "minimum": least},
		}},
		parse: func(s string) (any, *wrong) {
			n, w := parseSize(s)
			switch {
			case w != nil:
				return nil, w
			case n < least:
				return nil, &wrong{message: "is too small", fix: "write " + formatSize(least) + " or more"}
			case n > most:
				return nil, &wrong{message: "is too large", fix: "write " + formatSize(most) + " or less"}
			}
			return n, nil
		},
	}
}

func sizeUnits() []unit {
	return []unit{
		{"B", 1},
		{"kB", 1e3},
		{"KB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"TB", 1e12},
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"TiB", 1 << 40},
	}
}

func parseSize(s string) (int64, *wrong) {
	bad := &wrong{message: "is not a size", fix: "write bytes, or a number and a unit: 64KiB, 10MiB, 1GB"}
	if strings.HasPrefix(s, "-") {
		return 0, &wrong{message: "is negative", fix: "write a size of 0 or more"}
	}
	number, rest := leadingNumber(s)
	n, err := strconv.ParseFloat(number, 64)
	if number == "" || err != nil {
		return 0, bad
	}
	if name := strings.TrimPrefix(rest, " "); name != "" {
		factor, w := sizeUnit(name, number)
		if w != nil {
			return 0, w
		}
		n *= float64(factor)
	}
	if n != math.Trunc(n) || n > math.MaxInt64/2 {
		return 0, bad
	}
	return int64(n), nil
}

// sizeUnit returns the bytes of one unit; number is what stands before it in the file.
func sizeUnit(name, number string) (int64, *wrong) {
	for _, u := range sizeUnits() {
		switch {
		case name == u.name:
			return u.size, nil
		case len(name) > 1 && strings.EqualFold(name, u.name):
			return 0, &wrong{message: "has its unit in other letters", fix: "write " + number + u.name}
		case strings.EqualFold(name+"B", u.name) || strings.EqualFold(name+"iB", u.name):
			p := strings.ToUpper(name[:1])
			return 0, &wrong{message: "may mean thousands or 1024s", fix: "write " + number + p + "iB or " + number + p + "B"}
		}
	}
	return 0, &wrong{message: "is not a size", fix: "write bytes, or a number and a unit: 64KiB, 10MiB, 1GB"}
}

// formatSize is n bytes in the form of the file.
func formatSize(n int64) string {
	units := sizeUnits()
	for i := len(units) - 1; i >= 6; i-- {
		if n >= units[i].size && n%units[i].size == 0 {
			return strconv.FormatInt(n/units[i].size, 10) + units[i].name
		}
	}
	return strconv.FormatInt(n, 10)
}

// percentage is a share from 0% to 100%, kept as 0 to 1.
func percentage() scalar {
	return scalar{
		noun: "a percentage such as 20%", name: "percentage", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?%$`},
		parse: func(s string) (any, *wrong) {
			number, rest := leadingNumber(s)
			n, err := strconv.ParseFloat(number, 64)
			switch {
			case number != "" && rest == "" && n > 0 && n < 1:
				return nil, &wrong{message: "has no percent sign", fix: fmt.Sprintf("write %s%%, or %s%% for that small a share", strconv.FormatFloat(n*100, 'g', 6, 64), number)}
			case number != "" && rest == "":
				return nil, &wrong{message: "has no percent sign", fix: "write " + number + "%"}
			case err != nil || rest != "%":
				return nil, &wrong{message: "is not a percentage", fix: "write a number and %, such as 20%"}
			case n > 100:
				return nil, outOfRange("0%", "100%")
			}
			return n / 100, nil
		},
	}
}

// someShare is a percentage above 0%.
func someShare() scalar {
	s := percentage()
	parse := s.parse
	s.schema = map[string]any{"type": "string", "pattern": `^(0*[1-9][0-9]*(\.[0-9]+)?|0+\.0*[1-9][0-9]*)%$`}
	s.parse = func(text string) (any, *wrong) {
		v, w := parse(text)
		if w == nil && v == 0.0 {
			return nil, &wrong{message: "is no share at all", fix: "write a percentage above 0%, such as 50%"}
		}
		return v, w
	}
	return s
}
