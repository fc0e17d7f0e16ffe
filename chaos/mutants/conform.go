package mutants

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

// conformanceSteps is how many random steps a pair of patches is compared over:
// just below what the test takes by itself, because with as many it demands
// besides that every answer was seen, and some mistakes take one away.
const conformanceSteps = 23_999

// Conformance says whether a mistake is the same in the script and in the node
// in memory.
type Conformance struct {
	Agrees  bool    `json:"agrees"`
	Steps   int     `json:"steps"`
	Seconds float64 `json:"seconds"`
	Output  string  `json:"output,omitempty"` // where they differ
}

// conform compares the mistaken script on a real server with the mistaken node
// in memory.
func (o *Options) conform(ctx context.Context, m *Mutant, overlay string) (*Conformance, error) {
	began := time.Now()
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-count=1", "-v", "-run", "^TestConformance$",
		"./redlock/redlocktest", "-args", "-conformance.calls", strconv.Itoa(conformanceSteps))
	cmd.Dir = o.Root
	out, err := cmd.CombinedOutput()
	c := &Conformance{Steps: conformanceSteps, Seconds: time.Since(began).Seconds()}
	switch {
	case err == nil && bytes.Contains(out, []byte("--- PASS: TestConformance")):
		c.Agrees = true
	case bytes.Contains(out, []byte("--- FAIL: TestConformance")):
		c.Output = string(out[:min(len(out), 4000)])
	default: // skipped for want of a server, or not even built
		return nil, fmt.Errorf("mutants: %s: the conformance test did not run: %v\n%s", m.Name, err, out)
	}
	return c, nil
}
