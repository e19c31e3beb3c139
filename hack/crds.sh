#!/bin/sh
# Makes pkg/internal/crds/schemas: the CustomResourceDefinitions of Flux's kinds, from the Go types of
# the API modules in go.mod, with controller-gen (pinned in hack/crds/go.mod, a module of its own
# because its dependencies must not move those of tfgitops).
#
#   hack/crds.sh           writes them
#   hack/crds.sh --check   writes nothing; exits 1 and prints the difference if they are not what
#                          controller-gen makes
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
checked_in=$root/pkg/internal/crds/schemas

case "${1-}" in
'' | --check) ;;
*)
	echo "usage: hack/crds.sh [--check]" >&2
	exit 2
	;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

go build -C "$root/hack/crds" -o "$scratch/controller-gen" sigs.k8s.io/controller-tools/cmd/controller-gen

# Run from the root, so that the types are read at the versions of the main go.mod. Descriptions are
# left out (maxDescLen=0): no validation reads them and they are two thirds of the size.
(
	cd "$root"
	"$scratch/controller-gen" crd:crdVersions=v1,maxDescLen=0 \
		paths=github.com/fluxcd/helm-controller/api/v2 \
		paths=github.com/fluxcd/kustomize-controller/api/v1 \
		paths=github.com/fluxcd/source-controller/api/v1 \
		output:crd:dir="$scratch/schemas"
)

if [ "${1-}" = --check ]; then
	if ! diff -ru "$checked_in" "$scratch/schemas"; then
		echo "pkg/internal/crds/schemas is not what controller-gen makes: run hack/crds.sh" >&2
		exit 1
	fi
	exit 0
fi

mkdir -p "$checked_in"
rm -f "$checked_in"/*.yaml
cp "$scratch/schemas"/*.yaml "$checked_in"
