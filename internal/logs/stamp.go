package logs

import "time"

// calendar turns the times written in lines into Unix nanoseconds. Its zone is for times that are
// written without one; now decides the year of those that lack it.
type calendar struct {
	zone *time.Location
	now  time.Time
	// The minute that was asked last, since neighbours in a log mostly share it and a zone's rules
	// are slow to ask.
	minute, base int64
	known        bool
}

const second = int64(time.Second)

// digits reads n decimal digits at b[i:]; -1 when they are none.
func digits(b []byte, i, n int) int {
	if i+n > len(b) {
		return -1
	}
	v := 0
	for _, c := range b[i : i+n] {
		if c < '0' || c > '9' {
			return -1
		}
		v = v*10 + int(c-'0')
	}
	return v
}

// unix is the second of a date on the proleptic Gregorian calendar in UTC (days from civil, with
// March as the first month so that leap days end a year).
func unix(y, mo, d, h, mi, s int) int64 {
	if mo <= 2 {
		y--
		mo += 12
	}
	days := 365*y + y/4 - y/100 + y/400 + (153*(mo-3)+2)/5 + d - 1 - 719468
	return int64(days)*86400 + int64(h*3600+mi*60+s)
}

// local is unix for a date written without a zone.
func (c *calendar) local(y, mo, d, h, mi, s int) int64 {
	minute := unix(y, mo, d, h, mi, 0)
	if !c.known || c.minute != minute {
		c.minute, c.known = minute, true
		c.base = time.Date(y, time.Month(mo), d, h, mi, 0, 0, c.zone).Unix()
	}
	return c.base + int64(s)
}

func valid(y, mo, d, h, mi, s int) bool {
	return y >= 1970 && y < 2200 && mo >= 1 && mo <= 12 && d >= 1 && d <= 31 && h >= 0 && h < 24 && mi >= 0 && mi < 60 && s >= 0 && s <= 60
}

// month reads an English month's abbreviation; 0 when it is none.
func month(b []byte, i int) int {
	if i+3 > len(b) {
		return 0
	}
	switch string(b[i : i+3]) {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// fraction reads ".123" or ",123" at b[i:]: nanoseconds and the place behind it.
func fraction(b []byte, i int) (ns int64, end int) {
	if i >= len(b) || b[i] != '.' && b[i] != ',' {
		return 0, i
	}
	unit := second / 10
	for i++; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		ns += int64(b[i]-'0') * unit
		unit /= 10
	}
	return ns, i
}

// offset reads "Z", "+02:00", "+0200" or " +0200" at b[i:]: seconds east and the place behind it.
func offset(b []byte, i int) (east int, end int, ok bool) {
	j := i
	if j < len(b) && b[j] == ' ' {
		j++
	}
	if j >= len(b) {
		return 0, i, false
	}
	if b[j] == 'Z' && j == i {
		return 0, j + 1, true
	}
	if b[j] != '+' && b[j] != '-' {
		return 0, i, false
	}
	h := digits(b, j+1, 2)
	k := j + 3
	if k < len(b) && b[k] == ':' {
		k++
	}
	m := digits(b, k, 2)
	if h < 0 || m < 0 || h > 15 {
		return 0, i, false
	}
	east = h*3600 + m*60
	if b[j] == '-' {
		east = -east
	}
	return east, k + 2, true
}

// finish makes the time of a date that is followed by its fraction and, perhaps, its zone.
func (c *calendar) finish(b []byte, i, y, mo, d, h, mi, s int) (t int64, end int, zoned, ok bool) {
	if !valid(y, mo, d, h, mi, s) {
		return 0, 0, false, false
	}
	ns, i := fraction(b, i)
	if east, end, ok := offset(b, i); ok {
		return (unix(y, mo, d, h, mi, s)-int64(east))*second + ns, end, true, true
	}
	return c.local(y, mo, d, h, mi, s)*second + ns, i, false, true
}

// clf reads 23/Nov/2026:09:30:01 +0000, with or without fraction and zone.
func (c *calendar) clf(b []byte) (t int64, end int, zoned, ok bool) {
	if len(b) < 20 || b[2] != '/' || b[6] != '/' || b[11] != ':' && b[11] != ' ' || b[14] != ':' || b[17] != ':' {
		return 0, 0, false, false
	}
	return c.finish(b, 20, digits(b, 7, 4), month(b, 3), digits(b, 0, 2), digits(b, 12, 2), digits(b, 15, 2), digits(b, 18, 2))
}

// iso reads 2026-11-23T09:30:01.123Z in its usual variants, and nginx's 2026/11/23 09:30:01.
func (c *calendar) iso(b []byte) (t int64, end int, zoned, ok bool) {
	if len(b) < 19 || b[4] != b[7] || b[4] != '-' && b[4] != '/' || b[10] != 'T' && b[10] != ' ' && b[10] != '\t' || b[13] != ':' || b[16] != ':' {
		return 0, 0, false, false
	}
	return c.finish(b, 19, digits(b, 0, 4), digits(b, 5, 2), digits(b, 8, 2), digits(b, 11, 2), digits(b, 14, 2), digits(b, 17, 2))
}

// day reads a day of the month that may be padded with a space.
func day(b []byte, i int) int {
	if i+2 > len(b) {
		return -1
	}
	if b[i] == ' ' {
		return digits(b, i+1, 1)
	}
	return digits(b, i, 2)
}

// ctime reads Mon Nov 23 09:30:01.123456 2026, as Apache's error log and dmesg -T write it.
func (c *calendar) ctime(b []byte) (t int64, end int, ok bool) {
	if len(b) < 24 || b[3] != ' ' || b[7] != ' ' || b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return 0, 0, false
	}
	ns, i := fraction(b, 19)
	if i+5 > len(b) || b[i] != ' ' {
		return 0, 0, false
	}
	y, mo, d, h, mi, s := digits(b, i+1, 4), month(b, 4), day(b, 8), digits(b, 11, 2), digits(b, 14, 2), digits(b, 17, 2)
	if !valid(y, mo, d, h, mi, s) {
		return 0, 0, false
	}
	return c.local(y, mo, d, h, mi, s)*second + ns, i + 5, true
}

// syslog reads Nov 23 09:30:01, whose year is the one that puts it at most a day into the future.
func (c *calendar) syslog(b []byte) (t int64, end int, ok bool) {
	if len(b) < 15 || b[3] != ' ' || b[6] != ' ' || b[9] != ':' || b[12] != ':' {
		return 0, 0, false
	}
	y, mo, d, h, mi, s := c.now.Year(), month(b, 0), day(b, 4), digits(b, 7, 2), digits(b, 10, 2), digits(b, 13, 2)
	if !valid(y, mo, d, h, mi, s) {
		return 0, 0, false
	}
	ns, end := fraction(b, 15)
	t = c.local(y, mo, d, h, mi, s)
	if t > c.now.Unix()+86400 {
		t = c.local(y-1, mo, d, h, mi, s)
	}
	return t*second + ns, end, true
}
