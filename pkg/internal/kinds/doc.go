// Package kinds tells which of Kubernetes' own kinds live in a namespace.
//
// It owns the table of those that do not, and depends on client-go for which kinds there are. kustomize knows it too, but in
// a schema that every build of the process shares and may replace, without a lock for those who read it.
package kinds
