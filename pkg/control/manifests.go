package control

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// maxManifests bounds what is read of one version of plain manifests.
const maxManifests = 32 << 20

// ManifestsDigest returns the digest of a folder's content: the SHA-256 of the lines that `sha256sum` prints for its files
// sorted by slash-separated relative path, written sha256:<hex>.
func ManifestsDigest(fsys fs.FS, dir string) (string, error) {
	sums := map[string][]byte{}
	size := int64(0)
	err := fs.WalkDir(fsys, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", name)
		}
		content := sha256.New()
		n, err := hashFile(content, fsys, name)
		if size += n; size > maxManifests {
			return fmt.Errorf("more than %d bytes of manifests", maxManifests)
		}
		sums[strings.TrimPrefix(name, dir+"/")] = content.Sum(nil)
		return err
	})
	if err != nil {
		return "", err
	}
	listing := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(listing, "%x  %s\n", sums[name], name)
	}
	return fmt.Sprintf("sha256:%x", listing.Sum(nil)), nil
}

func hashFile(into io.Writer, fsys fs.FS, name string) (int64, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(into, io.LimitReader(file, maxManifests+1))
	return n, errors.Join(err, file.Close())
}
