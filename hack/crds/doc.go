// Package crds pins controller-gen, with which hack/crds.sh makes the CustomResourceDefinitions that
// tfgitops validates against. It is a module of its own so that controller-gen's dependencies do not
// move those of tfgitops.
package crds
