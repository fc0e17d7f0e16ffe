package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/quorumlock/quorumlock/chaos/dial"
	"github.com/quorumlock/quorumlock/chaos/mutants"
)

// dialFile is what dial writes as JSON.
type dialFile struct {
	Version int          `json:"version"`
	Seeds   int          `json:"seeds"`
	Curves  []dial.Curve `json:"curves"`
}

// dialCommand breaks one assumption after the other, further and further, and
// shows from where on what falls. It is a measurement, not a verdict: it ends in
// 0 whatever falls.
func dialCommand(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	var root, sweep, arm, planted, file, picture string
	var seeds int
	fs := flags("dial", "[flags]", stdout)
	fs.StringVar(&root, "root", ".", "`folder` of the module's source, from which locks without a defence are built")
	fs.IntVar(&seeds, "seeds", 20, "`number` of runs at each setting")
	fs.StringVar(&file, "json", "", "write the counts to this `file`; - is standard output, and nothing else goes there then")
	fs.StringVar(&picture, "svg", "", "write the picture to this `file`")
	fs.StringVar(&sweep, "sweep", "", "measure this `sweep` alone")
	fs.StringVar(&arm, "arm", "", "measure this `arm` of the sweep alone")
	fs.StringVar(&planted, "planted", "", "the `mutant` that this program was built with")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	switch {
	case fs.NArg() > 0:
		return 0, &usageError{Value: fs.Arg(0), Reason: "dial takes flags only"}
	case seeds < 1 || seeds > 10_000:
		return 0, &usageError{Value: fmt.Sprint(seeds), Reason: "--seeds must be 1 to 10000"}
	case arm != "" && sweep == "":
		return 0, &usageError{Value: arm, Reason: "--arm needs a --sweep"}
	}
	m := &dialler{root: root, seeds: seeds, planted: planted, progress: stderr}
	curves, err := m.all(ctx, sweep, arm)
	if err != nil {
		return 0, err
	}
	if file != "-" {
		if err := dial.WriteTable(stdout, curves); err != nil {
			return 0, err
		}
	}
	return 0, writeDial(stdout, file, picture, dialFile{1, seeds, curves})
}

func writeDial(stdout io.Writer, file, picture string, f dialFile) error {
	if picture != "" {
		var b bytes.Buffer
		if err := errors.Join(dial.Draw(&b, f.Curves), os.WriteFile(picture, b.Bytes(), 0o644)); err != nil {
			return err
		}
	}
	if file == "" {
		return nil
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if file == "-" {
		_, err := stdout.Write(data)
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// dialler measures arms, each in a program that is built as the arm demands.
type dialler struct {
	root     string
	seeds    int
	planted  string
	progress io.Writer
}

// all measures every arm of every sweep, or those that are named.
func (m *dialler) all(ctx context.Context, sweep, arm string) ([]dial.Curve, error) {
	var curves []dial.Curve
	for _, s := range dial.Sweeps() {
		if sweep != "" && s.Name != sweep {
			continue
		}
		for _, a := range s.Arms {
			if arm != "" && a.Name != arm {
				continue
			}
			c, err := m.measure(ctx, s, a)
			if err != nil {
				return nil, err
			}
			curves = append(curves, c)
		}
	}
	if len(curves) == 0 {
		_, _, err := dial.Find(sweep, arm)
		return nil, err
	}
	return curves, nil
}

func (m *dialler) measure(ctx context.Context, s dial.Sweep, a dial.Arm) (dial.Curve, error) {
	fmt.Fprintf(m.progress, "%s: %s\n", s.Title, a.Title)
	switch m.planted {
	case a.Mutant:
		return dial.Measure(ctx, s, a, m.seeds)
	case "":
		return m.elsewhere(ctx, s, a)
	}
	return dial.Curve{}, &usageError{Value: m.planted, Reason: fmt.Sprintf("--planted: arm %s of %s needs %q", a.Name, s.Name, a.Mutant)}
}

// elsewhere measures an arm in a program that is built with its mutant.
func (m *dialler) elsewhere(ctx context.Context, s dial.Sweep, a dial.Arm) (dial.Curve, error) {
	dir, err := os.MkdirTemp("", "redlock-dial-")
	if err != nil {
		return dial.Curve{}, err
	}
	defer os.RemoveAll(dir)
	root, err := filepath.Abs(m.root)
	if err != nil {
		return dial.Curve{}, err
	}
	program, err := mutants.Build(ctx, root, dir, a.Mutant)
	if err != nil {
		return dial.Curve{}, err
	}
	cmd := exec.CommandContext(ctx, program, "dial", "--sweep", s.Name, "--arm", a.Name, "--planted", a.Mutant, "--seeds", fmt.Sprint(m.seeds), "--json", "-")
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return dial.Curve{}, fmt.Errorf("dial: with %s: %w\n%s", a.Mutant, err, failure.Bytes())
	}
	var f dialFile
	if err := json.Unmarshal(out, &f); err != nil || len(f.Curves) != 1 {
		return dial.Curve{}, fmt.Errorf("dial: with %s: %d curves, want one: %w", a.Mutant, len(f.Curves), err)
	}
	return f.Curves[0], nil
}
