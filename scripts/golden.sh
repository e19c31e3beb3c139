#!/usr/bin/env bash
# Rewrites the golden files of every package whose tests have an -update flag. Read the difference before committing it.
set -euo pipefail
cd "$(dirname "$0")/.."

files=$(git grep --untracked -l 'flag.Bool("update"' -- '*_test.go')
for file in $files; do
	package=./$(dirname "$file")
	echo "go test $package -update"
	go test "$package" -update
done
