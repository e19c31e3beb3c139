// Command measure runs whole processes of tfgitops beside kustomize and helm, on real and generated control repos, and writes
// what it measured as a page with targets: -what render or diff. scripts/bench.sh builds the programs and runs it.
package main
