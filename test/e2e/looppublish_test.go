package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

// TestLoopPublished moves a cluster from the Git repository to published artifacts, in the steps and with the objects of
// docs/scale.md, without a change to what runs. Then what is published is deployed, and what is only pushed is not.
func TestLoopPublished(t *testing.T) {
	l := newLoop(t, "e2e-published", "1.0.0")
	before, generation := uid(t, l), l.ready(t, "1.0.0").Generation
	published := *l
	published.source = l.name
	sync := publishedSync(t, &published)

	l.replaceAll(t, "clusters/tools/flux-system/gotk-sync.yaml", "prune: true", "prune: false")
	l.pushAll(t, "Let the old Kustomization go without pruning")
	published.publish(t)
	l.waitForKustomization(t, "to prune no more", func(k *kustomizev1.Kustomization) bool {
		return !k.Spec.Prune && k.Status.ObservedGeneration == k.Generation
	})

	afterwards(t, published.leave)
	if err := l.ApplyYAML(t.Context(), sync); err != nil {
		t.Fatal(err)
	}
	published.appliedCommit(t)
	l.write(t, fstest.MapFS{"clusters/tools/flux-system/gotk-sync.yaml": {Data: []byte(sync)}})
	l.pushAll(t, "Deploy from the registry")
	published.publish(t)
	l.removedSync(t)
	published.appliedCommit(t)
	if diff := cmp.Diff(before, uid(t, l)) + cmp.Diff(generation, l.ready(t, "1.0.0").Generation); diff != "" {
		t.Errorf("the move changed what runs:\n%s", diff)
	}

	pushEcho(t, l.registry, "apps", l.name, "1.1.0")
	l.deploy(t, "1.1.0")
	published.askFor(t, "OCIRepository", published.source)
	published.ready(t, "1.0.0")
	from := published.publish(t)
	published.ready(t, "1.1.0")
	took(t, "publish of a bump", from)
	echoes(t, l, "1.1.0")

	l.pushed(t, "rollback", l.name, "--cluster", "tools", "--reason", "a test")
	from = published.publish(t)
	published.ready(t, "1.0.0")
	took(t, "publish of a rollback", from)
	echoes(t, l, "1.0.0")
}

// yamlBlock is a fenced block of YAML in a page.
var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// publishedSync is the OCIRepository and the Kustomization of docs/scale.md, for the test's registry and names.
func publishedSync(t *testing.T, l *loop) string {
	t.Helper()
	blocks := yamlBlock.FindAllStringSubmatch(readFile(t, root, "docs/scale.md"), -1)
	if len(blocks) != 1 {
		t.Fatalf("docs/scale.md has %d blocks of YAML", len(blocks))
	}
	return strings.NewReplacer(
		"name: tools", "name: "+l.source,
		"oci://registry.example.org", l.registry.OCI("published"),
		"interval: 1m", "interval: 2s\n  insecure: true",
	).Replace(blocks[0][1])
}

// publish publishes what is checked out, and returns when that was done.
func (l *loop) publish(t *testing.T) time.Time {
	t.Helper()
	l.tfgitops(t, "publish", "--cluster", "tools", "--to", l.registry.OCI("published/clusters/tools"), "--insecure")
	return time.Now()
}

// pushAll commits everything and pushes it.
func (l *loop) pushAll(t *testing.T, message string) {
	t.Helper()
	l.commitAll(t, message)
	l.git(t, "push", "--quiet", "origin", "HEAD:main")
}

// appliedCommit waits until Flux has applied the checked out commit from its artifact, and knows it by its id.
func (l *loop) appliedCommit(t *testing.T) {
	t.Helper()
	want := "sha1:" + l.git(t, "rev-parse", "HEAD")
	l.waitForKustomization(t, "to apply "+want, func(k *kustomizev1.Kustomization) bool { return k.Status.LastAppliedOriginRevision == want })
	var source sourcev1.OCIRepository
	if err := l.Get(t.Context(), client.ObjectKey{Namespace: harness.FluxNamespace, Name: l.source}, &source); err != nil {
		t.Fatal(err)
	}
	if got := source.Status.Artifact.Metadata["org.opencontainers.image.revision"]; got != want {
		t.Errorf("the artifact says that it is of %q, want %q", got, want)
	}
}

func (l *loop) waitForKustomization(t *testing.T, what string, reached func(*kustomizev1.Kustomization) bool) {
	t.Helper()
	var k kustomizev1.Kustomization
	err := harness.Poll(within(t, loopTimeout), "the Kustomization "+l.source+" "+what, func(ctx context.Context) error {
		if err := l.Get(ctx, client.ObjectKey{Namespace: harness.FluxNamespace, Name: l.source}, &k); err != nil {
			return fmt.Errorf("%w; %s", err, l.why(ctx))
		}
		if !reached(&k) {
			return fmt.Errorf("spec %+v, status %+v", k.Spec, k.Status)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// removedSync waits until the GitRepository and its Kustomization are gone.
func (l *loop) removedSync(t *testing.T) {
	t.Helper()
	key := client.ObjectKey{Namespace: harness.FluxNamespace, Name: l.source}
	err := harness.Poll(within(t, loopTimeout), "the Git repository to be no source any more", func(ctx context.Context) error {
		for _, object := range []client.Object{&kustomizev1.Kustomization{}, &sourcev1.GitRepository{}} {
			if err := l.Get(ctx, key, object); !apierrors.IsNotFound(err) {
				return errors.Join(err, fmt.Errorf("%T %s is there", object, l.source))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
