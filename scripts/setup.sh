#!/usr/bin/env bash
# Installs what the checks need beyond Go, Git and make: with apt shellcheck, Nix for `make nix-check`, promtool, which tries
# out the alert rules, and Chromium, which opens the pages that are written; with npm, where there is npm, what checks the
# GitLab CI components against GitLab's schema.
# Safe to run again. Where apt, root or npm is missing it says what to install by hand, and goes on.
set -euo pipefail
cd "$(dirname "$0")/.."

# program:Debian package
readonly needed=(shellcheck:shellcheck nix-instantiate:nix-bin promtool:prometheus chromium:chromium)

# install_promtool takes promtool out of the package of Prometheus: installed, that would start a server.
install_promtool() {
	local dir
	dir=$(mktemp -d)
	chmod 755 "$dir"
	(cd "$dir" && apt-get download -q prometheus && dpkg-deb --extract prometheus_*.deb unpacked)
	install "$dir/unpacked/usr/bin/promtool" /usr/local/bin/promtool
	rm -rf "$dir"
}

missing=()
for pair in "${needed[@]}"; do
	command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done

if ((${#missing[@]} == 0)); then
	echo "setup: everything is installed"
elif ! command -v apt-get >/dev/null; then
	echo "setup: no apt-get here: install ${missing[*]} by hand (make lint, make nix-check, the tests of the alert rules and those of pages need them)"
elif ((EUID != 0)); then
	echo "setup: not root: run sudo scripts/setup.sh, or install ${missing[*]} (make lint, make nix-check, the tests of the alert rules and those of pages need them)"
else
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	packages=()
	for package in "${missing[@]}"; do
		if [[ $package == prometheus ]]; then install_promtool; else packages+=("$package"); fi
	done
	if ((${#packages[@]} > 0)); then apt-get install -q -y --no-install-recommends "${packages[@]}"; fi
fi

# Below .cache, where no check of this repository's own files looks.
readonly checker=.cache/gitlab-ci
if cmp -s tools/gitlab-ci/package-lock.json "$checker/package-lock.json" && [[ -x $checker/node_modules/.bin/gitlab-ci-local ]]; then
	echo "setup: gitlab-ci-local is installed"
elif ! command -v npm >/dev/null; then
	echo "setup: no npm here: the GitLab CI components are not checked against GitLab's schema; install Node.js and npm for that"
else
	mkdir -p "$checker"
	cp tools/gitlab-ci/package.json tools/gitlab-ci/package-lock.json "$checker"
	npm ci --prefix "$checker" --ignore-scripts --no-audit --no-fund ||
		echo "setup: npm could not install gitlab-ci-local: the GitLab CI components are not checked against GitLab's schema" >&2
fi
