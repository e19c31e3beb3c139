// Package validate finds everything that is wrong with a control repo, or with a change of one, in one run.
//
// It owns the order of the checks (validate.go), the rules on what each cluster's overlay builds (build.go, objects.go), the
// rules on a change (change_rules.go is their table) and the output formats (write.go). It depends on pkg/control for the
// rules on the repo alone, on pkg/render for what each cluster comes to, on pkg/overlay for what Flux would apply, on the
// CRDs of Flux's kinds, and for changes on pkg/gitrepo for the commits and on pkg/bump for what their trailers state.
package validate
