package overlay

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"sync"

	"github.com/fluxcd/pkg/kustomize"
	"sigs.k8s.io/kustomize/api/resmap"
)

// Result is what Flux applies for a directory.
type Result struct {
	// Objects are in kustomize's order.
	Objects []Object
	// Files are all that was read for the build, from the root of the tree, sorted.
	Files []string

	origins func() *originIndex
}

// Build builds a directory of fsys as Flux's kustomize-controller builds spec.path, without its
// post-build substitution and decryption: an object encrypted with SOPS comes out as it went in.
//
// The build is github.com/fluxcd/pkg/kustomize's Build, on fsys itself: it takes any kustomize file
// system. Its SecureBuild, which the controller calls, differs in wanting a real directory and in
// following the references that this package refuses. What the controller does before it, completing
// the kustomization from a Flux Kustomization (Generator.WriteFile), changes nothing for one that sets
// only a path; a directory without a kustomization.yaml, for which Flux would make one of every YAML
// file below, is an error here.
//
// The error is Problems where the input is at fault. fsys should not follow symbolic links out of its
// root between two looks at a file, as os.Root.FS does not; links in it are refused.
func Build(ctx context.Context, fsys fs.FS, dir string) (*Result, error) {
	t := newTree(ctx, fsys)
	in := inspect(t, path.Clean(dir))
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("building %q: %w", dir, err)
	}
	if len(in.problems) > 0 {
		return nil, in.problems
	}
	built, err := kustomize.Build(kustomizeFS{t}, mounted(path.Clean(dir)))
	if err != nil {
		return nil, in.explain(dir, err)
	}
	objects, err := in.objects(ctx, dir, built)
	if err != nil {
		return nil, err
	}
	return &Result{
		Objects: objects,
		Files:   t.files(),
		origins: sync.OnceValue(in.indexOrigins),
	}, nil
}

func (in *inspection) objects(ctx context.Context, dir string, built resmap.ResMap) ([]Object, error) {
	objects := make([]Object, 0, built.Size())
	for _, resource := range built.Resources() {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("building %q: %w", dir, err)
		}
		object, err := newObject(resource)
		if err != nil {
			return nil, in.explain(dir, fmt.Errorf("%s %q: %w", resource.GetKind(), resource.GetName(), err))
		}
		objects = append(objects, object)
	}
	return objects, nil
}
