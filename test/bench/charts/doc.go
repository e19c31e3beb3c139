// Package charts makes Helm charts as large as real ones, and serves them as an OCI registry does. It depends on nothing.
package charts
