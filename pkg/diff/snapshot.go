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
	build   *overlay.Result
	// unlisted says that Flux's own manifests are there and not listed: Flux would delete itself.
	unlisted bool
}

func newSnapshot(ctx context.Context, fsys fs.FS, repo *control.Repo, cluster string) (*snapshot, error) {
	dir := control.ClusterDir(cluster)
	build, err := overlay.Build(ctx, fsys, dir)
	if err != nil {
		return nil, err
	}
	s := &snapshot{repo: repo, cluster: repo.Clusters[cluster], build: build, items: make([]item, len(build.Objects))}
	if s.cluster == nil {
		s.cluster = &control.Cluster{Name: cluster} // its file is broken, which is a problem of the side
	}
	for i, object := range build.Objects {
		s.items[i] = fluxItem(cluster, object)
	}
	s.byRef = byRef(s.items)
	s.unlisted, err = overlay.FluxSystemUnlisted(ctx, fsys, dir)
	return s, err
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
	return s.byRef[r]
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
	if it == nil || it.component != "" {
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
