package linearizability

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Bounds of a drawing: more steps than that nobody reads, and porcupine may not
// look for a legal order for longer.
const (
	maxDrawn  = 1000
	drawLimit = 5 * time.Second
)

// Visualize writes porcupine's drawing of each key that v convicts to
// DIR/porcupine-KEY.html, as Opinion.Visualize does, and returns the files'
// names. v must be what Verdict returned. Of a key with many operations the
// drawing shows those around the counterexample.
func (c *Checker) Visualize(ctx context.Context, v *ModelVerdict, dir string) ([]string, error) {
	names := []string{}
	var all [][]window
	for _, k := range v.Keys {
		if k.Outcome != Invalid {
			continue
		}
		if all == nil {
			all = c.r.windows(v.HoldsEnd == HoldsEndWithClaims)
		}
		d := c.draw(ctx, k, around(all[slices.Index(c.r.keys.list, k.Key)], k.Counterexample))
		name := "porcupine-" + fileName(k.Key) + ".html"
		if err := d.write(filepath.Join(dir, name)); err != nil {
			return names, fmt.Errorf("linearizability: drawing %q: %w", k.Key, err)
		}
		names = append(names, name)
	}
	return names, nil
}

// around returns the steps that a drawing has room for.
func around(windows []window, c *Counterexample) []window {
	if len(windows) <= maxDrawn || c == nil || len(c.Indices) == 0 {
		return windows
	}
	from, to := 2*int64(c.Indices[0])-1, 2*int64(c.Indices[len(c.Indices)-1])+1
	var near []window
	for _, w := range windows {
		if w.from <= to && w.to >= from && len(near) < maxDrawn {
			near = append(near, w)
		}
	}
	return near
}

// draw has porcupine judge the steps and keeps what it found.
func (c *Checker) draw(ctx context.Context, k KeyVerdict, windows []window) *drawing {
	maybe := slices.ContainsFunc(windows, func(w window) bool { return w.maybe })
	model := porcupineModel(c.m, maybe)
	model.DescribeOperation = func(input, _ any) string { return c.describe(input.(*window)) }
	ops := make([]porcupine.Operation, len(windows))
	for i := range windows {
		w := &windows[i]
		ops[i] = porcupine.Operation{ClientId: int(w.client), Input: w, Call: w.from, Return: w.to}
	}
	b := newBudget(ctx, len(ops))
	b.left = int64(c.opts.Memory)
	model = b.watch(model)
	_, info := porcupine.CheckOperationsVerbose(model, ops, drawLimit)
	return &drawing{key: k.Key, model: model, info: info}
}

// describe says what a step does, in characters that HTML takes for text.
func (c *Checker) describe(w *window) string {
	verb := "gives back"
	if w.do == take {
		verb = "acquires"
	}
	text := plain(c.r.clients.list[w.client-1]) + " " + verb
	if w.reader {
		text += " as a reader"
	}
	if w.permits > 1 {
		text += fmt.Sprintf(" %d permits", w.permits)
	}
	if w.token != 0 {
		text += " with token " + w.token.String()
	}
	if w.maybe {
		text += ", perhaps"
	}
	return text
}
