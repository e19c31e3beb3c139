#!/usr/bin/env bash
# Runs each fuzz target for a while (FUZZTIME, 30s where nothing is said). Go fuzzes one target at a time.
set -euo pipefail
cd "$(dirname "$0")/.."

while IFS=: read -r file target; do
	package=./$(dirname "$file")
	echo "$package $target"
	go test -run='^$' -fuzz="^$target\$" -fuzztime="${FUZZTIME:-30s}" "$package"
done < <(git grep -o --untracked -E '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/func //')
