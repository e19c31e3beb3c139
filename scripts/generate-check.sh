#!/usr/bin/env bash
# Exits 1, with the difference, where a checked-in generated file is not what `make generate` makes now.
# It generates in a copy, so that the working tree stays as it is, whatever has been edited there.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# The working tree as Git would commit it: edits and new files in, ignored and deleted files out.
index=$scratch/index
GIT_INDEX_FILE=$index git add --all
tree=$(GIT_INDEX_FILE=$index git write-tree)
mkdir "$scratch/copy"
git archive "$tree" | tar -x -C "$scratch/copy"

cd "$scratch/copy"
unset GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE
git init -q
git add --all --force
git -c user.name=check -c user.email=check@localhost -c commit.gpgsign=false commit -q --no-verify -m copy
make generate
git add --all --intent-to-add
if ! git diff --exit-code; then
	echo "generate-check: the files above are not what the code makes now: run make generate and commit them" >&2
	exit 1
fi
