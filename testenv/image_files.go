package testenv

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// dockerfile makes an image that holds a server, what it is linked with, and
// nothing else.
const dockerfile = `FROM scratch
COPY root/ /
ENV PATH=/ LD_LIBRARY_PATH=/lib
LABEL quorumlock.image=local
`

// imageFiles is what a local image holds, in the order of their names.
type imageFiles []file

// hash names the image: the same files make the same one.
func (files imageFiles) hash() string {
	h := sha256.New()
	h.Write([]byte(dockerfile))
	for _, f := range files {
		fmt.Fprintf(h, "%q %d\n", f.name, len(f.data))
		h.Write(f.data)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// context is what the engine is sent to build the image.
func (files imageFiles) context() (*bytes.Buffer, error) {
	all := []file{{name: "Dockerfile", data: []byte(dockerfile), mode: 0o644}}
	for _, f := range files {
		f.name = "root/" + f.name
		all = append(all, f)
	}
	return pack(all)
}

// serverFiles collects a server and the libraries that ldd names.
func serverFiles(ctx context.Context, program string) (imageFiles, error) {
	binary, libraries, err := unwrap(ctx, program)
	if err != nil {
		return nil, err
	}
	linked, err := ldd(ctx, binary, libraries)
	if err != nil {
		return nil, err
	}
	linked["redis-server"] = binary
	var files imageFiles
	for name, path := range linked {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: name, data: data, mode: 0o755})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// unwrap returns the program itself behind a script that starts it, and the
// folders of its libraries, as in LD_LIBRARY_PATH: it starts a server that nobody
// can reach, and looks at the process.
func unwrap(ctx context.Context, program string) (binary, libraries string, err error) {
	dir, err := os.MkdirTemp("", "quorumlock-server-")
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	dog, err := startWatchdog(watchdogScript)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, dog.close()) }()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := dog.command(program, "--port", "0", "--unixsocket", filepath.Join(dir, "s"), "--dir", dir, "--save", "")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", "", err
	}
	if err := cmd.Start(); err != nil {
		return "", "", err
	}
	// With its children: a script may start the server as one.
	end := func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	late := context.AfterFunc(ctx, end)
	defer func() {
		late()
		end()
		cmd.Wait()
		dog.forget(cmd.Process.Pid)
	}()
	// Once it prints something it is the server and not the script any more.
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", "", fmt.Errorf("it says %q and ends: %w", said, err)
	}
	return lookAt(ctx, cmd.Process.Pid)
}

// lookAt returns the server that a process runs, and the folders of its
// libraries.
func lookAt(ctx context.Context, pid int) (binary, libraries string, err error) {
	binary, err = os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return "", "", err
	}
	// What is mapped, since a server overwrites its environment with its title.
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return "", "", err
	}
	var folders []string
	for line := range strings.Lines(string(maps)) {
		i := strings.IndexByte(line, '/')
		if i < 0 || !strings.Contains(line, ".so") {
			continue
		}
		if dir := filepath.Dir(line[i:]); !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	// In an order of ours: that of the addresses is never the same. What lies
	// beside a program is meant for it, and goes before the system's.
	slices.SortFunc(folders, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
	libraries = strings.Join(folders, ":")
	check := exec.CommandContext(ctx, binary, "--version")
	check.Args[0] = "redis-server" // it may be one program of several names
	check.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries)
	if _, err := versionSaid(check); err != nil {
		return "", "", fmt.Errorf("it starts the server as a process of its own: name the server itself: %s %w", binary, err)
	}
	return binary, libraries, nil
}

func rank(folder string) int {
	if strings.HasPrefix(folder, "/lib") || strings.HasPrefix(folder, "/usr/lib") {
		return 1
	}
	return 0
}

// ldd returns the libraries of a program by where the image has them: those
// that are looked up by name in /lib, the loader at its own place.
func ldd(ctx context.Context, binary, libraries string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "ldd", binary)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LD_LIBRARY_PATH="+libraries)
	out, err := cmd.CombinedOutput()
	linked, missing := parseLDD(string(out))
	switch {
	case missing != "":
		return nil, fmt.Errorf("ldd does not find %s", missing)
	case strings.Contains(string(out), "not a dynamic executable"), strings.Contains(string(out), "statically linked"):
		return map[string]string{}, nil
	case err != nil:
		return nil, fmt.Errorf("ldd: %w: %.200s", err, out)
	}
	return linked, nil
}

// parseLDD reads what ldd prints.
func parseLDD(out string) (linked map[string]string, missing string) {
	linked = make(map[string]string)
	for line := range strings.Lines(out) {
		// name => /path (0x7f…), /path (0x7f…), name => not found, linux-vdso.so.1 (0x7f…)
		name, path, arrow := strings.Cut(strings.TrimSpace(line), " => ")
		if !arrow {
			path = name
		}
		path, _, _ = strings.Cut(path, " (")
		switch {
		case path == "not found":
			missing = name
		case !strings.HasPrefix(path, "/"):
		case arrow && !strings.HasPrefix(name, "/"):
			linked["lib/"+name] = path
		case arrow:
			linked[strings.TrimPrefix(name, "/")] = path
		default:
			linked[strings.TrimPrefix(path, "/")] = path
		}
	}
	return linked, missing
}
