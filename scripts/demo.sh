#!/usr/bin/env bash
# The main job, in a scratch copy of this repository: render all of Toolforge, change one pin, read the difference.
# Every command is printed before it runs. Nothing outside the scratch copy is touched, and it is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/bin:$PATH

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

say() { printf '\n# %s\n' "$*"; }
run() {
	printf '$ %s\n' "$*"
	eval "$*"
}

git clone -q . "$scratch/toolforge"
cd "$scratch/toolforge"
export GIT_PAGER=cat

say "A control repo says which commit of which component runs on which cluster. This one is Toolforge's."
run "ls components"
run "ls clusters"
run "cat clusters/toolsbeta/pins/envvars-api.yaml"

say "render turns it into Flux objects, one directory a cluster. Here from nothing:"
run "rm -rf clusters/*/manifests"
run "tfgitops render"
run "ls clusters/toolsbeta/manifests"
run "cat clusters/toolsbeta/manifests/envvars-api.yaml"

say "The same input gives the same bytes: Git sees no change."
run "git status --short"

say "Now one pin, changed by hand, and rendered again."
run "sed -E \
-e 's/commit: \"[0-9a-f]+\"/commit: \"0a1b2c3d\"/' \
-e 's/\"0\.0\.[0-9]+-[0-9]{14}-[0-9a-f]{8}\"/\"0.0.999-20261101120000-0a1b2c3d\"/' \
clusters/toolsbeta/pins/envvars-api.yaml >changed && mv changed clusters/toolsbeta/pins/envvars-api.yaml"
run "tfgitops render"

say "What a reviewer reads: the pin, and the one object that Flux will upgrade."
if git diff --quiet; then
	echo "demo: the pin did not change: its version is not of the form that scripts/demo.sh expects" >&2
	exit 1
fi
run "git diff --stat"
run "git diff"
run "tfgitops validate"
