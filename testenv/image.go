package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	docker "github.com/ory/dockertest/v3/docker"
)

// The image that containers run if there is no reason for another one.
const (
	redisRepository = "redis"
	redisTag        = "7"
)

// registryPatience is how long a registry, and the engine that asks it, may be
// silent.
var registryPatience = 5 * time.Second

// image is what containers run: its redis-server is on the PATH.
type image struct {
	name    string
	version version
}

// images remembers what was found, so that one process asks a registry once.
var (
	imagesMu sync.Mutex // held while looking: the second one need not
	images   = make(map[[2]string]image)
)

// findImage returns redis:7, from the engine or from a registry that answers
// soon, and otherwise an image made out of this machine's server. A program
// that is named is what the image is made of.
func findImage(ctx context.Context, e *engine, program string) (image, error) {
	imagesMu.Lock()
	defer imagesMu.Unlock()
	key := [2]string{e.host, program}
	img, ok := images[key]
	if ok {
		if _, err := inspectImage(ctx, e, img.name); err == nil {
			return img, nil
		}
	}
	var pulled error
	if program == "" {
		name := redisRepository + ":" + redisTag
		if _, pulled = inspectImage(ctx, e, name); pulled != nil {
			pulled = pullImage(ctx, e)
		}
		if pulled == nil {
			images[key] = image{name, version{major: 7}}
			return images[key], nil
		}
	}
	img, err := localImage(ctx, e, program)
	if err != nil {
		if pulled != nil {
			err = fmt.Errorf("no image to run: %w; %s:%s: %w", err, redisRepository, redisTag, pulled)
		}
		return image{}, err
	}
	images[key] = img
	return img, nil
}

func inspectImage(ctx context.Context, e *engine, name string) (img *docker.Image, err error) {
	err = within(ctx, func() (err error) { img, err = e.InspectImage(name); return err })
	if err != nil {
		return nil, err
	}
	return img, nil
}

// pullImage fetches redis:7. It gives up when nothing is heard for a while.
func pullImage(ctx context.Context, e *engine) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(registryPatience, func() {
		cancel(fmt.Errorf("no word from the registry for %v", registryPatience))
	})
	defer silent.Stop()
	heard := &hearsay{word: func() { silent.Reset(registryPatience) }}
	err := e.PullImage(docker.PullImageOptions{
		Repository: redisRepository, Tag: redisTag, Context: ctx, OutputStream: heard,
	}, docker.AuthConfiguration{})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	// A refusal is a part of what is heard, not an error.
	if _, err := inspectImage(ctx, e, redisRepository+":"+redisTag); err != nil {
		return fmt.Errorf("%w: the last word from the registry was %q", err, heard.last)
	}
	return nil
}

// hearsay calls word for every write and keeps what was written last.
type hearsay struct {
	word func()
	last []byte
}

func (h *hearsay) Write(p []byte) (int, error) {
	h.word()
	h.last = append(h.last, p...)
	h.last = h.last[max(0, len(h.last)-300):]
	return len(p), nil
}

// localImage returns the image made out of a server of this machine, which it
// makes unless the engine has it from before. It is kept.
func localImage(ctx context.Context, e *engine, program string) (image, error) {
	if runtime.GOOS != "linux" {
		return image{}, fmt.Errorf("a %s machine has no server that a container could run", runtime.GOOS)
	}
	cfg := Config{RedisServer: program}
	v, err := cfg.findServer(ctx)
	if err != nil {
		return image{}, err
	}
	if err := sameMachine(ctx, e); err != nil {
		return image{}, err
	}
	files, err := serverFiles(ctx, cfg.RedisServer)
	if err != nil {
		return image{}, fmt.Errorf("image of %s: %w", cfg.RedisServer, err)
	}
	img := image{"quorumlock/redis-local:" + files.hash(), v}
	if _, err := inspectImage(ctx, e, img.name); err == nil {
		return img, nil
	}
	archive, err := files.context()
	if err != nil {
		return image{}, err
	}
	err = e.BuildImage(docker.BuildImageOptions{
		Name: img.name, InputStream: archive, OutputStream: io.Discard, RmTmpContainer: true, ForceRmTmpContainer: true, Context: ctx,
	})
	if err != nil {
		return image{}, fmt.Errorf("building %s: %w", img.name, err)
	}
	return img, nil
}

// sameMachine says why the engine cannot run this machine's programs, if so.
func sameMachine(ctx context.Context, e *engine) error {
	var info *docker.DockerInfo
	err := within(ctx, func() (err error) { info, err = e.Info(); return err })
	if err != nil {
		return err
	}
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l"}[runtime.GOARCH]
	if info.OSType != "linux" || arch != "" && info.Architecture != "" && info.Architecture != arch {
		return errors.New("the engine runs on " + info.OSType + "/" + info.Architecture + ", this machine's server does not")
	}
	return nil
}
