package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	docker "github.com/ory/dockertest/v3/docker"
)

// Everything that a run has at an engine bears these labels. They tell other
// runs whether it still lives, if they can know.
const (
	labelRun  = "quorumlock.run"  // its id
	labelHost = "quorumlock.host" // the machine on which it runs, which may not be the engine's
	labelBoot = "quorumlock.boot" // which boot of that machine
	labelLock = "quorumlock.lock" // a file there that it holds a lock on
)

// claim is a run's word that it lives: the lock on a file, which ends with the
// process, however that goes.
type claim struct {
	run  string
	path string
	file *os.File
}

// newClaim takes the lock. It must be taken before the labels are used.
func newClaim(run string) (*claim, error) {
	dir, err := claimsDir()
	if err != nil {
		return nil, fmt.Errorf("folder of locks: %w", err)
	}
	path := filepath.Join(dir, run+".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock on %s: %w", path, err), f.Close())
	}
	return &claim{run: run, path: path, file: f}, nil
}

// claimsDir is this user's folder of locks.
func claimsDir() (string, error) {
	dir := filepath.Join(os.TempDir(), "quorumlock-runs-"+strconv.Itoa(os.Getuid()))
	if run := os.Getenv("XDG_RUNTIME_DIR"); run != "" {
		dir = filepath.Join(run, "quorumlock-runs")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	// In a folder that all may write to, somebody else may have been first.
	st, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !st.IsDir() || !ok || int(sys.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s is not a folder of ours", dir)
	}
	return dir, nil
}

// labels are what everything of the run bears.
func (c *claim) labels() map[string]string {
	return map[string]string{labelRun: c.run, labelHost: hostName(), labelBoot: bootID(), labelLock: c.path}
}

// release ends the claim; the file is left for those who clean up.
func (c *claim) release() error { return c.file.Close() }

// settle ends the claim of a run that has left nothing.
func (c *claim) settle() error {
	return errors.Join(os.Remove(c.path), c.file.Close())
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// bootID tells one boot of this machine from another; it is empty where the
// system does not number them.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// inherit returns the claim of a dead run, and nil if the run lives or nobody
// here can know: it runs on another machine, as another user, or where another
// /tmp hides its lock.
func inherit(labels map[string]string) *claim {
	c := &claim{run: labels[labelRun], path: labels[labelLock]}
	if labels[labelHost] != hostName() || !filepath.IsAbs(c.path) || filepath.Base(c.path) != c.run+".lock" {
		return nil
	}
	f, err := os.OpenFile(c.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		// No run outlives a boot.
		if boot := bootID(); boot != "" && labels[labelBoot] != "" && labels[labelBoot] != boot {
			return c
		}
		return nil
	}
	if err != nil {
		return nil
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil
	}
	c.file = f
	return c
}

// purgeDead removes what dead runs have left at the engine.
func purgeDead(ctx context.Context, e *engine) error {
	runs, err := leftovers(ctx, e)
	if err != nil {
		return err
	}
	var errs []error
	for _, labels := range runs {
		c := inherit(labels)
		if c == nil {
			continue
		}
		if err := purge(ctx, e, c.run); err != nil {
			errs = append(errs, fmt.Errorf("run %s: %w", c.run, err))
		} else if err := os.Remove(c.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		if c.file != nil {
			c.file.Close()
		}
	}
	return errors.Join(errs...)
}

// leftovers are the labels of all runs that have something at the engine.
func leftovers(ctx context.Context, e *engine) (map[string]map[string]string, error) {
	runs := make(map[string]map[string]string)
	things, err := listThings(ctx, e, labelRun)
	for _, t := range things {
		runs[t.labels[labelRun]] = t.labels
	}
	return runs, err
}

// purge removes everything of a run. It returns once the engine lists nothing.
func purge(ctx context.Context, e *engine, run string) error {
	return poll(ctx, func() (bool, error) {
		things, err := listThings(ctx, e, labelRun+"="+run)
		if err != nil || len(things) == 0 {
			return err == nil, err
		}
		// Containers are listed first; networks and volumes are in use until they
		// are gone.
		first := things[0].kind
		err = each(things, func(t thing) error {
			if t.kind != first {
				return nil
			}
			return t.remove()
		})
		return false, err
	})
}

// thing is something at an engine.
type thing struct {
	kind   string
	labels map[string]string
	remove func() error
}

// listThings lists containers, then networks, then volumes with the label.
func listThings(ctx context.Context, e *engine, label string) ([]thing, error) {
	var things []thing
	add := func(kind string, labels map[string]string, remove func() error) {
		if key, value, exact := strings.Cut(label, "="); labels[key] == "" || exact && labels[key] != value {
			return
		}
		things = append(things, thing{kind, labels, func() error {
			if err := remove(); !missing(err) {
				return err
			}
			return nil
		}})
	}
	filter := map[string][]string{"label": {label}}
	containers, err := e.ListContainers(docker.ListContainersOptions{All: true, Filters: filter, Context: ctx})
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		add("container", c.Labels, func() error {
			return e.RemoveContainer(docker.RemoveContainerOptions{ID: c.ID, Force: true, RemoveVolumes: true, Context: ctx})
		})
	}
	var networks []docker.Network
	err = within(ctx, func() (err error) { networks, err = e.ListNetworks(); return err })
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		add("network", n.Labels, func() error { return within(ctx, func() error { return e.RemoveNetwork(n.ID) }) })
	}
	volumes, err := e.ListVolumes(docker.ListVolumesOptions{Filters: filter, Context: ctx})
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		add("volume", v.Labels, func() error {
			return e.RemoveVolumeWithOptions(docker.RemoveVolumeOptions{Name: v.Name, Context: ctx})
		})
	}
	return things, nil
}
