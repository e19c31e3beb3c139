// Package harness runs a real Kubernetes API server and real Flux controllers for tests, without a container engine.
//
// It owns the programs (programs.go: built from the modules below tools/, kept between runs), their processes (run.go,
// process.go), their end however the test ends (reaper.go), a control plane (cluster.go, access.go, objects.go), Flux's
// controllers (controllers.go, artifact.go), Helm (helm.go) and a Git server (git.go). Everything listens on 127.0.0.1.
//
// It depends on Linux' /proc to find what a killed test left behind, and on nothing of tfgitops but the schema files of
// pkg/internal/crds, which it reads from the disk.
package harness
