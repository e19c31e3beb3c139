package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// world is a control repo whose component is published in a registry on loopback and built from a source on disk.
type world struct {
	dir, repo, source string
	tfgitops          string
	component         string
	server            *registrytest.Server
	builds            int
}

// newWorld turns the control repo in dir/repo towards the registry and the source, and commits that.
func newWorld(ctx context.Context, dir, tfgitops, component string) (*world, error) {
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, repo: filepath.Join(dir, "repo"), source: filepath.Join(dir, "source"), tfgitops: tfgitops, component: component, server: server}
	if err := os.Mkdir(w.source, 0o750); err != nil {
		return nil, err
	}
	if _, err := w.git(ctx, w.source, "init", "-q", "-b", "main"); err != nil {
		return nil, err
	}
	if err := w.redirect(); err != nil {
		return nil, err
	}
	commit, err := w.build(ctx)
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"render"}, {"bump", component, commit, "--override", "ancestry", "--override", "downgrade", "--override", "dependency", "--reason", "start"}} {
		if _, err := w.run(ctx, w.repo, w.tfgitops, args...); err != nil {
			return nil, err
		}
	}
	if _, err := w.git(ctx, w.repo, "add", "-A"); err != nil {
		return nil, err
	}
	_, err = w.git(ctx, w.repo, "commit", "-q", "-m", "Start")
	return w, err
}

var (
	registryURL = regexp.MustCompile(`(?m)^(\s+)url: oci://.*$`)
	sourceURL   = regexp.MustCompile(`(?m)^(\s+)url: https?://.*$`)
)

// redirect makes every OCI repository the one on loopback, and the source of the component the one on disk.
func (w *world) redirect() error {
	files, err := filepath.Glob(filepath.Join(w.repo, "clusters", "*", "cluster.yaml"))
	if err != nil {
		return err
	}
	to := []byte("${1}url: " + w.server.OCI("charts") + "\n${1}insecure: true")
	for _, file := range append(files, filepath.Join(w.repo, "tfgitops.yaml")) {
		if err := rewrite(file, registryURL, to); err != nil {
			return err
		}
	}
	return rewrite(filepath.Join(w.repo, "components", w.component, "component.yaml"), sourceURL, []byte("${1}url: file://"+w.source))
}

func rewrite(file string, pattern *regexp.Regexp, to []byte) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pattern.ReplaceAll(content, to), 0o600)
}

// build commits to the source and publishes what CI would make of it.
func (w *world) build(ctx context.Context) (commit string, err error) {
	w.builds++
	if _, err := w.git(ctx, w.source, "commit", "-q", "--allow-empty", "-m", fmt.Sprintf("Change %d\n\nBug: T%d", w.builds, w.builds)); err != nil {
		return "", err
	}
	if commit, err = w.git(ctx, w.source, "rev-parse", "HEAD"); err != nil {
		return "", err
	}
	_, err = w.server.PushChart("charts", registrytest.Chart{
		Name: w.component, Version: fmt.Sprintf("9.0.%d-2026%010d-%s", w.builds, w.builds+1201000000, commit[:8]), Created: time.Unix(int64(w.builds), 0),
		Files: map[string]string{"templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"},
	})
	return commit, err
}

func (w *world) git(ctx context.Context, dir string, args ...string) (string, error) {
	return w.run(ctx, dir, "git", args...)
}

func (w *world) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+w.dir, "XDG_CACHE_HOME="+filepath.Join(w.dir, "cache"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=Bench", "GIT_AUTHOR_EMAIL=bench@example.org", "GIT_COMMITTER_NAME=Bench", "GIT_COMMITTER_EMAIL=bench@example.org")
	return cmd
}

func (w *world) run(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := w.command(ctx, dir, program, args...)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		return messages.String(), fmt.Errorf("%s %v: %w\n%s", filepath.Base(program), args, err, messages.String())
	}
	return strings.TrimSpace(out.String()), nil
}
