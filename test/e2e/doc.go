// Package e2e tests what tfgitops renders against a real API server and real Flux controllers: that the API server takes it,
// that kustomize-controller applies it as it stands, that Helm installs from it what was pinned, and, where source-controller
// and helm-controller are there too, the whole way from a bump to a running release.
//
// docs/testing.md says how to run it and what it needs. It depends on test/e2e/harness and on the packages under test.
package e2e
