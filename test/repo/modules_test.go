package repo_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestModulesAreTidy wants the modules beside the project's own, which import its packages, to name all that these have come to import.
func TestModulesAreTidy(t *testing.T) {
	t.Parallel()
	for _, module := range []string{"test/bench", "test/e2e"} {
		list := exec.CommandContext(t.Context(), "go", "list", "-mod=readonly", "-deps", "-test", "./...")
		list.Dir = filepath.Join("../..", module)
		list.Env = append(list.Environ(), "GOFLAGS=", "GOWORK=off")
		if out, err := list.CombinedOutput(); err != nil {
			t.Errorf("run `go mod tidy` in %s: %v\n%.2000s", module, err, out)
		}
	}
}
