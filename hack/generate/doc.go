// Command generate makes the files that follow from Go types and tables: the JSON Schemas of the four kinds, and the
// reference pages on files and on the two kinds of rules.
//
// It owns reading doc comments and Flux's markers from source (source.go), turning types into schemas (schema.go) and
// writing the pages (files.go, rules.go, safetyrules.go). It depends on the kinds of pkg/api/v1alpha1 and on the rules of
// pkg/validate and pkg/bump.
// `make generate` runs it; the released program does not contain it.
package main

//go:generate go run . ../..
