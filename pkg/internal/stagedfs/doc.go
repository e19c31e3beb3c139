// Package stagedfs shows a file system as it will be after changes that nobody has made yet, so that a change can be
// loaded, rendered and checked before anything is written. It depends on nothing of tfgitops.
package stagedfs
