#!/usr/bin/env bash
# The main job, in a scratch copy of this repository: render all of Toolforge, change one pin by hand, then bump, diff, promote,
# roll back and re-apply a component against a registry that lives as long as the demo.
# Every command is printed before it runs. Nothing outside the scratch copy is touched, and it is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/bin:$PATH
go build -o bin/demo ./test/demo

scratch=$(mktemp -d)
world=
trap '[ -z "$world" ] || kill "$world" 2>/dev/null || true; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

say() { printf '\n# %s\n' "$*"; }
run() {
	printf '$ %s\n' "$*"
	eval "$*"
}
# refused runs a command that a safety rule must stop.
refused() {
	printf '$ %s\n' "$*"
	local code=0
	eval "$*" || code=$?
	printf '(exit code %d)\n' "$code"
	[ "$code" -eq 3 ] || { echo "demo: a safety rule should have refused this" >&2; exit 1; }
}

git clone -q . "$scratch/toolforge"
cd "$scratch/toolforge"
export GIT_PAGER=cat XDG_CACHE_HOME="$scratch/cache"
git config user.name "Demo Operator"
git config user.email operator@example.org

say "A control repo says which commit of which component runs on which cluster. This one is Toolforge's."
run "ls components"
run "ls clusters"
run "cat clusters/toolsbeta/pins/envvars-api.yaml"

say "render turns it into Flux objects, one directory a cluster. Here from nothing:"
run "rm -rf clusters/*/manifests"
run "tfgitops render 2>&1 | tail -n 3"
run "ls clusters/toolsbeta/manifests"
run "cat clusters/toolsbeta/manifests/envvars-api.yaml"

say "The same input gives the same bytes: Git sees no change."
run "git status --short"

say "Now one pin, changed by hand, and rendered again."
run "sed -E -i.old \
-e 's/commit: \"[0-9a-f]+\"/commit: \"0a1b2c3d\"/' \
-e 's/\"0\.0\.[0-9]+-[0-9]{14}-[0-9a-f]{8}\"/\"0.0.999-20261101120000-0a1b2c3d\"/' \
clusters/toolsbeta/pins/envvars-api.yaml && rm clusters/toolsbeta/pins/envvars-api.yaml.old"
run "tfgitops render"

say "What a reviewer reads: the pin, and the one object that Flux will upgrade."
if git diff --quiet; then
	echo "demo: the pin did not change: its version is not of the form that scripts/demo.sh expects" >&2
	exit 1
fi
run "git diff"
run "tfgitops validate"
git checkout -q .

say "Nobody types versions into pins, though. From here on there is a registry, with what CI published of
# maintain-kubeusers. (Set-up, not shown: this copy's chart repositories are that registry, and its source is there too.)"
mkdir "$scratch/world"
mkfifo "$scratch/world/input"
demo "$scratch/world" <"$scratch/world/input" &
world=$!
exec 9>"$scratch/world/input"
for _ in $(seq 100); do
	[ ! -e "$scratch/world/env" ] || break
	sleep 0.1
done
# shellcheck disable=SC1091
. "$scratch/world/env"
# shellcheck disable=SC2154
sed -E -i.old -e "s#oci://tools-harbor.wmcloud.org/toolforge#oci://$registry/tools#" tfgitops.yaml clusters/*/cluster.yaml
sed -E -i.old -e "s#oci://toolsbeta-harbor.wmcloud.org/toolforge#oci://$registry/toolsbeta#" clusters/*/cluster.yaml
sed -E -i.old -e "s#(oci://$registry/tools['\"]?)#\1\n      insecure: true#" tfgitops.yaml
sed -E -i.old -e "s#- tools-harbor.wmcloud.org#- $registry#" clusters/*/cluster.yaml
# shellcheck disable=SC2154
sed -E -i.old -e "s/commit: .*/commit: \"$commit\"/" -e "s/version: .*/version: \"$version\"/" clusters/*/pins/maintain-kubeusers.yaml
find . -name '*.old' -delete
tfgitops render 2>/dev/null
git commit -qam "Use the demo's registry"
# shellcheck disable=SC2154
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$source.insteadOf" GIT_CONFIG_VALUE_0="https://gitlab.wikimedia.org/repos/cloud/toolforge/maintain-kubeusers"

say "bump pins a commit on the first stage: toolsbeta, and local, which follows it."
run "tfgitops bump maintain-kubeusers abc123"
say "What a reviewer should know of it: what is in the new commits, and what Helm will do with the new charts, risks first."
run "tfgitops diff HEAD --charts"

say "The same with --commit makes one commit of exactly those files."
run "tfgitops bump maintain-kubeusers abc123 --commit >/dev/null"
run "git log -1"

say "promote takes what the stage before runs. Nobody here can ask toolsbeta's Flux, and tfgitops does not guess:"
refused "tfgitops promote maintain-kubeusers"
run "tfgitops promote maintain-kubeusers --override unverified --reason 'no clusters in this demo' --commit"

say "It breaks. rollback returns one cluster to what it ran before, and holds the version that it left."
run "tfgitops rollback maintain-kubeusers --cluster tools --reason 'breaks on NFS' --task T123456 --commit"
refused "tfgitops promote maintain-kubeusers --override unverified --reason 'no clusters in this demo'"

say "Fixed elsewhere: re-apply what was left."
run "tfgitops unhold maintain-kubeusers --cluster tools --reapply --commit"

say "What ran where, since when, by whom:"
run "tfgitops log maintain-kubeusers -n 8"
run "tfgitops validate"
run "git status --short"
