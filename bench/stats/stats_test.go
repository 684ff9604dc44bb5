package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreWithinOnePercentOfTheSortedValues(t *testing.T) {
	var h Histogram
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]time.Duration, 50_000)
	for i := range values {
		values[i] = time.Duration(math.Exp(random.Float64()*20) * 10)
		h.Add(values[i])
	}
	slices.Sort(values)
	for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
		want := values[max(int(math.Ceil(q*float64(len(values)))), 1)-1]
		if got := h.Quantile(q); math.Abs(float64(got-want)) > 0.01*float64(want) {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if h.Max() != values[len(values)-1] || h.Count() != uint64(len(values)) {
		t.Errorf("max %v of %d values, want %v of %d", h.Max(), h.Count(), values[len(values)-1], len(values))
	}
}

func TestSmallDurationsAreExact(t *testing.T) {
	for v := range uint64(2 * subBuckets) {
		if got := middle(bucket(v)); got != v {
			t.Fatalf("%d is kept as %d", v, got)
		}
	}
}

func TestTheLongestDurationHasABucket(t *testing.T) {
	var h Histogram
	h.Add(math.MaxInt64)
	h.Add(-1)
	if got := h.Quantile(1); got < math.MaxInt64/100*99 {
		t.Errorf("the longest duration is kept as %v", got)
	}
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("a negative duration is kept as %v", got)
	}
}

func TestMedianInterval(t *testing.T) {
	for _, test := range []struct {
		name                    string
		n                       int
		low, median, high, conf float64
	}{
		{"one value promises nothing", 1, 0, 0, 0, 0},
		{"three values: the extremes", 3, 0, 1, 2, 0.75},
		{"six values: the extremes suffice", 6, 0, 2.5, 5, 0.96875},
		{"nine values: the second and the eighth", 9, 1, 4, 7, 0.9609375},
		{"fifteen values: the fourth and the twelfth", 15, 3, 7, 11, 0.96484375},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := make([]float64, test.n)
			for i := range values {
				values[i] = float64(i)
			}
			rand.Shuffle(test.n, func(i, j int) { values[i], values[j] = values[j], values[i] })
			got := MedianInterval(values)
			want := Estimate{Median: test.median, Low: test.low, High: test.high, Confidence: test.conf, N: test.n}
			if math.Abs(got.Confidence-want.Confidence) > 1e-9 {
				t.Errorf("confidence %v, want %v", got.Confidence, want.Confidence)
			}
			got.Confidence = want.Confidence
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	if got := MedianInterval(nil); got != (Estimate{}) {
		t.Errorf("no values give %+v", got)
	}
}
