// Package diff says what a change to a control repo does to each cluster.
//
// It owns the comparison of two sides, any two fs.FS of a control repo: which clusters have to be built (same.go), which
// objects belong together (match.go), which fields differ (fields.go), what of that is noise (noise.go), what Helm would
// apply for a changed release (releases.go, charts.go), what is dangerous about it (rules*.go), and which clusters have the
// same change (fold.go). All of it ends in a [Report], which is data; the writers (write.go and its formats) only format it.
// secret.go replaces secrets by keyed fingerprints before anything is compared, so that nothing after it holds one.
//
// Fields are compared by github.com/homeport/dyff: it matches entries of lists by their names, and tells moved entries
// from changed ones. Equal branches are cut off before, which costs less than comparing them.
//
// It depends on pkg/control for pins and components, pkg/overlay for what Flux applies, pkg/artifact and pkg/chart for what
// Helm applies, and on nothing that fetches or prints by itself: registries and sources of components are handed in.
package diff
