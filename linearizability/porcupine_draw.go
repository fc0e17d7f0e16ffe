package linearizability

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/anishathalye/porcupine"
)

// drawing is what porcupine needs to draw a key.
type drawing struct {
	key   string
	model porcupine.Model
	info  porcupine.LinearizationInfo
}

// Visualize writes porcupine's own drawing of each key that either checker
// convicts to DIR/porcupine-KEY.html and returns the files' names. Characters
// of the key that do not belong into a file's name are replaced, with a digest
// of the key behind. Of a long history the drawing shows the part that is
// illegal. The pages hold everything that they need; times on them are twice
// the index of a line, and an odd one is the point before a line.
//
// An Opinion that was decoded rather than returned by Opine has no drawings.
func (o *Opinion) Visualize(dir string) ([]string, error) {
	names := []string{}
	for i := range o.Keys {
		d := o.Keys[i].drawing
		if d == nil {
			continue
		}
		name := "porcupine-" + fileName(d.key) + ".html"
		if err := d.write(filepath.Join(dir, name)); err != nil {
			return names, fmt.Errorf("linearizability: drawing %q: %w", d.key, err)
		}
		names = append(names, name)
	}
	return names, nil
}

// write writes the drawing and tells of errors at closing, which
// porcupine.VisualizePath keeps to itself.
func (d *drawing) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := porcupine.Visualize(d.model, d.info, f); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// harmless are the characters that mean nothing in a file's name or in HTML.
const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// fileName returns the key, as far as it may stand in a file's name. Different
// keys have different ones, also where case does not matter.
func fileName(key string) string {
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune(harmless, r) {
			return r
		}
		return '_'
	}, key)
	if safe == key && len(key) <= 100 && strings.ToLower(key) == key && key != "" {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return safe[:min(len(safe), 100)] + "~" + hex.EncodeToString(sum[:6])
}

// plain returns a name out of a history without characters that HTML takes for
// more than text: the page that porcupine draws puts some of it in as markup.
func plain(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case r == '<' || r == '>' || r == '&' || r == '"' || r == '\'' || r == '`' || r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, "\\x%02x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
