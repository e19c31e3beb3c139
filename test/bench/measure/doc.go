// Command measure runs whole processes of tfgitops and kustomize on real and generated control repos, and writes what it
// measured as a page with targets. scripts/bench.sh builds both programs and runs it.
package main
