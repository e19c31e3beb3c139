package chart

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Why an archive or a directory is refused. The error that wraps one of these
// names the file and the limit.
var (
	// ErrTooLarge: the archive, its contents or one file pass a limit.
	ErrTooLarge = errors.New("chart is too large")
	// ErrTooManyFiles: more entries than the limit.
	ErrTooManyFiles = errors.New("chart has too many files")
	// ErrTooDeep: charts within charts beyond the limit.
	ErrTooDeep = errors.New("charts are nested too deeply")
	// ErrPath: a path that is absolute, leaves the chart, is a Windows path
	// or holds characters that no file of a chart needs.
	ErrPath = errors.New("chart has an unsafe path")
	// ErrNotRegular: a symbolic or hard link, a device, or anything else that
	// is neither a file nor a directory.
	ErrNotRegular = errors.New("chart has an entry that is not a regular file")
	// ErrDuplicate: two files with one path.
	ErrDuplicate = errors.New("chart has the same file twice")
	// ErrMalformed: not a gzipped tar archive, or no valid chart inside.
	ErrMalformed = errors.New("chart cannot be read")
)

// Why an expansion fails, where a caller may want to tell.
var (
	// ErrKubeVersion: the cluster's version is outside the chart's kubeVersion.
	ErrKubeVersion = errors.New("chart does not support this Kubernetes version")
	// ErrSchema: the values violate a values.schema.json.
	ErrSchema = errors.New("values do not match the chart's schema")
	// ErrRevision: the chart's version does not go with its source's revision,
	// which helm-controller refuses.
	ErrRevision = errors.New("chart version and source revision do not go together")
)

// Error is the failure of one release. It says where, as far as Helm does.
type Error struct {
	// Release is the HelmRelease as namespace/name.
	Release string
	// Chart is the chart as name-version.
	Chart string
	// Template is the file that failed, with the chart's name in front as Helm
	// writes it. Empty when the failure is not in a template.
	Template string
	// Line in Template, from 1; 0 when unknown.
	Line int
	// Err is the cause. Its text has no values of referenced Secrets.
	Err error
}

// Error names the release and the chart; the cause names the template.
func (e *Error) Error() string {
	return fmt.Sprintf("expanding release %q with chart %q: %v", e.Release, e.Chart, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// templateAt matches a place in a template in Helm's messages:
// "chart/templates/a.yaml:3:14" or without the line.
var templateAt = regexp.MustCompile(`([^\s()"'<>:]+/templates/[^\s()"'<>:]+)(?::(\d+))?`)

// place finds the innermost template that a message of Helm's names: the last
// of a chain of includes, as that is where the mistake is.
func place(message string) (template string, line int) {
	for _, m := range templateAt.FindAllStringSubmatch(message, -1) {
		n, _ := strconv.Atoi(m[2])
		if n > 0 || template == "" {
			template, line = m[1], n
		}
	}
	return template, line
}

// redacted is an error whose text has secrets replaced and which still unwraps
// to the original's sentinels.
type redacted struct {
	text  string
	cause error
}

func (r *redacted) Error() string { return r.text }

// Is reports whether the original matches; the original itself stays hidden,
// as its text has secrets.
func (r *redacted) Is(target error) bool { return errors.Is(r.cause, target) }

// redact replaces every secret in an error's text.
func redact(err error, secrets []string) error {
	text := err.Error()
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "(secret)")
	}
	if text == err.Error() {
		return err
	}
	return &redacted{text: text, cause: err}
}
