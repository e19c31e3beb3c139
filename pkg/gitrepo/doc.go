// Package gitrepo owns everything that tfgitops does with Git: a commit as a
// file system, history and ancestry, cached clones of component sources,
// commits of exact paths, and pushes.
//
// # Who does what
//
// Objects (trees and blobs) are read in process with go-git's object storage:
// 12,000 objects of a packed repository took 73 ms that way and 600 ms through
// a `git cat-file --batch` pipe. Everything that walks history runs the git
// program (2.30 or newer): `git log` lists the changes of 5,000 commits under a
// path in 0.2 to 0.4 s, it uses commit-graphs, and its answers to revisions,
// shallow and partial clones are the ones people know. Everything that writes
// runs the git program too, so that hooks, signing, credential helpers and
// configuration are people's own.
//
// # Rules
//
// Variables such as GIT_DIR and GIT_INDEX_FILE, which Git sets for hooks, never
// reach the git program that this package starts; configuration does. Nothing
// prompts. Credentials in URLs are removed from every error. No branch is ever
// forced, unless the caller names the commit that it expects to replace.
//
// Paths given to and returned by this package are slash separated and relative
// to the directory that was opened, which may be a subdirectory of the Git work
// tree.
//
// The package depends on go-git's storage, gofrs/flock and the git program. It
// knows nothing of control repos, pins or rendering.
package gitrepo
