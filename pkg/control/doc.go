// Package control loads a control repo, from a working tree, a Git commit or a map in a test, and checks what can be
// checked on it alone.
//
// It owns the layout of a control repo (layout.go), reading its files strictly (load.go, values.go), findings with their
// positions (finding.go), what each component comes to on each cluster once every default and override is applied
// (deployment.go), and the rules on all of that (check*.go). It depends on the kinds of pkg/api/v1alpha1 and on the file
// system that it is given, and on nothing that comes after it in the data flow.
package control
