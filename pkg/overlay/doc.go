// Package overlay builds a cluster directory with kustomize as Flux's kustomize-controller does, in
// process and from any fs.FS, and says where each built object comes from.
//
// kustomize fetches what a kustomization names: URLs over HTTP, Git repositories with the git program.
// A merge request must not be able to make a checker do that, so everything that the kustomizations
// name is read first, recursively; whatever is remote, absolute, outside the tree, a symbolic link or a
// plugin is refused with its file and line, and only then is anything built.
//
// It depends on github.com/fluxcd/pkg/kustomize for the build, and on nothing of tfgitops.
package overlay
