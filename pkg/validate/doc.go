// Package validate finds everything that is wrong with a control repo, in one run.
//
// It owns the order of the checks (validate.go), the rules on what each cluster's overlay builds (build.go, objects.go)
// and the output formats (write.go). It depends on pkg/control for the rules on the repo alone, on pkg/render for what
// each cluster comes to, on pkg/overlay for what Flux would apply, and on the CRDs of Flux's kinds.
package validate
