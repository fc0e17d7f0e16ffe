package measure

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Spread is what several repetitions of one figure came to.
type Spread struct {
	Median, Low, High float64
	N                 int // repetitions; with none, the others are NaN
}

// Over returns the spread of the values: their median, the lower of the two
// middle ones where their number is even, their least and their greatest.
func Over(values []float64) Spread {
	if len(values) == 0 {
		return Spread{math.NaN(), math.NaN(), math.NaN(), 0}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{v[(len(v)-1)/2], v[0], v[len(v)-1], len(v)}
}

// Ratio returns the spread of a[i]/b[i]: each repetition of the one subject is
// divided by the same repetition of the other, which ran within seconds of it,
// so that what the machine did meanwhile cancels out. Repetitions that one of
// them lacks are left out.
func Ratio(a, b []float64) Spread {
	var r []float64
	for i := range min(len(a), len(b)) {
		r = append(r, a[i]/b[i])
	}
	return Over(r)
}

// Quantile returns the q-quantile of the durations, 0 of none. It sorts them.
func Quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

// String prints the median and, for several repetitions, least and greatest.
func (s Spread) String() string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return Digits(s.Median)
	}
	return fmt.Sprintf("%s [%s–%s]", Digits(s.Median), Digits(s.Low), Digits(s.High))
}

// Digits prints three significant digits, without an exponent.
func Digits(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 0):
		return "∞"
	case v == 0:
		return "0"
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
