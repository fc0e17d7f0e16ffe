package measure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	if s := Over([]float64{5, 1, 9}); s != (Spread{5, 1, 9, 3}) {
		t.Errorf("%+v", s)
	}
	if s := Over([]float64{4, 1, 9, 5}); s.Median != 4 {
		t.Errorf("an even number: %+v", s)
	}
	if s := Over(nil); s.N != 0 || s.String() != "–" || !math.IsNaN(s.Median) {
		t.Errorf("none: %+v", s)
	}
	// The machine doubled in speed between the repetitions; the ratio does not see it.
	if s := Ratio([]float64{10, 20, 40}, []float64{20, 40, 80, 7}); s != (Spread{0.5, 0.5, 0.5, 3}) {
		t.Errorf("ratio %+v", s)
	}
}

func TestQuantile(t *testing.T) {
	var d []time.Duration
	for i := 99; i >= 0; i-- {
		d = append(d, time.Duration(i))
	}
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 50, 0.99: 99, 1: 99} {
		if got := Quantile(d, q); got != want {
			t.Errorf("%v: %d, want %d", q, got, want)
		}
	}
	if Quantile(nil, 0.5) != 0 {
		t.Error("of none")
	}
}

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.01234: "0.0123", 1.234: "1.23", 99.96: "100.0", 123.4: "123", 12345: "12345", math.Inf(1): "∞"} {
		if got := Digits(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func TestTarget(t *testing.T) {
	one := Spread{1, 0.5, 2, 3}
	for _, c := range []struct {
		target Target
		word   string
	}{
		{Target{Got: one, Bound: 1}, "met"},
		{Target{Got: one, Bound: 0.9}, "NOT MET"},
		{Target{Got: one, Bound: 1.1, AtLeast: true}, "NOT MET"},
		{Target{Got: one, Bound: 1, AtLeast: true}, "met"},
		{Target{Got: Over(nil), Bound: 1}, "not measured"},
		{Target{Got: Over([]float64{math.Inf(1)}), Bound: 1}, "NOT MET"},
	} {
		if row := c.target.Row(); row[3] != c.word {
			t.Errorf("%+v: %v, want %s", c.target, row, c.word)
		}
	}
}

func sample() *Table {
	t := &Table{}
	for i := range 2 {
		for _, lock := range []string{"a", "b"} {
			v := float64(1000 * (i + 1))
			t.Add(Key{"Pair", "nodes=5", lock, "p50-ns"}, v)
			t.Add(Key{"Pair", "nodes=5", lock, "pairs/s"}, v*2)
		}
		t.Add(Key{"CPU", "", "a", "most/least"}, math.Inf(1))
		t.Add(Key{"CPU", "", "a", "n"}, 7)
	}
	return t
}

func TestWriteBench(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteBench(&b); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"BenchmarkPair/nodes=5/lock=a\t1\t1000 p50-ns\t2000 pairs/s",
		"BenchmarkPair/nodes=5/lock=a\t1\t2000 p50-ns\t4000 pairs/s",
		"BenchmarkPair/nodes=5/lock=b\t1\t1000 p50-ns\t2000 pairs/s",
		"BenchmarkPair/nodes=5/lock=b\t1\t2000 p50-ns\t4000 pairs/s",
		"BenchmarkCPU/lock=a\t1\t7 n",
		"BenchmarkCPU/lock=a\t1\t7 n",
		"",
	}, "\n")
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestWriteText(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### Pair, nodes=5", "| p50, µs ", "| a   | 1.00 [1.00–2.00] |", "| ∞ [∞–∞]"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// TestChart: the drawing is well-formed, the same each time, and longer bars
// stand for greater figures, on both kinds of axis.
func TestChart(t *testing.T) {
	for _, log := range []bool{false, true} {
		c := Chart{Title: "a < b", Unit: "µs", Log: log, Bars: []Bar{
			{"g", "small", Over([]float64{3, 4, 5}), true}, {"g", "large", Over([]float64{300, 400, 500}), false}, {"h", "none", Over(nil), false},
			{"h", "endless", Over([]float64{math.Inf(1)}), false},
		}}
		var one, two bytes.Buffer
		if err := errors.Join(c.WriteSVG(&one), c.WriteSVG(&two)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Error("two drawings of one chart differ")
		}
		for d := xml.NewDecoder(&one); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		a := c.axis()
		if !(a.x(3) < a.x(4) && a.x(4) < a.x(400) && a.x(400) < a.x(500)) || a.x(500) > chartWidth-textWidth || a.x(0) != nameWidth {
			t.Errorf("log %v: the axis is not in order", log)
		}
		if n := len(a.ticks()); n < 3 || n > 8 {
			t.Errorf("log %v: %d ticks %v", log, n, a.ticks())
		}
	}
}
