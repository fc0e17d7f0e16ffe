package testenv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// forgetNewest cuts the newest writes off the append-only file below a server's
// data folder, and returns the file that was cut; the server must be dead. See
// PartialMemory for what is cut.
func forgetNewest(data string, now time.Time) (cut string, err error) {
	files, err := aofFiles(data)
	if err != nil {
		return "", err
	}
	// The newest files may be empty, after a rewrite.
	for i := len(files) - 1; i >= 0; i-- {
		units, err := readAOF(files[i])
		if err != nil {
			return "", fmt.Errorf("%s: %w", files[i], err)
		}
		if len(units) > 0 {
			return files[i], os.Truncate(files[i], cutAt(units, now))
		}
	}
	return "", errors.New("nothing to lose: the append-only file holds no write")
}

// aofFiles lists the files that writes were appended to, oldest first. From
// Redis 7.0 on a manifest names them; before, there is one.
func aofFiles(data string) ([]string, error) {
	dir := filepath.Join(data, "appendonlydir")
	manifest, err := os.ReadFile(filepath.Join(dir, "appendonly.aof.manifest"))
	if errors.Is(err, os.ErrNotExist) {
		return []string{filepath.Join(data, "appendonly.aof")}, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(string(manifest)) {
		// file appendonly.aof.1.incr.aof seq 1 type i
		f := strings.Fields(line)
		if len(f) == 6 && f[4] == "type" && f[5] == "i" {
			files = append(files, filepath.Join(dir, f[1]))
		}
	}
	return files, nil
}

// aofUnit is what is done as a whole or not at all: a command or a transaction.
type aofUnit struct {
	offset int64
	second int64 // Unix time at which it was written; 0 if not noted
}

// cutAt is the offset from which on the file is to be forgotten.
func cutAt(units []aofUnit, now time.Time) int64 {
	for _, u := range units {
		if u.second != 0 && u.second >= now.Unix()-1 {
			return u.offset
		}
	}
	return units[len(units)-1].offset
}

// readAOF finds the units of an append-only file. A command that is torn at
// the end counts as none.
func readAOF(path string) ([]aofUnit, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &aofReader{r: bufio.NewReader(f)}
	var units []aofUnit
	var open, inside bool // a unit has begun; it is a transaction
	for {
		at := r.offset
		name, err := r.next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			if open { // a lone SELECT or a torn transaction is no write
				units = units[:len(units)-1]
			}
			return units, nil
		}
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", at, err)
		}
		if name == "" {
			continue // a note of the time
		}
		if !open {
			units = append(units, aofUnit{at, r.second})
			open = true
		}
		switch name {
		case "SELECT": // belongs to what follows
		case "MULTI":
			inside = true
		case "EXEC":
			open, inside = false, false
		default:
			open = inside
		}
	}
}

// aofReader reads commands and notes of the time.
type aofReader struct {
	r      *bufio.Reader
	offset int64
	second int64 // the last note of the time
}

// next reads one command and returns its name in upper case, or a note, and
// returns an empty name.
func (r *aofReader) next() (string, error) {
	line, err := r.line()
	if err != nil {
		return "", err
	}
	if ts, ok := bytes.CutPrefix(line, []byte("#TS:")); ok {
		r.second, err = strconv.ParseInt(string(ts), 10, 64)
		return "", err
	}
	if bytes.HasPrefix(line, []byte("#")) {
		return "", nil
	}
	n, err := count(line, '*')
	if err != nil {
		return "", err
	}
	var name string
	for i := range n {
		arg, err := r.bulk()
		if err != nil {
			return "", err
		}
		if i == 0 {
			name = strings.ToUpper(string(arg))
		}
	}
	return name, nil
}

func (r *aofReader) bulk() ([]byte, error) {
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	n, err := count(line, '$')
	if err != nil {
		return nil, err
	}
	arg := make([]byte, n+2)
	read, err := io.ReadFull(r.r, arg)
	r.offset += int64(read)
	return arg[:n], err
}

func (r *aofReader) line() ([]byte, error) {
	line, err := r.r.ReadBytes('\n')
	r.offset += int64(len(line))
	return bytes.TrimRight(line, "\r\n"), err
}

// count reads "*3" or "$3".
func count(line []byte, mark byte) (int, error) {
	if len(line) < 2 || line[0] != mark {
		return 0, fmt.Errorf("unreadable: %.20q", line)
	}
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil || n < 0 || n > 1<<29 {
		return 0, fmt.Errorf("unreadable: %.20q", line)
	}
	return n, nil
}
