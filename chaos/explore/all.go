package explore

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Version is that of a Report's form.
const Version = 1

// Report is what came of exploring some scopes, as it is written in JSON.
type Report struct {
	Version int       `json:"version"`
	Scopes  []*Result `json:"scopes"`
}

// UnknownScopeError names a scope that there is not.
type UnknownScopeError struct{ Name string }

// Error names it and what there is.
func (e *UnknownScopeError) Error() string {
	names := []string{"all", "ci"}
	for _, s := range Scopes() {
		names = append(names, s.Name)
	}
	return fmt.Sprintf("explore: no scope %q; there are %q", e.Name, names)
}

// Choose returns the scopes of a name: one, "all" (which leaves out those that
// are Directed), or "ci", the ones that take a minute together.
func Choose(name string) ([]*Scope, error) {
	var chosen []*Scope
	for _, s := range Scopes() {
		if s.Name == name || name == "all" && !s.Directed || name == "ci" && s.CI {
			chosen = append(chosen, &s)
		}
	}
	if len(chosen) == 0 {
		return nil, &UnknownScopeError{name}
	}
	return chosen, nil
}

// All explores scopes, o.Jobs at a time, and calls done with each result in the
// order of the scopes. Scopes share nothing, so results do not depend on Jobs.
func All(ctx context.Context, scopes []*Scope, o Options, done func(*Scope, *Result)) (*Report, error) {
	results := make([]*Result, len(scopes))
	errs := make([]error, len(scopes))
	finished := make([]chan struct{}, len(scopes))
	work := make(chan int, len(scopes))
	for i := range scopes {
		finished[i] = make(chan struct{})
		work <- i
	}
	close(work)
	var workers sync.WaitGroup
	for range max(1, o.Jobs) {
		workers.Go(func() {
			for i := range work {
				results[i], errs[i] = Explore(ctx, scopes[i], o)
				close(finished[i])
			}
		})
	}
	defer workers.Wait()
	report := &Report{Version: Version}
	for i, s := range scopes {
		<-finished[i]
		if errs[i] != nil {
			return nil, errs[i]
		}
		report.Scopes = append(report.Scopes, results[i])
		done(s, results[i])
	}
	return report, nil
}

// WriteJSON writes the report.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
