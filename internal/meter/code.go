package meter

import "strconv"

// statusCodes are the statuses that have a label value of their own: those registered with IANA
// (HTTP Status Code Registry) and nginx's 499. Another status is counted under its class, so that
// an upstream cannot invent series.
var statusCodes = [...]int{
	100, 101, 102, 103,
	200, 201, 202, 203, 204, 205, 206, 207, 208, 226,
	300, 301, 302, 303, 304, 305, 307, 308,
	400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421,
	422, 423, 424, 425, 426, 428, 429, 431, 451, 499,
	500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
}

const (
	codeNone    = 0 // the caller left before any answer
	codeOther   = 6 // 1 to 5 are the classes
	codeFirst   = 7
	codeSlots   = codeFirst + len(statusCodes)
	codeStride  = (codeSlots + 7) / 8 * 8 // counters per shard: whole cache lines
	maxCode     = 599
	minimumCode = 100
)

// codeSlot maps a status to its counter; codeNames is the label value of each counter.
var (
	codeSlot  = makeCodeSlots()
	codeNames = makeCodeNames()
)

func makeCodeSlots() (slots [maxCode + 1]uint8) {
	for code := minimumCode; code <= maxCode; code++ {
		slots[code] = uint8(code / 100)
	}
	for i, code := range statusCodes {
		slots[code] = uint8(codeFirst + i)
	}
	return slots
}

func makeCodeNames() (names [codeSlots]string) {
	names[codeNone] = "none"
	for class := 1; class <= 5; class++ {
		names[class] = strconv.Itoa(class) + "xx"
	}
	names[codeOther] = Other
	for i, code := range statusCodes {
		names[codeFirst+i] = strconv.Itoa(code)
	}
	return names
}

func slotOf(status int) int {
	switch {
	case status == 0:
		return codeNone
	case status < minimumCode || status > maxCode:
		return codeOther
	}
	return int(codeSlot[status])
}
