package artifact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// The outcomes a caller branches on, with errors.Is.
var (
	// ErrMissing: the registry answered, and what was asked for is not in it. Nothing else is ever "missing".
	ErrMissing = errors.New("is not published")
	// ErrUnauthorized: the registry answered 401 or 403. Whether the thing exists is unknown.
	ErrUnauthorized = errors.New("may not be read with the credentials at hand")
	// ErrUnreachable: no usable answer (network, time-out, 429, 5xx, something else in the registry's place). Whether the
	// thing exists is unknown.
	ErrUnreachable = errors.New("could not be asked for")
	// ErrInvalid: something is there, and it is not what it has to be (wrong media type, digest or size, unreadable).
	ErrInvalid = errors.New("is not usable")
	// ErrMismatch: a chart is there whose Chart.yaml names another chart or version, or whose digest or commit differs
	// from the expected one.
	ErrMismatch = errors.New("does not match what it is published as")
	// ErrPlatform: the image exists, but not for every platform asked for.
	ErrPlatform = errors.New("lacks a platform")
	// ErrOffline: the client is offline and its cache does not hold what was asked for. Such an error is also
	// ErrUnreachable.
	ErrOffline = errors.New("is not in the cache")
	// ErrRevision: the typed revision has no meaning here.
	ErrRevision = errors.New("is not a usable revision")
	// ErrAmbiguous: a revision means several published versions and nothing says which.
	ErrAmbiguous = errors.New("is ambiguous")
	// ErrUnmerged: the revision means a build of an unmerged change only, and those were not allowed.
	ErrUnmerged = errors.New("is a build of an unmerged change")
)

// hints says what a person can do next, by outcome.
var hints = map[error]string{
	ErrUnauthorized: `log in with "docker login" (or "helm registry login") for that host, or check the account's rights`,
	ErrUnreachable:  "whether it exists is unknown; check the URL and the network, and try again",
	ErrOffline:      "run once without offline mode",
}

// Error is what every request to a registry fails with. It carries no credentials: neither its text nor anything it
// unwraps to contains a URL's user information or query.
type Error struct {
	Op     string // what was being done: "listing versions"
	Ref    string // the thing it was done to, redacted
	Kind   error  // one of the sentinels above
	Detail string // the cause, redacted; may be empty

	context error // context.DeadlineExceeded where that was the cause
}

// Error names the operation, the thing, the outcome, the cause and the next step.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %q %v", e.Op, e.Ref, e.Kind)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if hint := hints[e.Kind]; hint != "" {
		text += " (" + hint + ")"
	}
	return text
}

// Cause says why, without what was being done and to what: for texts that say that themselves.
func (e *Error) Cause() string {
	text := cmp.Or(e.Detail, e.Kind.Error())
	if hint := hints[e.Kind]; hint != "" && !errors.Is(e.Kind, ErrUnreachable) { // whose hint is about the thing
		text += " (" + hint + ")"
	}
	return text
}

// Unwrap gives the outcome, never the raw cause: that may hold a signed URL.
func (e *Error) Unwrap() []error {
	kinds := []error{e.Kind}
	if errors.Is(e.Kind, ErrOffline) {
		kinds = append(kinds, ErrUnreachable)
	}
	if e.context != nil {
		kinds = append(kinds, e.context)
	}
	return kinds
}

// failure turns any error of a request into an *Error. An error that already is one, and the caller's own cancellation,
// stay what they are.
func failure(ctx context.Context, op, ref string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s: %q: %w", op, redact(ref), context.Canceled)
	}
	e := &Error{Op: op, Ref: redact(ref), Kind: outcome(err), Detail: cause(err)}
	if errors.Is(err, context.DeadlineExceeded) {
		e.context = context.DeadlineExceeded
	}
	return e
}

// invalid is the *Error for content that is not usable.
func invalid(op, ref, format string, args ...any) error {
	return &Error{Op: op, Ref: redact(ref), Kind: ErrInvalid, Detail: redact(fmt.Sprintf(format, args...))}
}

// missingCodes are the error codes that say "no such thing". NOT_FOUND is Harbor's.
var missingCodes = map[transport.ErrorCode]bool{
	transport.ManifestUnknownErrorCode: true,
	transport.NameUnknownErrorCode:     true,
	"NOT_FOUND":                        true,
}

// outcome classifies an error. What it does not know is ErrUnreachable: nothing was learnt.
func outcome(err error) error {
	var answer *transport.Error
	var status *statusError
	switch {
	case errors.Is(err, errTooLarge):
		return ErrInvalid
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound && saysMissing(answer):
		return ErrMissing
	case errors.As(err, &answer):
		return statusOutcome(answer.StatusCode)
	case errors.As(err, &status):
		return statusOutcome(status.code)
	}
	return ErrUnreachable
}

func statusOutcome(code int) error {
	if code == http.StatusUnauthorized || code == http.StatusForbidden {
		return ErrUnauthorized
	}
	return ErrUnreachable
}

// saysMissing tells a registry's 404 from that of a proxy or a web server in its place, which says nothing.
func saysMissing(answer *transport.Error) bool {
	for _, d := range answer.Errors {
		if missingCodes[d.Code] {
			return true
		}
	}
	return false
}

// statusError is an HTTP chart repository's answer other than 200.
type statusError struct{ code int }

func (e *statusError) Error() string {
	return fmt.Sprintf("HTTP %d %s", e.code, http.StatusText(e.code))
}

// cause is one redacted line about err, without the URLs that net/http puts in front.
func cause(err error) string {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answerText(answer)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return plainHTTP
	}
	for {
		var wrapped *url.Error
		if !errors.As(err, &wrapped) {
			break
		}
		err = wrapped.Err
	}
	return redact(oneLine(err.Error()))
}

const plainHTTP = "it answers in plain HTTP: where that is meant, set insecure: true on the repository"

// answerText names the status and the registry's error codes. The body itself is left out: it can be a whole HTML page.
func answerText(answer *transport.Error) string {
	text := fmt.Sprintf("HTTP %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	var details []string
	for _, d := range answer.Errors {
		details = append(details, strings.TrimSuffix(string(d.Code)+": "+d.Message, ": "))
	}
	if len(details) > 0 {
		text += " (" + redact(oneLine(strings.Join(details, "; "))) + ")"
	}
	return text
}
