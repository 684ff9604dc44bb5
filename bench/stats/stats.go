// Package stats holds the few statistics that the benchmark reports: a histogram of durations, the
// median, and the median's confidence interval from order statistics.
package stats

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

const (
	subBits    = 7
	subBuckets = 1 << subBits
)

// Histogram counts durations with a relative error below 1 %. The zero value is empty; it may not
// be used by two goroutines at once.
type Histogram struct {
	counts [(64 - subBits) * subBuckets]uint64
	total  uint64
	max    time.Duration
}

// Add counts one duration; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// Reset forgets everything.
func (h *Histogram) Reset() { *h = Histogram{} }

// Count is the number of durations added.
func (h *Histogram) Count() uint64 { return h.total }

// Max is the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the duration that the share q (0 to 1) of all did not exceed; 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(uint64(math.Ceil(q*float64(h.total))), 1)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(time.Duration(middle(i)), h.max)
		}
	}
	return h.max
}

// bucket keeps the leading subBits+1 bits of v: exact below subBuckets, logarithmic above.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

func middle(i int) uint64 {
	if i < 2*subBuckets {
		return uint64(i)
	}
	shift := i>>subBits - 1
	return uint64(i-shift<<subBits)<<shift + 1<<shift/2
}

// Estimate is a median and the interval that holds the true one with at least Confidence.
type Estimate struct {
	Median     float64 `json:"median"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Confidence float64 `json:"confidence"`
	N          int     `json:"n"`
}

// MedianInterval is the median of the values with the narrowest symmetric pair of order statistics
// that covers the true median with a probability of at least 95 %, whatever the distribution. Below
// six values there is no such pair: then it is smallest and largest, and Confidence says how little
// that promises. No values give the zero Estimate.
func MedianInterval(values []float64) Estimate {
	n := len(values)
	if n == 0 {
		return Estimate{}
	}
	sorted := slices.Sorted(slices.Values(values))
	rank, confidence := 0, 1-math.Pow(2, 1-float64(n))
	below := math.Pow(2, -float64(n)) // P(at most rank of n values lie below the median)
	for k, term := 1, below; k <= (n-1)/2; k++ {
		term *= float64(n-k+1) / float64(k)
		below += term
		if 1-2*below < 0.95 {
			break
		}
		rank, confidence = k, 1-2*below
	}
	return Estimate{Median: median(sorted), Low: sorted[rank], High: sorted[n-1-rank], Confidence: confidence, N: n}
}

// Median is the middle of the values, NaN when there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return median(slices.Sorted(slices.Values(values)))
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
