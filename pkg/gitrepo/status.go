package gitrepo

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// manyPaths is from where on one look at everything beats matching every file
// against every path, which Git does one by one.
const manyPaths = 200

// DirtyPath is a file with changes that HEAD does not have.
type DirtyPath struct {
	Path      string
	Staged    bool // the index differs from HEAD
	Modified  bool // the work tree differs from the index
	Untracked bool // the index does not have the file
}

// Dirty returns which of the paths (files, or directories with everything below
// them) carry uncommitted changes, sorted. No paths: everything under Dir.
// Ignored files are not reported.
func (r *Repo) Dirty(ctx context.Context, paths []string) ([]DirtyPath, error) {
	specs := r.pathspecs(paths)
	if len(specs) > manyPaths {
		specs = r.pathspecs(nil)
	}
	args := append([]string{
		"--no-optional-locks", "status", "--porcelain=v2", "-z",
		"--untracked-files=all", "--no-renames", "--ignore-submodules=none", "--",
	}, specs...)
	out, err := r.git.run(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("looking for uncommitted changes: %w", err)
	}
	found, err := r.parseStatus(out)
	if err != nil {
		return nil, fmt.Errorf("looking for uncommitted changes: %w", err)
	}
	if len(paths) > manyPaths {
		found = under(found, paths)
	}
	return found, nil
}

// pathColumn is where the path begins in an entry of each kind.
var pathColumn = map[byte]int{'1': 8, 'u': 10, '?': 1}

// parseStatus reads `git status --porcelain=v2 -z --no-renames`. A file that
// was removed from the index but is still there comes twice.
func (r *Repo) parseStatus(out string) ([]DirtyPath, error) {
	byPath := map[string]DirtyPath{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if entry == "" || entry[0] == '#' || entry[0] == '!' {
			continue
		}
		column, ok := pathColumn[entry[0]]
		columns := strings.SplitN(entry, " ", column+1)
		if !ok || len(columns) != column+1 || column > 1 && len(columns[1]) != 2 {
			return nil, fmt.Errorf("%w: status entry %q", ErrMalformed, entry)
		}
		path := strings.TrimPrefix(columns[column], r.prefix)
		dirty := byPath[path]
		dirty.Path = path
		if entry[0] == '?' {
			dirty.Untracked = true
		} else {
			dirty.Staged = columns[1][0] != '.'
			dirty.Modified = columns[1][1] != '.'
		}
		byPath[path] = dirty
	}
	return sortedPaths(byPath), nil
}

func sortedPaths(byPath map[string]DirtyPath) []DirtyPath {
	list := make([]DirtyPath, 0, len(byPath))
	for _, dirty := range byPath {
		list = append(list, dirty)
	}
	slices.SortFunc(list, func(a, b DirtyPath) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// under keeps what is one of the paths, or below one.
func under(found []DirtyPath, paths []string) []DirtyPath {
	wanted := make(map[string]bool, len(paths))
	for _, path := range paths {
		wanted[strings.TrimSuffix(path, "/")] = true
	}
	return slices.DeleteFunc(found, func(dirty DirtyPath) bool {
		for path := dirty.Path; ; {
			if wanted[path] {
				return false
			}
			at := strings.LastIndexByte(path, '/')
			if at < 0 {
				return !wanted["."]
			}
			path = path[:at]
		}
	})
}
