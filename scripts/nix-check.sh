#!/usr/bin/env bash
# Checks flake.nix without a network: it parses and evaluates, and its vendorHash is the hash of the vendored modules.
#
#   scripts/nix-check.sh            exits 1 where the hash is stale
#   scripts/nix-check.sh --update   writes the right hash into flake.nix
#
# nixpkgs' buildGoModule (with proxyVendor unset) fetches in a derivation of its own: `go mod vendor` at the root of the
# source, then the vendor directory alone is copied out, and vendorHash is that directory's NAR hash. So it changes with
# go.mod, and also when a package of a module is imported for the first time or for the last.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v nix-instantiate >/dev/null; then
	echo "nix-check: nix-instantiate is not installed: run scripts/setup.sh, or install Debian's nix-bin" >&2
	exit 2
fi

nix-instantiate --parse flake.nix >/dev/null
stated=$(nix-instantiate --eval --strict scripts/nix-check.nix | tr -d '"')

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
GOFLAGS=-mod=readonly GOWORK=off go mod vendor -o "$scratch/vendor"
actual=$(nix --extra-experimental-features nix-command hash path "$scratch/vendor")

if [[ $stated == "$actual" ]]; then
	echo "nix-check: flake.nix is right: $actual"
elif [[ ${1-} == --update ]]; then
	sed "s|vendorHash = \"[^\"]*\"|vendorHash = \"$actual\"|" flake.nix >"$scratch/flake.nix"
	cat "$scratch/flake.nix" >flake.nix
	echo "nix-check: vendorHash was $stated, is now $actual"
else
	echo "nix-check: vendorHash in flake.nix is $stated, the vendored modules have $actual: run scripts/nix-check.sh --update" >&2
	exit 1
fi
