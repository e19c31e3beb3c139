#!/usr/bin/env bash
# Installs what the checks need beyond Go, Git and make, with apt: shellcheck, and Nix for `make nix-check`.
# Safe to run again. Where apt or root is missing it says what to install by hand, and goes on.
set -euo pipefail

# program:Debian package
readonly needed=(shellcheck:shellcheck nix-instantiate:nix-bin)

missing=()
for pair in "${needed[@]}"; do
	command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done

if ((${#missing[@]} == 0)); then
	echo "setup: everything is installed"
elif ! command -v apt-get >/dev/null; then
	echo "setup: no apt-get here: install ${missing[*]} by hand (make lint and make nix-check need them)"
elif ((EUID != 0)); then
	echo "setup: not root: run sudo apt-get install ${missing[*]} (make lint and make nix-check need them)"
else
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
