package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

// Load parses a chart archive (.tgz) in memory. Archives are hostile until
// checked: anything beyond the limits, any path that leaves the chart, any link
// and any duplicate is refused with one of this package's errors.
func Load(data []byte, limits Limits) (*Chart, error) {
	r := &reader{limits: limits.withDefaults(), seen: map[string]bool{}}
	if int64(len(data)) > r.limits.Compressed {
		return nil, fmt.Errorf("%w: the archive has %d bytes, at most %d are accepted", ErrTooLarge, len(data), r.limits.Compressed)
	}
	if err := r.archive("", data, 1); err != nil {
		return nil, err
	}
	return r.chart()
}

// reader gathers the files of a chart within its limits. One reader serves the
// whole of a chart: archives inside it count too.
type reader struct {
	limits  Limits
	entries int
	size    int64
	seen    map[string]bool
	files   []*archive.BufferedFile
}

// chart parses what was gathered.
func (r *reader) chart() (*Chart, error) {
	if len(r.files) == 0 {
		return nil, fmt.Errorf("%w: it has no files", ErrMalformed)
	}
	c, err := newChart(r.files)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return c, nil
}

// archive reads the entries of a gzipped tar archive to below prefix.
func (r *reader) archive(prefix string, data []byte, depth int) error {
	if depth > r.limits.Depth {
		return fmt.Errorf("%w: %q is at depth %d, at most %d is accepted", ErrTooDeep, prefix, depth, r.limits.Depth)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%w: not a gzipped archive: %w", ErrMalformed, err)
	}
	// Padding and headers count too: a tar of nothing can be without end.
	const overhead = 3 * 512
	bound := r.limits.Unpacked + int64(r.limits.Files)*overhead
	entries := tar.NewReader(io.LimitReader(unzipped, bound))
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if err := r.entry(prefix, header, entries, depth); err != nil {
			return err
		}
	}
}

func (r *reader) entry(prefix string, header *tar.Header, content io.Reader, depth int) error {
	if err := r.count(header.Name); err != nil {
		return err
	}
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil // git archive writes one; it is no file
	}
	if err := checkPath(header.Name); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
	default:
		return fmt.Errorf("%w: %q", ErrNotRegular, header.Name)
	}
	name, err := belowRoot(header.Name)
	if err != nil {
		return err
	}
	return r.file(prefix+name, header.Size, content, depth)
}

// file reads one file, or the files inside when it is an archived subchart.
func (r *reader) file(name string, size int64, content io.Reader, depth int) error {
	if r.seen[name] {
		return fmt.Errorf("%w: %q", ErrDuplicate, name)
	}
	r.seen[name] = true
	data, err := r.read(name, size, content)
	if err != nil {
		return err
	}
	if isArchivedSubchart(name) {
		// Helm would unpack it with limits of its own. Unpacked here, it is a
		// directory of the same chart.
		r.size -= int64(len(data))
		return r.archive(name+".unpacked/", data, depth+1)
	}
	r.files = append(r.files, &archive.BufferedFile{Name: name, Data: bytes.TrimPrefix(data, utf8BOM)})
	return nil
}

// read checks the claimed size before any byte is read, and the true size while
// reading.
func (r *reader) read(name string, claimed int64, content io.Reader) ([]byte, error) {
	if claimed < 0 || claimed > r.limits.File {
		return nil, fmt.Errorf("%w: %q has %d bytes, at most %d are accepted in a file", ErrTooLarge, name, claimed, r.limits.File)
	}
	if r.size+claimed > r.limits.Unpacked {
		return nil, fmt.Errorf("%w: with %q it has more than %d bytes unpacked", ErrTooLarge, name, r.limits.Unpacked)
	}
	data, err := io.ReadAll(io.LimitReader(content, claimed+1))
	if err != nil {
		return nil, fmt.Errorf("%w: reading %q: %w", ErrMalformed, name, err)
	}
	if int64(len(data)) != claimed {
		return nil, fmt.Errorf("%w: %q is not as long as it claims", ErrMalformed, name)
	}
	r.size += claimed
	return data, nil
}

func (r *reader) count(name string) error {
	r.entries++
	if r.entries > r.limits.Files {
		return fmt.Errorf("%w: more than %d, with %q", ErrTooManyFiles, r.limits.Files, name)
	}
	return nil
}

var utf8BOM = []byte{0xEF, 0xBB, 0xBF}

var windowsDrive = regexp.MustCompile(`(^|/)[A-Za-z]:`)

// checkPath refuses every path that is not a plain relative path downwards.
func checkPath(name string) error {
	bad := func(why string) error { return fmt.Errorf("%w: %q %s", ErrPath, name, why) }
	switch {
	case name == "":
		return bad("is empty")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return bad("has characters that are not text")
	case strings.Contains(name, `\`) || windowsDrive.MatchString(name):
		return bad("is a Windows path")
	case path.IsAbs(name):
		return bad("is absolute")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return bad("leaves the chart")
		}
	}
	return nil
}

// belowRoot strips the directory that a chart archive has all its files in.
func belowRoot(name string) (string, error) {
	_, rest, found := strings.Cut(path.Clean(name), "/")
	if !found {
		return "", fmt.Errorf("%w: %q is outside the chart's directory", ErrPath, name)
	}
	return rest, nil
}

// isArchivedSubchart reports whether Helm takes the file for a chart to unpack:
// charts/NAME.tgz at any level of charts, unless hidden by its first letter.
func isArchivedSubchart(name string) bool {
	dir, file := path.Split(name)
	inCharts := dir == "charts/" || strings.HasSuffix(dir, "/charts/") && inSubchart(dir)
	return inCharts && path.Ext(file) == ".tgz" && !strings.HasPrefix(file, "_") && !strings.HasPrefix(file, ".")
}

// inSubchart reports whether a path is made of charts/NAME/ pairs only, so that
// a file like templates/charts/x.tgz is not taken for a chart.
func inSubchart(dir string) bool {
	parts := strings.Split(strings.TrimSuffix(dir, "/"), "/")
	for i := 0; i < len(parts); i += 2 {
		if parts[i] != "charts" {
			return false
		}
	}
	return len(parts)%2 == 1
}
