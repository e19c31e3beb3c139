package live

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestDeployManifests builds what deploy/ holds, and holds the account's rights to what is read.
func TestDeployManifests(t *testing.T) {
	t.Parallel()
	for name, wants := range map[string][]string{
		"exporter": {"runAsNonRoot: true", "readOnlyRootFilesystem: true", "kind: NetworkPolicy", "kind: ServiceMonitor"},
		"reader":   {"helmreleases", "helmrepositories", "helmcharts", "ocirepositories", "kustomizations", "pods"},
	} {
		dir := filepath.Join("..", "..", "deploy", name)
		if _, err := os.Stat(dir); err != nil {
			t.Fatal(err)
		}
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := built.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		for _, never := range []string{"secrets", "privileged: true", "'*'", "- get", "- watch"} {
			if strings.Contains(string(text), never) {
				t.Errorf("%s has %q", name, never)
			}
		}
	}
}
