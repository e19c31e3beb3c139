package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tfgitops": main})
}

// TestScripts runs the sessions of testdata/script: what a person types, and what they see.
func TestScripts(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(manifestServer())
	t.Cleanup(server.Close)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: false,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			for _, role := range []string{"AUTHOR", "COMMITTER"} {
				env.Setenv("GIT_"+role+"_NAME", "Someone")
				env.Setenv("GIT_"+role+"_EMAIL", "someone@example.org")
			}
			env.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			env.Setenv("SERVER", server.URL)
			return nil
		},
	})
}

// manifestServer serves manifests well and badly.
func manifestServer() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/bundle.yaml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: served\n  namespace: default\n")
	})
	mux.Handle("GET /moved.yaml", http.RedirectHandler("/v1/bundle.yaml", http.StatusFound))
	mux.Handle("GET /away.yaml", http.RedirectHandler("http://manifests.example.org/bundle.yaml", http.StatusFound))
	mux.HandleFunc("GET /endless.yaml", func(w http.ResponseWriter, _ *http.Request) {
		for line := strings.Repeat("# nothing\n", 1<<10); ; {
			if _, err := fmt.Fprint(w, line); err != nil {
				return
			}
		}
	})
	return mux
}
