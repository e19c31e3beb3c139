// Package atomicfile replaces files whole: whoever reads one, at any moment and after any interruption, sees the old or
// the new content. It depends on nothing of tfgitops.
package atomicfile
