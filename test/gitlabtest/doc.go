// Package gitlabtest is a GitLab for tests: its Git repositories over HTTP, and as much of its REST API as merge requests
// need, on a loopback address. It behaves as GitLab's documentation says, and as GitLab has been seen to where that differs:
// 409 for a second merge request of a branch, 422 while a pushed branch is not seen yet, 405 while mergeability is not known,
// detailed_merge_status, pages by number and by keyset, rate limits, failures, slow answers, and tokens that it refuses.
//
// It checks every call: a method, a path, a query or a body that GitLab does not know fails the test.
//
// It depends on test/githttptest, the git program and the standard library only.
package gitlabtest
