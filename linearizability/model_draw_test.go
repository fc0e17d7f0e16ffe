package linearizability

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVisualizeModel draws what every model convicts, and nothing else.
func TestVisualizeModel(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.mixed.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories: %v", err)
	}
	for _, file := range files {
		model, _, _ := strings.Cut(filepath.Base(file), ".")
		model = strings.Replace(model, "semaphore-", "semaphore:", 1)
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		events, err := NewReader(f, ReaderOptions{}).ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewChecker(model, CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			c.Add(&events[i])
		}
		v := c.Verdict(t.Context())
		dir := t.TempDir()
		names, err := c.Visualize(t.Context(), v, dir)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		convicted := strings.Contains(file, "/illegal/")
		if convicted != (len(names) > 0) {
			t.Errorf("%s: drawings %v", file, names)
		}
		for _, name := range names {
			page, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !strings.Contains(string(page), "acquires") {
				t.Errorf("%s: %s shows no acquire: %v", file, name, err)
			}
		}
	}
}

// TestAround keeps the steps that touch the counterexample's lines.
func TestAround(t *testing.T) {
	windows := make([]window, maxDrawn+1)
	for i := range windows {
		windows[i].from, windows[i].to = int64(4*i), int64(4*i+2)
	}
	near := around(windows, &Counterexample{Indices: []int{20, 22}})
	if len(near) != 2 || near[0].from != 40 || near[1].from != 44 {
		t.Errorf("kept %v", near)
	}
	if got := around(windows[:maxDrawn], &Counterexample{Indices: []int{20}}); len(got) != maxDrawn {
		t.Errorf("cut %d steps down to %d", maxDrawn, len(got))
	}
}
