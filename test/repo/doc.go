// Package repo holds tests on the repository as a whole: which package may import which, that every package says what it
// owns, what may stand at package level, and that links in Markdown files lead somewhere.
//
// It reads source files and depends on no other package.
package repo
