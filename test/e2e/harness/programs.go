package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// program is one that a module below tools/ pins.
type program struct {
	module string // the module's folder
	path   string // the package of its main function
	stamps bool   // whether Kubernetes' version must be given to the linker, or the program says v0.0.0-master
}

var pinned = map[string]program{
	"etcd":                 {module: "etcd", path: "go.etcd.io/etcd/server/v3"},
	"kube-apiserver":       {module: "kubernetes", path: "k8s.io/kubernetes/cmd/kube-apiserver", stamps: true},
	"kubectl":              {module: "kubernetes", path: "k8s.io/kubernetes/cmd/kubectl", stamps: true},
	"kustomize-controller": {module: "kustomize-controller", path: "github.com/fluxcd/kustomize-controller"},
	"sops":                 {module: "kustomize-controller", path: "github.com/getsops/sops/v3/cmd/sops"},
	"age-keygen":           {module: "kustomize-controller", path: "filippo.io/age/cmd/age-keygen"},
}

// Programs finds the programs that the tests run.
type Programs struct {
	// Tools is the folder with the modules that pin them.
	Tools string
	// Cache is where they are kept once built. Any number of processes may share it.
	Cache string
	// Flux is a folder with further programs, source-controller and helm-controller among them; "" if there is none.
	Flux string
	// Now is the clock.
	Now func() time.Time
	// Log is told what is built, which takes minutes the first time.
	Log io.Writer

	run string // the folder of the run that they are built for, which ends what is being built; "" for none
}

// keptUnused is how long a build stays that no run uses: another checkout may pin another version.
const keptUnused = 30 * 24 * time.Hour

// Path returns where a program is, after building it if it is not there yet.
func (p Programs) Path(ctx context.Context, name string) (string, error) {
	known, isPinned := pinned[name]
	if !isPinned {
		return p.fluxPath(name)
	}
	key, err := p.key(known)
	if err != nil {
		return "", fmt.Errorf("program %q: %w", name, err)
	}
	path := filepath.Join(p.Cache, name+"-"+key)
	lock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return "", fmt.Errorf("program %q: %w", name, err)
	}
	defer lock.Close()
	if _, err := os.Stat(path); err == nil {
		now := p.Now() // the time of the file is that of its last use
		return path, os.Chtimes(path, now, now)
	}
	if err := p.build(ctx, name, known, path); err != nil {
		return "", err
	}
	return path, p.forgetUnused(name)
}

// forgetUnused removes the builds of a program, whole and unfinished, that have not been used for long. Their locks stay,
// which are empty: a lock that is removed while someone waits for it locks nothing.
func (p Programs) forgetUnused(name string) error {
	files, err := filepath.Glob(filepath.Join(p.Cache, name+"-*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || strings.HasSuffix(file, ".lock") || p.Now().Sub(info.ModTime()) < keptUnused {
			continue // or another run has removed it
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing an unused build: %w", err)
		}
	}
	return nil
}

func (p Programs) fluxPath(name string) (string, error) {
	if p.Flux == "" {
		return "", fmt.Errorf("program %q: set FLUX_BIN to a folder that has it", name)
	}
	path, err := filepath.Abs(filepath.Join(p.Flux, name))
	if err != nil {
		return "", fmt.Errorf("program %q: %w", name, err)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("program %q is not in FLUX_BIN: %w", name, err)
	}
	return path, nil
}

// key changes with everything that the program is made of.
func (p Programs) key(known program) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, known, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(p.Tools, known.module, name))
		if err != nil {
			return "", err
		}
		sum.Write(content)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}

// build leaves nothing at path unless the whole program is there.
func (p Programs) build(ctx context.Context, name string, known program, path string) error {
	flags := "-s -w"
	if known.stamps {
		stamps, err := p.kubernetesStamps(ctx)
		if err != nil {
			return fmt.Errorf("program %q: %w", name, err)
		}
		flags += stamps
	}
	fmt.Fprintf(p.Log, "building %s, once, which can take minutes (%s)\n", name, path)
	unfinished := path + ".unfinished"
	defer os.Remove(unfinished)
	if _, err := p.goCommand(ctx, known.module, "build", "-trimpath", "-ldflags", flags, "-o", unfinished, known.path); err != nil {
		return fmt.Errorf("building %q: %w", name, err)
	}
	return os.Rename(unfinished, path)
}

// kubernetesStamps is what Kubernetes' own build gives the linker: charts see it as the cluster's version.
func (p Programs) kubernetesStamps(ctx context.Context) (string, error) {
	out, err := p.goCommand(ctx, "kubernetes", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	version := strings.TrimSpace(out)
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 3 {
		return "", fmt.Errorf("k8s.io/kubernetes has the version %q", version)
	}
	var flags strings.Builder
	for _, stamp := range []string{"gitVersion=" + version, "gitMajor=" + parts[0], "gitMinor=" + parts[1], "gitTreeState=clean"} {
		flags.WriteString(" -X k8s.io/component-base/version." + stamp)
	}
	return flags.String(), nil
}

// goCommand runs the go command in a tool module, as that module says and as the surroundings do not.
func (p Programs) goCommand(ctx context.Context, module string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(p.Tools, module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly", marker+"="+p.run)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s in %s: %w\n%s", args[0], cmd.Dir, err, stderr.String())
	}
	return string(out), nil
}
