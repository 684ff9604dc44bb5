package fault

import (
	"strconv"
	"strings"
)

// Size writes a number of bytes as a person reads it: "812 B", "6.2 MiB", "41 GiB". Below ten of a unit it has one
// decimal, unless that is 0.
func Size(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n)/(1<<10), units[0]
	for _, next := range units[1:] {
		if v < 1023.5 { // what would be written as 1024 is 1 of the next
			break
		}
		v, unit = v/(1<<10), next
	}
	if v >= 9.95 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + unit
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") + " " + unit
}
