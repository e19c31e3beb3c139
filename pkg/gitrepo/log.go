package gitrepo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// Commit is one commit of a history.
type Commit struct {
	ID        string
	Parents   []string
	Author    Signature
	Committer Signature
	Subject   string // the first paragraph on one line
	Body      string // the rest, trailers included
	Trailers  []Trailer
	Changes   []Change // against the first parent; only of the paths asked for

	// CutOff: the clone is shallow and its history ends here. Parents are not
	// known, and Changes call every file added.
	CutOff bool
}

// Signature says who made a commit and when (UTC).
type Signature struct {
	Name  string
	Email string
	Time  time.Time
}

// Change is what a commit did to one path.
type Change struct {
	Path   string
	Before File // the zero File: the commit added the path
	After  File // the zero File: the commit deleted it
}

// File is a path's content at one commit; Repo.Blob reads it.
type File struct {
	ID   string // object id, "" when there is no file
	Mode fs.FileMode
}

// Trailer returns the values of every trailer with this key, in order. Keys are
// compared without regard to case, as Git does.
func (c *Commit) Trailer(key string) []string {
	var values []string
	for _, trailer := range c.Trailers {
		if strings.EqualFold(trailer.Key, key) {
			values = append(values, trailer.Value)
		}
	}
	return values
}

// logFormat prints one field after another, each ended by a NUL, which none can
// contain; git adds the last one because of -z. The raw message comes last.
const logFormat = "--format=tformat:%H%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"

// logFields is how many fields logFormat prints.
const logFields = 9

// logArgs makes `git log` print what logReader reads, whatever is configured.
var logArgs = []string{
	"-c", "log.showSignature=false", "-c", "log.diffMerges=separate", "-c", "log.showRoot=true", "-c", "log.follow=false",
	"log", "-z", "--no-color", "--encoding=UTF-8", "--no-notes", "--no-decorate", logFormat,
}

// diffArgs adds the changes of each commit.
var diffArgs = []string{
	"--raw", "--no-abbrev", "--no-renames", "--no-relative", "--no-ext-diff", "--ignore-submodules=none", "-O/dev/null",
}

// rawArgs adds the changes against the first parent. -m shows those of merges.
var rawArgs = append([]string{"--first-parent", "-m"}, diffArgs...)

// sinceArgs adds the changes of commits that are no merges, on every line that
// was merged, also where two of them come to the same.
var sinceArgs = append([]string{"--full-history"}, diffArgs...)

// maxField bounds one message or path.
const maxField = 4 << 20

// logReader splits what `git log` printed into commits.
type logReader struct {
	in     *bufio.Reader
	ahead  string // a field that was read too early: the next commit's id
	waits  bool
	prefix string // taken off every path
}

func newLogReader(in io.Reader, prefix string) *logReader {
	return &logReader{in: bufio.NewReaderSize(in, 64<<10), prefix: prefix}
}

// next returns the next commit, io.EOF after the last.
func (l *logReader) next() (*Commit, error) {
	var fields [logFields]string
	for i := range fields {
		field, err := l.field()
		if errors.Is(err, io.EOF) && i > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		fields[i] = field
	}
	commit, err := newCommit(fields)
	if err != nil {
		return nil, err
	}
	commit.Changes, err = l.changes()
	return commit, err
}

// changes reads the raw lines that follow a commit.
func (l *logReader) changes() ([]Change, error) {
	var changes []Change
	for {
		field, err := l.field()
		if errors.Is(err, io.EOF) {
			return changes, nil
		}
		if err != nil {
			return nil, err
		}
		raw := strings.TrimPrefix(field, "\n")
		if !strings.HasPrefix(raw, ":") {
			l.ahead, l.waits = field, true
			return changes, nil
		}
		change, err := l.change(raw)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
}

// change reads `:100644 100644 OLD NEW M` and the path that follows.
func (l *logReader) change(raw string) (Change, error) {
	columns := strings.Split(raw[1:], " ")
	if len(columns) != 5 {
		return Change{}, fmt.Errorf("%w: raw line %q", ErrMalformed, raw)
	}
	before, err := newFile(columns[0], columns[2])
	if err != nil {
		return Change{}, err
	}
	after, err := newFile(columns[1], columns[3])
	if err != nil {
		return Change{}, err
	}
	path, err := l.field()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && path == "" {
		err = fmt.Errorf("%w: raw line %q has no path", ErrMalformed, raw)
	}
	return Change{Path: strings.TrimPrefix(path, l.prefix), Before: before, After: after}, err
}

// newFile reads the two columns that describe one side of a change.
func newFile(mode, id string) (File, error) {
	if !objectID.MatchString(id) {
		return File{}, fmt.Errorf("%w: object id %q", ErrMalformed, id)
	}
	bits, err := filemode.New(mode)
	if err != nil {
		return File{}, fmt.Errorf("%w: file mode %q", ErrMalformed, mode)
	}
	if bits == filemode.Empty {
		return File{}, nil
	}
	return File{ID: id, Mode: fileMode(bits)}, nil
}

// field reads up to the next NUL.
func (l *logReader) field() (string, error) {
	if l.waits {
		l.waits = false
		return l.ahead, nil
	}
	var field []byte
	for {
		part, err := l.in.ReadSlice(0)
		field = append(field, part...)
		switch {
		case err == nil:
			return string(field[:len(field)-1]), nil
		case len(field) > maxField:
			return "", fmt.Errorf("%w: a commit message or path of more than %d bytes", ErrTooLarge, maxField)
		case err == io.EOF && len(field) > 0:
			return "", io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}

// newCommit makes a commit of the fields that logFormat prints.
func newCommit(fields [logFields]string) (*Commit, error) {
	if !objectID.MatchString(fields[0]) {
		return nil, fmt.Errorf("%w: commit id %q", ErrMalformed, fields[0])
	}
	subject, body := splitMessage(text(fields[8]))
	return &Commit{
		ID:        fields[0],
		Parents:   strings.Fields(fields[1]),
		Author:    Signature{Name: text(fields[2]), Email: text(fields[3]), Time: unixTime(fields[4])},
		Committer: Signature{Name: text(fields[5]), Email: text(fields[6]), Time: unixTime(fields[7])},
		Subject:   subject,
		Body:      body,
		Trailers:  ParseTrailers(text(fields[8])),
	}, nil
}

// splitMessage separates the first paragraph, on one line, from the rest.
func splitMessage(message string) (subject, body string) {
	lines := strings.Split(strings.TrimLeft(message, "\n"), "\n")
	end := titleEnd(lines)
	subject = strings.Join(trimAll(lines[:end]), " ")
	return subject, strings.Trim(strings.Join(lines[end:], "\n"), "\n")
}

func trimAll(lines []string) []string {
	trimmed := make([]string, len(lines))
	for i, line := range lines {
		trimmed[i] = strings.TrimSpace(line)
	}
	return trimmed
}

// unixTime reads seconds; a commit without a readable time has the zero time.
func unixTime(seconds string) time.Time {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// text is s with what is not UTF-8 replaced, so that JSON and terminals can show it.
func text(s string) string {
	return strings.ToValidUTF8(s, string(utf8.RuneError))
}
