package mutants

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// harness is what is built with a mistake planted in it.
const harness = "./cmd/redlock-chaos"

// build plants the mistake, if there is a mutant, and builds the harness into
// dir. It returns the program and the overlay, which is empty where no file
// changes.
func (o *Options) build(ctx context.Context, m *Mutant, dir string) (program, overlay string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", fmt.Errorf("mutants: %w", err)
	}
	program = filepath.Join(dir, "redlock-chaos")
	// Without the symbol tables a program links in less time.
	args := []string{"build", "-ldflags=-s -w", "-o", program}
	if m != nil && len(m.Patches) > 0 {
		if overlay, err = m.Overlay(o.Root, dir); err != nil {
			return "", "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, harness)...)
	cmd.Dir = o.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		name := "the harness"
		if m != nil {
			name = m.Name
		}
		return "", "", fmt.Errorf("mutants: %s does not build: %w\n%s", name, err, out)
	}
	return program, overlay, nil
}

// Build builds the harness with one mistake planted into dir, and returns the
// program. root is the module's folder. The error is an *UnknownError for a
// mutant that there is not, and a *PatchError for one that no longer applies.
func Build(ctx context.Context, root, dir, mutant string) (program string, err error) {
	list, err := choose([]string{mutant})
	if err != nil {
		return "", err
	}
	o := Options{Root: root}
	program, _, err = o.build(ctx, &list[0], dir)
	return program, err
}
