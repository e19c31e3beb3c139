#!/usr/bin/env bash
# Checks every shell script of the repository. Without shellcheck it says so; in CI that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v shellcheck >/dev/null; then
	git ls-files -z --cached --others --exclude-standard '*.sh' .ci/run | xargs -0 shellcheck
	echo "shellcheck: the scripts are clean"
elif [[ -n ${CI-} ]]; then
	echo "shellcheck is not installed: scripts/setup.sh installs it" >&2
	exit 2
else
	echo "shellcheck is not installed, so the scripts were not checked: scripts/setup.sh installs it" >&2
fi
