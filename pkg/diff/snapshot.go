package diff

import (
	"context"
	"io/fs"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// snapshot is what Flux applies to one cluster on one side.
type snapshot struct {
	repo    *control.Repo
	cluster *control.Cluster // never nil
	items   []item
	byRef   map[ref]*item
	// rest are objects of files that are the same on both sides, read when first asked for; nil where there are none.
	rest func() map[ref]*item
	// build is nil where the overlay was read directly.
	build *overlay.Result
	// unlisted says that Flux's own manifests are there and not listed: Flux would delete itself.
	unlisted bool
}

// newSnapshot reads a side's cluster, directly where the overlay only lists files. other is the other side.
func (r *reader) newSnapshot(ctx context.Context, fsys, other fs.FS, repo *control.Repo, cluster string) (*snapshot, error) {
	s, err := r.direct(ctx, fsys, other, repo, cluster)
	if err != nil {
		s, err = built(ctx, fsys, repo, cluster)
	}
	if err != nil {
		return nil, err
	}
	if s.cluster = repo.Clusters[cluster]; s.cluster == nil {
		s.cluster = &control.Cluster{Name: cluster} // its file is broken, which is a problem of the side
	}
	s.unlisted, err = overlay.FluxSystemUnlisted(ctx, fsys, control.ClusterDir(cluster))
	return s, err
}

// built builds a cluster's overlay.
func built(ctx context.Context, fsys fs.FS, repo *control.Repo, cluster string) (*snapshot, error) {
	build, err := overlay.Build(ctx, fsys, control.ClusterDir(cluster))
	if err != nil {
		return nil, err
	}
	s := &snapshot{repo: repo, build: build, items: make([]item, len(build.Objects))}
	for i, object := range build.Objects {
		s.items[i] = fluxItem(cluster, object)
	}
	s.byRef = byRef(s.items)
	return s, nil
}

// all returns the objects; none of a side without the cluster.
func (s *snapshot) all() []item {
	if s == nil {
		return nil
	}
	return s.items
}

// find returns an object by its identity, or nil.
func (s *snapshot) find(r ref) *item {
	if s == nil {
		return nil
	}
	if found := s.byRef[r]; found != nil || s.rest == nil {
		return found
	}
	return s.rest()[r]
}

// fluxItem is a built object. render writes down for its own objects which component they belong to.
func fluxItem(cluster string, object overlay.Object) item {
	it := item{ref: refOf(object.Content), content: object.Content, file: control.OverlayFile(cluster)}
	if component := annotation(object.Content, render.AnnotationComponent); component != "" {
		it.component, it.file = component, control.RenderedDir(cluster)+"/"+render.FileName(component)
	}
	return it
}

// locate finds which file an object comes from, where render did not write it down, and with it the component of plain
// manifests. The first call reads every file of the build, so only objects that differ are asked for.
func (s *snapshot) locate(it *item) {
	if it == nil || it.component != "" || s.build == nil {
		return
	}
	origin, known := s.build.Origin(overlay.Object{Content: it.content})
	if known {
		it.file, it.line, it.component = origin.File, origin.Line, componentOf(origin.File)
	}
}

// componentOf returns the component in whose folder a file is.
func componentOf(file string) string {
	rest, inside := strings.CutPrefix(file, "components/")
	if !inside {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}
