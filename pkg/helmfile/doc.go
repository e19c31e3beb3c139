// Package helmfile imports a helmfile control repo into one of tfgitops, with proof.
//
// It reads helmfiles as helmfile's version 0 does (load.go, environment.go, release.go, values.go: the file is a template
// before it is YAML, in two passes), without running a command, and without reading outside of the folder that it is given
// (source.go). The output of a command is a placeholder (secret.go) that is followed through templates to the value it
// ends in. What was read becomes the deployments that helmfile makes (deployment.go), these become files (design.go,
// write*.go), written over what the target has (merge*.go), and the rendered result is compared with what was read
// (proof.go). Every construct met is in the report (constructs.go, report.go): mapped, dropped, or to do.
//
// It depends on pkg/control and pkg/render for what a control repo means, and on Masterminds/sprig for the functions of
// helmfile's templates. What checks live releases before Flux adopts them is in pkg/helmfile/adopt.
package helmfile
