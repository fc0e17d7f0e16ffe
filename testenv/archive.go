package testenv

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	docker "github.com/ory/dockertest/v3/docker"
)

// maxFetched bounds what is copied out of a container.
const maxFetched = 256 << 20

// file is a file of an archive.
type file struct {
	name string // with slashes, relative
	data []byte
	mode int64
}

// pack makes an archive whose files belong to root, as the servers do.
func pack(files []file) (*bytes.Buffer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.data)), Mode: f.mode}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	return &b, w.Close()
}

// fetch copies the memory of a container that does not run to a folder.
func (s *containerSeat) fetch(ctx context.Context, id, to string) error {
	r, w := io.Pipe()
	got := make(chan error, 1)
	go func() {
		err := unpack(r, path.Base(memory), to)
		// What follows the end of the archive must be read all the same.
		_, rest := io.Copy(io.Discard, r)
		got <- errors.Join(err, rest)
	}()
	err := s.engine.DownloadFromContainer(id, docker.DownloadFromContainerOptions{OutputStream: w, Path: memory, Context: ctx})
	w.CloseWithError(err) // nil means the end
	return errors.Join(err, <-got)
}

// unpack writes an archive's files below its folder top to another folder.
func unpack(archive io.Reader, top, to string) error {
	left := int64(maxFetched)
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		// Once clean, a name that begins so leads nowhere else.
		name, below := strings.CutPrefix(path.Clean(h.Name), top+"/")
		if h.Typeflag != tar.TypeReg || !below {
			continue
		}
		if left -= h.Size; left < 0 {
			return fmt.Errorf("the archive is larger than %d bytes", maxFetched)
		}
		dest := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			return err
		}
		if err := writeFrom(dest, r); err != nil {
			return err
		}
	}
}

func writeFrom(dest string, r io.Reader) error {
	f, err := os.OpenFile(dest, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
