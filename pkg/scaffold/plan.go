package scaffold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/stagedfs"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// ErrExists says that something would be made that is there already.
var ErrExists = errors.New("there already")

// Plan is what an operation would change.
type Plan struct {
	// Changes are sorted by path.
	Changes []render.Change
	// Notes say what else people should know, a sentence each.
	Notes []string
}

// proposal is a control repo with changes on top.
type proposal struct {
	base  fs.FS
	files map[string][]byte // nil for a file that is to go
	notes []string
}

func propose(base fs.FS) *proposal { return &proposal{base: base, files: map[string][]byte{}} }

// FS shows the repo with the changes made so far.
func (p *proposal) FS() fs.FS { return stagedfs.New(p.base, maps.Clone(p.files)) }

// create adds a file, which must not be there with another content.
func (p *proposal) create(file, content string) error {
	old, err := fs.ReadFile(p.base, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.files[file] = []byte(content)
		return nil
	case err != nil:
		return fmt.Errorf("cannot read %s: %w", file, err)
	case string(old) == content:
		return nil
	}
	return fmt.Errorf("%s is %w with another content: move it elsewhere first", file, ErrExists)
}

// edit replaces a file's content by what change makes of it.
func (p *proposal) edit(file string, change func([]byte) ([]byte, error)) error {
	old, err := fs.ReadFile(p.FS(), file)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", file, err)
	}
	edited, err := change(old)
	if err != nil {
		return fmt.Errorf("cannot edit %s: %w", file, err)
	}
	p.files[file] = edited
	return nil
}

// remove takes a file away, if it is there.
func (p *proposal) remove(file string) {
	if _, err := fs.Lstat(p.base, file); err == nil {
		p.files[file] = nil
	}
}

// render adds what the clusters' rendered files become.
func (p *proposal) render(ctx context.Context, clusters ...string) error {
	if len(clusters) == 0 {
		return nil
	}
	changes, err := render.Plan(ctx, p.FS(), control.Only{Clusters: clusters})
	for _, change := range changes {
		p.files[change.Path] = change.New
	}
	return err
}

// plan returns the changes, unless one of them would bring an error into the control repo.
func (p *proposal) plan(ctx context.Context) (Plan, error) {
	if err := p.newErrors(ctx).Err(); err != nil {
		return Plan{}, err
	}
	plan := Plan{Notes: p.notes}
	for _, file := range slices.Sorted(maps.Keys(p.files)) {
		old, err := fs.ReadFile(p.base, file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Plan{}, fmt.Errorf("cannot read %s: %w", file, err)
		}
		if content := p.files[file]; old == nil || content == nil || !bytes.Equal(old, content) {
			plan.Changes = append(plan.Changes, render.Change{Path: file, Old: old, New: content})
		}
	}
	return plan, ctx.Err()
}

// newErrors returns the errors in the repo that the changes would bring.
func (p *proposal) newErrors(ctx context.Context) control.Findings {
	type identity struct{ rule, file, message string } // lines move
	known := map[identity]bool{}
	for _, f := range findings(ctx, p.base) {
		known[identity{f.Rule, f.File, f.Message}] = true
	}
	return slices.DeleteFunc(findings(ctx, p.FS()), func(f control.Finding) bool {
		return f.Severity != control.Error || known[identity{f.Rule, f.File, f.Message}]
	})
}

func findings(ctx context.Context, fsys fs.FS) control.Findings {
	repo, findings := control.Load(ctx, fsys, control.Only{})
	return append(findings, control.Check(repo)...).Sorted()
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Lstat(fsys, name)
	return err == nil
}
