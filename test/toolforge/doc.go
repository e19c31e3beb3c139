// Package toolforge holds the test that this control repo says what Toolforge's helmfile-based one said: for every
// release on every cluster the same chart, repository, version, namespace, timeout and values.
//
// It owns a small evaluator of helmfile, enough for that one repository and independent of pkg/helmfile, and a reader of
// the rendered manifests, independent of pkg/render: an oracle that shares code with what it judges proves nothing. It
// depends on nothing of tfgitops.
//
// The old repository's files are not part of this one. The test looks for them where TOOLFORGE_DEPLOY says, or else in
// ../shared/toolforge-deploy beside this repository, and is skipped where they are not.
package toolforge
