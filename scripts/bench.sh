#!/usr/bin/env bash
# Measures bin/tfgitops on Toolforge's repo and on generated ones, beside kustomize and Git, and with 200 clusters that it
# reads; writes docs/benchmarks.md, docs/benchmarks-bump.md and docs/benchmarks-live.md.
# Arguments go to the measuring program: scripts/bench.sh -h lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

mkdir -p test/bench/results
go build -C test/bench -o results/kustomize sigs.k8s.io/kustomize/kustomize/v5
go build -C test/bench -o results/measure ./measure
go build -C test/bench -o results/gen ./gen
go build -o test/bench/results/bumpbench ./test/bumpbench
go build -o test/bench/results/livebench ./test/livebench
go test -run='^$' -bench=. -benchmem ./pkg/... >test/bench/results/go.txt

test/bench/results/measure \
	-root="$root" \
	-tfgitops="$root/bin/tfgitops" \
	-kustomize="$root/test/bench/results/kustomize" \
	-go-benchmarks="$root/test/bench/results/go.txt" \
	-out="$root/docs/benchmarks.md" \
	"$@"

test/bench/results/bumpbench \
	-root="$root" \
	-tfgitops="$root/bin/tfgitops" \
	-generator="$root/test/bench/results/gen" \
	-out="$root/docs/benchmarks-bump.md"

test/bench/results/livebench \
	-tfgitops="$root/bin/tfgitops" \
	-generator="$root/test/bench/results/gen" \
	-out="$root/docs/benchmarks-live.md"
