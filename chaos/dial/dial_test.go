package dial_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/quorumlock/quorumlock/chaos/dial"
)

func measure(t *testing.T, sweep, arm string, settings ...float64) []dial.Point {
	t.Helper()
	s, a, err := dial.Find(sweep, arm)
	if err != nil {
		t.Fatal(err)
	}
	s.Settings = settings
	c, err := dial.Measure(context.Background(), s, a, 5)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s/%s: %+v", sweep, arm, c.Points)
	for _, p := range c.Points {
		if p.Runs != 5 {
			t.Errorf("%s/%s at %v: %d runs, want 5", sweep, arm, p.Setting, p.Runs)
		}
		if p.Order > 0 || p.Fenced > 0 {
			t.Errorf("%s/%s at %v: the lock as it is lost its token order %d times and the fenced resource %d times", sweep, arm, p.Setting, p.Order, p.Fenced)
		}
	}
	return c.Points
}

// Each defence holds up to what it is made for, and not beyond: both sides of
// every onset are looked at.
func TestOnsets(t *testing.T) {
	type side struct{ exclusion, unfenced bool } // in all runs, or in none
	for _, c := range []struct {
		sweep, arm    string
		below, above  float64
		before, after side
	}{
		{"drift", "none", 0, 2, side{}, side{true, false}},
		{"drift", "customary", 0, 3, side{}, side{true, false}},
		{"drift", "default", 15, 19, side{}, side{true, false}},
		{"pause", "holder", 0.6, 1.3, side{}, side{false, true}},
		{"jump", "two", 0.1, 0.3, side{}, side{true, true}},
		{"jump", "bare", 0.1, 0.3, side{}, side{true, true}},
		{"jump", "one", 0.5, 1.2, side{}, side{}},
		{"restart", "default", 0, 0.5, side{}, side{}},
	} {
		points := measure(t, c.sweep, c.arm, c.below, c.above)
		for i, want := range []side{c.before, c.after} {
			p := points[i]
			if p.Exclusion != map[bool]int{true: p.Runs}[want.exclusion] {
				t.Errorf("%s/%s at %v: exclusion fell in %d of %d runs", c.sweep, c.arm, p.Setting, p.Exclusion, p.Runs)
			}
			if c.sweep != "drift" && p.Unfenced != map[bool]int{true: p.Runs}[want.unfenced] {
				t.Errorf("%s/%s at %v: the unfenced resource fell in %d of %d runs", c.sweep, c.arm, p.Setting, p.Unfenced, p.Runs)
			}
		}
	}
}

func TestMeasureIsDeterministic(t *testing.T) {
	if a, b := measure(t, "drift", "customary", 1, 2, 3), measure(t, "drift", "customary", 1, 2, 3); !reflect.DeepEqual(a, b) {
		t.Errorf("%v and then %v", a, b)
	}
}

func TestUnknownNames(t *testing.T) {
	for _, c := range [][2]string{{"nonsense", "default"}, {"drift", "nonsense"}} {
		_, _, err := dial.Find(c[0], c[1])
		var u *dial.UnknownError
		if !errors.As(err, &u) || u.Value != "nonsense" || !strings.Contains(err.Error(), "nonsense") {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestMeasureStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, a, err := dial.Find("drift", "none")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial.Measure(ctx, s, a, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

func points(falls ...int) []dial.Point {
	var list []dial.Point
	for i, n := range falls {
		list = append(list, dial.Point{Setting: float64(i), Runs: 4, Exclusion: n})
	}
	return list
}

func TestTableAndPicture(t *testing.T) {
	curves := []dial.Curve{
		{Sweep: "drift", Arm: "none", Points: points(0, 0, 0, 0)},
		{Sweep: "drift", Arm: "customary", Points: points(0, 1, 4, 4)},
		{Sweep: "drift", Arm: "default", Points: points(4, 2, 0, 0)},
		{Sweep: "pause", Arm: "holder", Points: points(0, 0, 1, 2)},
	}
	var table, picture, again bytes.Buffer
	if err := errors.Join(dial.WriteTable(&table, curves), dial.Draw(&picture, curves), dial.Draw(&again, curves)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"never", "from 1, in all from 2", "from 0 to 1", "from 2, never in all runs"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	if strings.Contains(table.String(), "leap") {
		t.Error("the table shows what was not measured")
	}
	if !bytes.Equal(picture.Bytes(), again.Bytes()) {
		t.Error("two pictures of the same differ")
	}
	if n := strings.Count(picture.String(), "fell in 4 of 4 runs"); n != 3 {
		t.Errorf("%d cells say that all runs fell, want 3", n)
	}
	dec := xml.NewDecoder(&picture)
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Every sweep has settings that ascend, and arms with names of their own.
func TestSweeps(t *testing.T) {
	for _, s := range dial.Sweeps() {
		if !slices.IsSorted(s.Settings) || len(s.Settings) < 2 {
			t.Errorf("%s: settings %v", s.Name, s.Settings)
		}
		for _, a := range s.Arms {
			if _, found, err := dial.Find(s.Name, a.Name); err != nil || found.Title != a.Title {
				t.Errorf("%s/%s: found %q, %v", s.Name, a.Name, found.Title, err)
			}
		}
	}
}
