// Package render turns a control repo into the Flux objects of each cluster, and those into files.
//
// It is pure up to write.go: no clock, network or environment, and the same repo gives the same bytes. It owns which
// fields are set and why (helmrelease.go, source.go, namespace.go), which Flux version has which field (flux.go), how
// objects become YAML that every parser reads alike (yaml.go), and which files a cluster consists of (files.go).
// write.go compares those with what is on disk and writes what differs. It depends on pkg/control.
package render
