// Command generate makes the files that follow from Go types and tables: the JSON Schemas of the four kinds, and the
// reference page on files.
//
// It owns reading doc comments and Flux's markers from source (source.go), turning types into schemas (schema.go) and
// writing the page (files.go). It depends on the kinds of pkg/api/v1alpha1. `make generate` runs it; the released
// program does not contain it.
package main

//go:generate go run . ../..
