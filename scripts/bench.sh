#!/usr/bin/env bash
# Measures bin/tfgitops on Toolforge's repo and on generated ones: render beside kustomize (docs/benchmarks.md), bump beside
# Git (docs/benchmarks-bump.md), diff beside helm (docs/benchmarks-diff.md), and 200 clusters that it reads
# (docs/benchmarks-live.md).
# Arguments go to the measuring program: scripts/bench.sh -h lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

mkdir -p test/bench/results
go build -C test/bench -o results/kustomize sigs.k8s.io/kustomize/kustomize/v5
go build -C test/bench -o results/helm helm.sh/helm/v4/cmd/helm
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

test/bench/results/measure \
	-what=diff \
	-root="$root" \
	-tfgitops="$root/bin/tfgitops" \
	-helm="$root/test/bench/results/helm" \
	-out="$root/docs/benchmarks-diff.md" \
	"$@"
