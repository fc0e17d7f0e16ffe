package mutants

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// PatchError says that a patch does not apply: the source has changed, and the
// mutant must be planted anew.
type PatchError struct {
	Mutant string
	File   string
	Found  int // how often Old stands in the file
}

// Error names the mutant, the file, and how often the text was found.
func (e *PatchError) Error() string {
	return fmt.Sprintf("mutants: %s no longer applies: its text stands %d times in %s, want once", e.Mutant, e.Found, e.File)
}

// Overlay writes the changed files into dir and returns the path of a file for
// go build -overlay. root is the module's folder; it is not written to.
func (m Mutant) Overlay(root, dir string) (string, error) {
	changed := map[string]string{}
	for _, p := range m.Patches {
		if _, ok := changed[p.File]; ok {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.File)))
		if err != nil {
			return "", fmt.Errorf("mutants: %s: %w", m.Name, err)
		}
		changed[p.File] = string(text)
	}
	for _, p := range m.Patches {
		if n := strings.Count(changed[p.File], p.Old); n != 1 {
			return "", &PatchError{m.Name, p.File, n}
		}
		changed[p.File] = strings.Replace(changed[p.File], p.Old, p.New, 1)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for file, text := range changed {
		// The go command takes no file that begins with an underscore for source:
		// "./..." must go on to mean what it means without the mutants.
		copied := filepath.Join(dir, "_"+strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
			return "", fmt.Errorf("mutants: %s: %w", m.Name, err)
		}
		overlay.Replace[filepath.Join(root, filepath.FromSlash(file))] = copied
	}
	data, err := json.Marshal(overlay)
	if err != nil {
		return "", fmt.Errorf("mutants: %s: %w", m.Name, err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return "", fmt.Errorf("mutants: %s: %w", m.Name, err)
	}
	return path, nil
}
