// Package crds owns the CustomResourceDefinitions of Flux's kinds and checks objects against them the
// way a Kubernetes API server would when it is asked to create them: strict field validation, structural
// schema, list types, and CEL rules with the API server's cost limits.
//
// The definitions in schemas/ are made by controller-gen from the Go types of the Flux API modules in
// go.mod (hack/crds.sh); nothing in them is written by hand.
//
// It depends on k8s.io/apiextensions-apiserver for every check, and on nothing of tfgitops.
package crds
