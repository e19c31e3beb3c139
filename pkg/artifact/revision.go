package artifact

import (
	"fmt"
	"regexp"
	"strings"
)

// Kind is what a typed revision is.
type Kind int

// The kinds of revisions.
const (
	KindLatest  Kind = iota + 1 // "latest"
	KindCommit                  // 4 to 40 hexadecimal digits
	KindVersion                 // a whole chart version
	KindTag                     // a container image's tag
)

// Revision is what a person typed, understood.
type Revision struct {
	Kind Kind
	// Text is the commit in lower case, the version with "+" rather than "_", or the tag without the image's name.
	Text string
}

// String is Text.
func (r Revision) String() string { return r.Text }

var (
	commitDigits = regexp.MustCompile(`^[0-9a-fA-F]{4,40}$`)
	anyDigits    = regexp.MustCompile(`^[0-9a-fA-F]+$`)
	imageTag     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
)

// accepted lists every form, for the error.
const accepted = `accepted: a commit (4 to 40 hexadecimal digits), a whole chart version (0.0.201-20260804100441-102b23dd, v1.20.3), an image's tag, or "latest"`

// ParseRevision decides what a typed revision is. The order decides, and no form overlaps with the one after it in
// anything a person could mean:
//
//  1. "latest";
//  2. 4 to 40 hexadecimal digits are a commit, also when they are all decimal (09895639, 1234) or look like a float (12e4567);
//     fewer or more are an error;
//  3. a strict semantic version, also with a leading "v" or with "_" for "+" as in OCI tags, is a whole version: it always
//     has two dots, which no commit has;
//  4. what is left and could be a tag, alone or behind an image's name and ":", is an image's tag.
func ParseRevision(typed string) (Revision, error) {
	version := strings.ReplaceAll(typed, "_", "+")
	switch {
	case typed == "latest":
		return Revision{KindLatest, typed}, nil
	case commitDigits.MatchString(typed):
		return Revision{KindCommit, strings.ToLower(typed)}, nil
	case anyDigits.MatchString(typed):
		return Revision{}, badRevision(typed, fmt.Sprintf("a commit has 4 to 40 hexadecimal digits, this has %d", len(typed)))
	case IsVersion(strings.TrimPrefix(version, "v")):
		return Revision{KindVersion, version}, nil
	}
	if tag := tagOf(typed); imageTag.MatchString(tag) {
		return Revision{KindTag, tag}, nil
	}
	return Revision{}, badRevision(typed, "")
}

// tagOf is the tag in host/path/image:tag, or the text itself.
func tagOf(typed string) string {
	if slash, colon := strings.LastIndex(typed, "/"), strings.LastIndex(typed, ":"); slash >= 0 && colon > slash {
		return typed[colon+1:]
	}
	return typed
}

// embeddedVersion is the chart version inside an image's tag: image-0.0.213-… is built with chart 0.0.213-….
func embeddedVersion(tag string) (version string, ok bool) {
	for rest := tag; ; {
		_, after, found := strings.Cut(rest, "-")
		if !found {
			return "", false
		}
		if version, ok := TagVersion(after); ok {
			return version, true
		}
		rest = after
	}
}

func badRevision(typed, why string) error {
	if why != "" {
		why += "; "
	}
	return fmt.Errorf("%q %w: %s%s", oneLine(typed), ErrRevision, why, accepted)
}
