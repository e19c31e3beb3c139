package gitrepo

import (
	"context"
	"fmt"
	"strings"
)

// ChangedFiles returns the files that differ between two commits, from the top of the repository whatever directory was
// opened, sorted. A file that was renamed is two.
func (r *Repo) ChangedFiles(ctx context.Context, old, new string) ([]string, error) {
	ids, err := r.resolveBoth(ctx, old, new)
	if err != nil {
		return nil, err
	}
	out, err := r.git.run(ctx, "diff-tree", "-r", "-z", "--name-only", "--no-renames", ids[0], ids[1])
	if err != nil {
		return nil, fmt.Errorf("comparing %s with %s: %w", old, new, err)
	}
	return strings.FieldsFunc(out, func(r rune) bool { return r == 0 }), nil
}
