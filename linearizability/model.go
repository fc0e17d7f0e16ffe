package linearizability

import (
	"fmt"
	"strings"
)

// ModelLease is the model of a lock with deadlines: per key, no two claims of
// holds overlap. See Hold for what a claim is.
const ModelLease = "lease"

// Models lists the models that Check knows.
func Models() []string { return []string{ModelLease} }

// UnknownModelError says that there is no such model.
type UnknownModelError struct {
	Model string   // what was asked for
	Known []string // what there is
}

// Error names the model and those that there are.
func (e *UnknownModelError) Error() string {
	return fmt.Sprintf("linearizability: unknown model %q; there is: %s", e.Model, strings.Join(e.Known, ", "))
}

// Check judges the events against one model alone and claims it, whatever a run
// meant to break. It returns an *UnknownModelError for a model that it does not
// know, and a *HistoryError if the events break the rules of histories. An
// empty history is Unknown.
func Check(events []Event, model string) (*Verdict, error) {
	if model != ModelLease {
		return nil, &UnknownModelError{Model: model, Known: Models()}
	}
	return judge(events, Params{}, model, []Property{MutualExclusion})
}
