// Package live knows what clusters run, and compares it with what a control repo pins.
//
// It owns reading clusters into a Snapshot (read.go, kube.go, objects.go), comparing a snapshot with the pins, their
// history and what waits upstream (status.go, release.go), asking source repositories and registries what waits
// (upstream.go, outdated.go), waiting for one deployment (wait.go), the stage gate "ready" (gate.go), and the forms in
// which all of that is shown: tables, a page of HTML and metrics.
//
// Reading and asking are the only effects; the comparison is pure, so that a stored or a served snapshot gives the same
// answer as a fresh one.
//
// Clusters are read with client-go's authentication and plain HTTP requests: one list a kind, decoded into the few fields
// that are used. controller-runtime's client asks each cluster for its API groups first, and the dynamic client keeps
// whole objects with their values, which hold passwords; both cost more than they give here.
//
// It depends on pkg/control, pkg/artifact and pkg/gitrepo's types, on client-go and on Prometheus' client library.
package live
