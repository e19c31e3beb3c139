// Package repo holds tests on the repository as a whole: which package may import which, that every package says what it
// owns, what may stand at package level, that links in Markdown files lead somewhere, and that the other modules are tidy.
//
// It reads source files, runs the go command, and depends on no other package.
package repo
