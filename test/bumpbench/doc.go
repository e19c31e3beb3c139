// Command bumpbench measures whole processes of `tfgitops bump --commit` beside `git add` and `git commit` of the same
// files, in Toolforge's control repo and in a generated one, and how long a listing of 5,000 tags takes; it writes a page.
// Registry and component source are on loopback. scripts/bench.sh runs it.
//
// It depends on the test registry and the git program, and on nothing of tfgitops itself.
package main
