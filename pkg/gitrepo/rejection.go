package gitrepo

import (
	"errors"
	"strings"
)

// refReport is git's line about one ref in `git push --porcelain`:
// FLAG <tab> FROM:TO <tab> SUMMARY [(REASON)].
type refReport struct {
	flag    byte // ' ' moved on, '+' forced, '*' created, '=' up to date, '!' rejected; 0: no line
	summary string
}

// parseReport finds the line about ref.
func parseReport(out, ref string) refReport {
	for line := range strings.Lines(out) {
		columns := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		if len(columns) == 3 && len(columns[0]) == 1 && strings.HasSuffix(columns[1], ":"+ref) {
			return refReport{flag: columns[0][0], summary: columns[2]}
		}
	}
	return refReport{}
}

func (p refReport) result(id string) PushResult {
	return PushResult{ID: id, Created: p.flag == '*', UpToDate: p.flag == '=', Forced: p.flag == '+'}
}

// rejections says what the reason in a rejected ref's line means. The first
// text found decides. Only Git and the server's receive-pack write that line; a
// hook's own words come apart from it, so they cannot pass for a race.
var rejections = []struct {
	text  string
	means error
}{
	{"non-fast-forward", ErrRace},
	{"fetch first", ErrRace},
	{"needs force", ErrRace},
	{"cannot lock ref", ErrRace},
	{"failed to lock", ErrRace},
	{"failed to update ref", ErrRace},
	{"incorrect old value provided", ErrRace},
	{"reference already exists", ErrRace},
	{"stale info", ErrRace},
	{"remote ref updated since checkout", ErrRace},
	{"failed to report status", ErrUnreachable},
	{"remote failure", ErrUnreachable},
}

// pushFailure describes a push that git says failed.
func pushFailure(remote, branch string, opts PushOptions, report refReport, err error) *PushError {
	said, _ := gitOutput(err)
	failed := &PushError{Remote: Redact(remote), Branch: branch, Output: said, Err: err}
	if report.flag == '!' {
		failed.Kind, failed.Reason = rejection(report.summary, opts), presentable(report.summary)
		if inTheWay(said) {
			failed.Kind = ErrRefused
		}
		return failed
	}
	failed.Kind, failed.Reason = meaning(err), firstLine(err, said)
	if failed.Kind == nil && strings.Contains(said, "failed to push some refs") {
		failed.Kind, failed.Reason = ErrRefused, "a pre-push hook of this clone said no"
	}
	return failed
}

// inTheWay recognises branches "a" and "a/b", which cannot both be. The reason
// reads like a race ("cannot lock ref", "failed to update ref"), but trying
// again will not help. What a hook says can turn a race into a refusal here,
// never the reverse.
func inTheWay(said string) bool { return strings.Contains(said, "exists; cannot create") }

// rejection returns the sentinel for a rejected ref. A reason that no row
// knows is the server's word against the push.
func rejection(summary string, opts PushOptions) error {
	for _, r := range rejections {
		if !strings.Contains(summary, r.text) {
			continue
		}
		if opts.New && errors.Is(r.means, ErrRace) {
			return ErrBranchExists
		}
		return r.means
	}
	return ErrRefused
}

// firstLine is the line that says most: git's first fatal or error line, or the cause.
func firstLine(err error, said string) string {
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "fatal: ") || strings.HasPrefix(line, "error: ") {
			return strings.TrimSpace(line)
		}
	}
	var failed *GitError
	if errors.As(err, &failed) && failed.Err != nil {
		return failed.Err.Error()
	}
	return err.Error()
}
