package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What is refused or mistaken is so before the cluster is touched, and leaves the pin alone.
func TestRollbackNowAsksNothingOfTheClusterBeforeItMay(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent", r.Method, r.URL)
	}))
	t.Cleanup(server.Close)
	dir, config := publishRepo(t), kubeconfig(t, server.URL)
	for _, c := range []struct {
		name string
		code int
		args []string
		want string
	}{
		{"only Flux may", exitRefused, []string{"--cluster", "tools", "--reason", "x"}, "--override allow-apply"},
		{"no reason", exitFailed, []string{"--cluster", "tools"}, "--reason"},
		{"no cluster", exitFailed, []string{"--reason", "x"}, "--cluster"},
		{"with a push", exitFailed, []string{"--cluster", "tools", "--reason", "x", "--push"}, "does not push"},
		{"no earlier version", exitFailed, []string{"--cluster", "tools", "--reason", "x", "--override", "allow-apply", "--context", "tools", "--yes"}, "tools"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, stderr := tfgitops(t, dir, c.code, append([]string{"rollback", "app", "--now", "--kubeconfig", config}, c.args...)...)
			if !strings.Contains(stderr, c.want) {
				t.Errorf("want %q in:\n%s", c.want, stderr)
			}
		})
	}
}
