// Command demo is the world that `make demo` runs in: a component's source repository and a registry on loopback with the
// charts and images that its CI would have published. It writes what the demo needs to know to a file, and lasts until
// its standard input ends.
//
// It depends on the test registry and on the git program, and on nothing of tfgitops itself.
package main
