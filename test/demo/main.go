package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo DIR")
		os.Exit(2)
	}
	if err := run(ctx, filepath.Clean(os.Args[1]), os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run makes the world below dir and keeps it until input ends: DIR/source is the component's repository, DIR/env says in a
// shell's words where the registry is and what is published.
func run(ctx context.Context, dir string, input io.Reader) error {
	commits, err := writeSource(ctx, filepath.Join(dir, "source"))
	if err != nil {
		return err
	}
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	for i, commit := range commits {
		if err := publish(server, i, commit); err != nil {
			return err
		}
	}
	env := fmt.Sprintf("registry=%s\nsource=%s\ncommit=%s\nversion=%s\n", server.Host(), filepath.Join(dir, "source"), commits[0], version(0, commits[0]))
	if err := os.WriteFile(filepath.Join(dir, "env.tmp"), []byte(env), 0o600); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "env.tmp"), filepath.Join(dir, "env")); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, input)
		close(ended)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return nil
}

// version is what CI names the build of a commit.
func version(index int, commit string) string {
	return fmt.Sprintf("0.0.%d-%s-%s", 202+index, time.Unix(firstCommit+int64(index)*86400+600, 0).UTC().Format("20060102150405"), commit[:8])
}

// publish pushes chart and image to both registries, as CI does. Helm stamps each push: the digests differ.
func publish(server *registrytest.Server, index int, commit string) error {
	const component = "maintain-kubeusers"
	for i, registry := range []string{"toolsbeta", "tools"} {
		image := fmt.Sprintf("%s/%s/%s", server.Host(), registry, component)
		_, err := server.PushChart(registry, registrytest.Chart{
			Name: component, Version: version(index, commit),
			Files:       map[string]string{"templates/deployment.yaml": fmt.Sprintf(deployment, image) + changes[index].template},
			Annotations: map[string]string{"org.opencontainers.image.revision": commit},
			Created:     time.Unix(firstCommit+int64(index)*86400+600+int64(i), 0),
		})
		if err != nil {
			return err
		}
		if _, err := server.PushImage(registry+"/"+component, "image-"+version(index, commit), "linux/amd64", commit); err != nil {
			return err
		}
	}
	return nil
}

// deployment is the demo chart's only template. Each change may add to its container.
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector:
    matchLabels: {name: {{ .Release.Name }}}
  template:
    metadata:
      labels: {name: {{ .Release.Name }}}
    spec:
      containers:
        - name: {{ .Release.Name }}
          image: %s:image-{{ .Chart.Version }}
`
