package testenv

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestParseLDD(t *testing.T) {
	for name, c := range map[string]struct {
		out     string
		linked  map[string]string
		missing string
	}{
		"glibc": {
			"\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n",
			map[string]string{"lib/libz.so.1": "/lib/x86_64-linux-gnu/libz.so.1", "lib64/ld-linux-x86-64.so.2": "/lib64/ld-linux-x86-64.so.2"}, "",
		},
		"loader elsewhere": {
			"\t/lib64/ld-linux-x86-64.so.2 => /usr/lib64/ld-linux-x86-64.so.2 (0x00007f)\n",
			map[string]string{"lib64/ld-linux-x86-64.so.2": "/usr/lib64/ld-linux-x86-64.so.2"}, "",
		},
		"musl": {
			"\t/lib/ld-musl-x86_64.so.1 (0x7f)\n\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f)\n",
			map[string]string{"lib/ld-musl-x86_64.so.1": "/lib/ld-musl-x86_64.so.1", "lib/libc.musl-x86_64.so.1": "/lib/ld-musl-x86_64.so.1"}, "",
		},
		"missing": {"\tliblzf.so.1 => not found\n", map[string]string{}, "liblzf.so.1"},
		"static":  {"\tstatically linked\n", map[string]string{}, ""},
	} {
		linked, missing := parseLDD(c.out)
		if !maps.Equal(linked, c.linked) || missing != c.missing {
			t.Errorf("%s: %v, missing %q", name, linked, missing)
		}
	}
}

// The image is made of the program behind a script that starts it, and is the
// same every time.
func TestServerFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skipf("SKIP: containers run Linux programs, this machine runs %s", runtime.GOOS)
	}
	ctx := testContext(t)
	server := Require(t)
	script := filepath.Join(t.TempDir(), "server")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\nexec '"+server+"' \"$@\"\n"), 0o755))
	direct, err := serverFiles(ctx, server)
	must(t, err)
	behind, err := serverFiles(ctx, script)
	must(t, err)
	if direct.hash() != behind.hash() {
		t.Errorf("two images of one server: %s, %s", direct.hash(), behind.hash())
	}
	var found bool
	for _, f := range behind {
		found = found || f.name == "redis-server"
		if !bytes.HasPrefix(f.data, []byte("\x7fELF")) || !filepath.IsLocal(f.name) {
			t.Errorf("%s is no program or library", f.name)
		}
	}
	if !found {
		t.Error("no server in the image")
	}
	// A script that stays cannot be looked behind; what it started must go.
	must(t, os.WriteFile(script, []byte("#!/bin/sh\n'"+server+"' \"$@\"\n"), 0o755))
	if _, err := serverFiles(ctx, script); err == nil || !strings.Contains(err.Error(), "process of its own") {
		t.Errorf("script that stays: %v", err)
	}
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho no luck\n"), 0o755))
	if _, err := serverFiles(ctx, script); err == nil {
		t.Error("made an image of nothing")
	}
}

// fakeEngine has a registry of which it says what is given, and redis:7 once
// that was "Done".
func fakeEngine(t *testing.T, pull http.HandlerFunc) *engine {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", func(http.ResponseWriter, *http.Request) {})
	var said bytes.Buffer
	mux.HandleFunc("POST /images/create", func(w http.ResponseWriter, r *http.Request) {
		pull(tee{w, &said}, r)
	})
	mux.HandleFunc("GET /images/redis:7/json", func(w http.ResponseWriter, _ *http.Request) {
		if !strings.Contains(said.String(), "Done") {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, "{}")
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	t.Setenv("DOCKER_HOST", "tcp://"+s.Listener.Addr().String())
	e, err := newEngine(testContext(t))
	must(t, err)
	t.Cleanup(e.hangUp)
	return e
}

// tee writes to a second place as well.
type tee struct {
	http.ResponseWriter
	too io.Writer
}

func (t tee) Write(p []byte) (int, error) {
	t.too.Write(p)
	return t.ResponseWriter.Write(p)
}

func TestPullGivesUpOnSilence(t *testing.T) {
	defer func(d time.Duration) { registryPatience = d }(registryPatience)
	registryPatience = 50 * time.Millisecond
	over := make(chan struct{})
	defer close(over)
	e := fakeEngine(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	err := pullImage(testContext(t), e)
	if err == nil || !strings.Contains(err.Error(), "no word from the registry") {
		t.Errorf("pull: %v", err)
	}
}

func TestPull(t *testing.T) {
	for name, c := range map[string]struct{ says, want string }{
		"an image":   {`{"status":"Pulling from library/redis"}` + "\n" + `{"status":"Done"}`, ""},
		"a refusal":  {`{"status":"Pulling"}` + "\n" + `{"errorDetail":{"message":"too many requests"},"error":"too many requests"}`, "too many requests"},
		"no answers": {"", "no such host"},
	} {
		t.Run(name, func(t *testing.T) {
			e := fakeEngine(t, func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("fromImage") != redisRepository || r.FormValue("tag") != redisTag {
					t.Errorf("asked for %s:%s", r.FormValue("fromImage"), r.FormValue("tag"))
				}
				if c.says == "" {
					w.WriteHeader(http.StatusInternalServerError)
					json.NewEncoder(w).Encode(map[string]string{"message": "no such host"})
					return
				}
				fmt.Fprint(w, c.says)
			})
			err := pullImage(testContext(t), e)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("pull: %v, want %q", err, c.want)
			}
		})
	}
}

func TestArchives(t *testing.T) {
	b, err := pack([]file{{"memory/a", []byte("1"), 0o600}, {"memory/sub/b", []byte("22"), 0o644}, {"other/c", nil, 0o644}})
	must(t, err)
	to := t.TempDir()
	must(t, unpack(b, "memory", to))
	for name, want := range map[string]string{"a": "1", "sub/b": "22"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(filepath.Join(to, "c")); err == nil {
		t.Error("unpacked what lies elsewhere")
	}
	outside := t.TempDir()
	inner := filepath.Join(outside, "1", "2", "3")
	must(t, os.MkdirAll(inner, 0o755))
	for _, name := range []string{"memory/../../x", "/memory/x", "memory//../x", "memory/a/../../../x"} {
		b, err := pack([]file{{name, []byte("x"), 0o644}})
		must(t, err)
		must(t, unpack(b, "memory", inner))
	}
	for dir := filepath.Dir(inner); dir != filepath.Dir(outside); dir = filepath.Dir(dir) {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 1 {
			t.Errorf("%s holds %v, %v", dir, left, err)
		}
	}
	var huge bytes.Buffer
	must(t, tar.NewWriter(&huge).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "memory/x", Size: maxFetched + 1}))
	if err := unpack(&huge, "memory", t.TempDir()); err == nil || err == io.ErrUnexpectedEOF {
		t.Errorf("unpacked a huge file: %v", err)
	}
}
