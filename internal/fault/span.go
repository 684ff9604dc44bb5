package fault

import (
	"strconv"
	"time"
)

// Span writes a duration as a person reads it, with its unit: "0.2 ms", "350 ms", "2.0 s",
// "3 min 12 s", "2 h 5 min", "4 d 3 h". A negative one is "0 ms".
func Span(d time.Duration) string {
	switch {
	case d <= 0:
		return "0 ms"
	case d < time.Millisecond:
		return decimals(millis(d), 100, 2) + " ms"
	case d < 10*time.Millisecond:
		return decimals(millis(d), 10, 1) + " ms"
	case d < 999500*time.Microsecond:
		return strconv.FormatInt(int64(d.Round(time.Millisecond)/time.Millisecond), 10) + " ms"
	case d < 59950*time.Millisecond:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour-500*time.Millisecond:
		return two(d.Round(time.Second), time.Minute, " min", time.Second, " s")
	case d < 24*time.Hour-30*time.Second:
		return two(d.Round(time.Minute), time.Hour, " h", time.Minute, " min")
	default:
		return two(d.Round(time.Hour), 24*time.Hour, " d", time.Hour, " h")
	}
}

// decimals drops the zeros that say nothing: 0.2, not 0.20.
func decimals(f, scale float64, digits int) string {
	r := float64(int64(f*scale+0.5)) / scale
	if r == 0 {
		r = 1 / scale // it did take time
	}
	s := strconv.FormatFloat(r, 'f', digits, 64)
	for len(s) > 3 && s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	return s
}

func two(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	s := strconv.FormatInt(int64(d/big), 10) + bigName
	if rest := d % big / small; rest != 0 {
		s += " " + strconv.FormatInt(int64(rest), 10) + smallName
	}
	return s
}
