package chart

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"helm.sh/helm/v4/pkg/action"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
)

// ErrNoRollbackTarget says that Helm keeps no such revision that was installed well.
var ErrNoRollbackTarget = errors.New("no revision of it that was installed well is kept")

// RollbackTarget chooses the revision to return to from records, newest first:
// the newest that was installed well and is of a chart in a version, as in
// [Record.Runs].
func RollbackTarget(records []Record, hr *helmv2.HelmRelease, chart, version, digest string) (Record, error) {
	for _, r := range records {
		if (r.Status == "superseded" || r.Status == "deployed") && r.is(hr, chart, version, digest) {
			return r, nil
		}
	}
	return Record{}, fmt.Errorf("%s %s: %w, only %s", chart, version, ErrNoRollbackTarget, kept(records))
}

// kept says what Helm has, for a person to choose from.
func kept(records []Record) string {
	texts := make([]string, len(records))
	for i, r := range records {
		texts[i] = fmt.Sprintf("revision %d (%s, %s)", r.Revision, r.Version, r.Status)
	}
	return cmp.Or(strings.Join(texts, ", "), "nothing")
}

// Rollback returns a release to a revision that Helm keeps in the cluster, with
// the options that helm-controller takes from the HelmRelease. It needs the
// cluster and nothing else: no registry, no Git host. why becomes the
// description in Helm's history.
func (t *Target) Rollback(ctx context.Context, hr *helmv2.HelmRelease, to Record, wait bool, why string) (Record, error) {
	id := IdentityOf(hr)
	failed := func(err error) (Record, error) {
		return Record{}, fmt.Errorf("rolling release %q in %q back to revision %d: %w", id.Name, id.Namespace, to.Revision, err)
	}
	configuration, err := t.helm(id.Namespace, id.StorageNamespace)
	if err != nil {
		return failed(err)
	}
	before, err := history(configuration, id)
	if err != nil {
		return failed(err)
	}
	i := slices.IndexFunc(before, func(r *helmrelease.Release) bool { return r.Version == to.Revision })
	if i < 0 {
		return failed(ErrNoRollbackTarget)
	}
	if err := ctx.Err(); err != nil {
		return failed(err) // Helm's rollback itself cannot be interrupted
	}
	if err := newRollback(configuration, hr, before[i], wait, why).Run(id.Name); err != nil {
		return failed(err)
	}
	after, err := history(configuration, id)
	if err != nil {
		return failed(err)
	}
	return recordOf(id, after[0]), nil
}

func newRollback(configuration *action.Configuration, hr *helmv2.HelmRelease, to *helmrelease.Release, wait bool, why string) *action.Rollback {
	spec := hr.GetRollback()
	rollback := action.NewRollback(configuration)
	rollback.Version = to.Version
	serverSide := to.ApplyMethod == string(helmrelease.ApplyMethodServerSideApply)
	rollback.ServerSideApply = fmt.Sprint(serverSide)
	rollback.ForceConflicts, rollback.ForceReplace = serverSide, spec.Force && !serverSide
	rollback.Timeout = spec.GetTimeout(hr.GetTimeout()).Duration
	rollback.WaitStrategy, rollback.WaitForJobs = strategy(wait), !spec.DisableWaitForJobs
	rollback.DisableHooks = spec.DisableHooks
	rollback.CleanupOnFail = spec.CleanupOnFail
	rollback.MaxHistory = hr.GetMaxHistory()
	rollback.Description = why
	return rollback
}
