package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

func (l *loader) read(file string, limit int64) ([]byte, bool) {
	data, err := readLimited(l.repo.fsys, file, limit)
	if err == nil {
		return data, true
	}
	finding := Finding{Rule: RuleUnreadable, Severity: Error, File: file, Message: err.Error()}
	if errors.Is(err, fs.ErrNotExist) {
		finding.Message, finding.Help = "there is no such file", missingHelp(file)
	}
	l.find(finding)
	return nil, false
}

// missingHelp says how a file that must be there comes to be.
func missingHelp(file string) string {
	switch {
	case file == RootFile:
		return "run this inside a control repo, or start one with `tfgitops init`"
	case strings.HasPrefix(file, clustersDir+"/"):
		return fmt.Sprintf("create it with `tfgitops cluster add %s`, or remove the folder", path.Base(path.Dir(file)))
	default:
		return fmt.Sprintf("create it with `tfgitops component add %s`, or remove the folder", path.Base(path.Dir(file)))
	}
}

// readLimited reads a file of at most limit bytes.
func readLimited(fsys fs.FS, name string, limit int64) ([]byte, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, bareError(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, bareError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%d bytes are more than the %d that a file may have here", info.Size(), limit)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, bareError(err)
	}
	return data, nil
}

// bareError leaves out the operation and path of a file system's error: the finding names the file.
func bareError(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// folders returns the names of the folders in dir, sorted; a dir that is absent has none.
func (l *loader) folders(dir string) []string {
	var names []string
	for _, entry := range l.entries(dir) {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// files returns the names of what is in dir and no folder; a dir that is absent has none.
func (l *loader) files(dir string) map[string]bool {
	names := map[string]bool{}
	for _, entry := range l.entries(dir) {
		if !entry.IsDir() {
			names[entry.Name()] = true
		}
	}
	return names
}

func (l *loader) entries(dir string) []fs.DirEntry {
	entries, err := fs.ReadDir(l.repo.fsys, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.find(Finding{Rule: RuleUnreadable, Severity: Error, File: dir, Message: bareError(err).Error()})
	}
	return entries
}

func (l *loader) exists(file string) bool {
	_, err := fs.Stat(l.repo.fsys, file)
	return err == nil
}

func (l *loader) find(findings ...Finding) {
	if len(findings) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.findings = append(l.findings, findings...)
}

// forEach calls do for every item, as many at once as there are processors, until ctx is done.
func forEach[T any](ctx context.Context, items []T, do func(T)) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for chunk := range slices.Chunk(items, chunkSize) {
		group.Go(func() error {
			for _, item := range chunk {
				if err := ctx.Err(); err != nil {
					return err
				}
				do(item)
			}
			return nil
		})
	}
	_ = group.Wait() // Load says whether it was interrupted
}

// chunkSize is how many files a goroutine reads in a row: few enough to keep all processors busy on a small repo.
const chunkSize = 8
