// Package v1alpha1 holds the four kinds of file that a control repo is written in: ControlRepo, Component, Cluster and
// Pin.
//
// It owns their Go types, with every field documented, and the JSON Schemas made from them (Schema). It depends on
// Flux's API types, where a field is Flux's own, and on nothing else of tfgitops.
package v1alpha1
