package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"helm.sh/helm/v4/pkg/ignore"
)

// LoadDir parses an unpacked chart: fsys is its directory, with Chart.yaml at
// the top. A .helmignore is followed as Helm does. Links are refused and the
// limits are those of [Load], Compressed left aside.
func LoadDir(fsys fs.FS, limits Limits) (*Chart, error) {
	r := &reader{limits: limits.withDefaults(), seen: map[string]bool{}}
	rules, err := r.ignoreRules(fsys)
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		return r.dirEntry(fsys, rules, name, entry)
	})
	if err != nil {
		return nil, err
	}
	return r.chart()
}

func (r *reader) dirEntry(fsys fs.FS, rules *ignore.Rules, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	switch {
	case rules.Ignore(name, info) && entry.IsDir():
		return fs.SkipDir
	case rules.Ignore(name, info):
		return nil
	}
	if err := r.count(name); err != nil {
		return err
	}
	if err := checkPath(name); err != nil {
		return err
	}
	switch {
	case entry.IsDir():
		return nil
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %q", ErrNotRegular, name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return r.file(name, info.Size(), f, 1)
}

// ignoreRules reads .helmignore, which is as hostile as the rest.
func (r *reader) ignoreRules(fsys fs.FS) (*ignore.Rules, error) {
	rules := ignore.Empty()
	defer func() { rules.AddDefaults() }()
	info, err := fs.Lstat(fsys, ignore.HelmIgnore)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return rules, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %q", ErrNotRegular, ignore.HelmIgnore)
	case info.Size() > r.limits.File:
		return nil, fmt.Errorf("%w: %q has %d bytes", ErrTooLarge, ignore.HelmIgnore, info.Size())
	}
	data, err := fs.ReadFile(fsys, ignore.HelmIgnore)
	if err != nil {
		return nil, err
	}
	if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrMalformed, ignore.HelmIgnore, err)
	}
	return rules, nil
}
