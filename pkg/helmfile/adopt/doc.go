// Package adopt checks live Helm releases before Flux adopts them, and plans in which order that happens.
//
// Flux takes over what helmfile installed when it finds Helm's record of it: the same name, in the same namespace. It owns
// the reading of those records (records.go), what each means for the release of a control repo (check.go), and the plan for
// people (plan.go). It depends on pkg/control for the releases, and on Helm's own storage driver over client-go for the
// records. It changes nothing in a cluster.
package adopt
