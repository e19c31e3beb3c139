package diff

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// An overlay that only lists resources builds to exactly the objects of these files. A build of kustomize takes 50 ms before it
// reads the first of them, so they are read directly, each content once for both sides and all clusters. Whatever is not that
// simple, or not right, is left to kustomize: errNotDirect.

// errNotDirect says that an overlay has to be built.
var errNotDirect = errors.New("the overlay does more than list files")

// Limits of what is read directly: what is larger is left to the build, which has its own.
const (
	maxDirectFile  = 4 << 20
	maxDirectFiles = 2000
	maxDirectDepth = 10
)

// reader reads object files, each content once.
type reader struct {
	mu    sync.Mutex
	known map[string]*parsedFile // by content id
	same  map[string]bool        // directories that sameTree was asked about
}

type parsedFile struct {
	once    sync.Once
	objects []map[string]any
	err     error
}

func newReader() *reader { return &reader{known: map[string]*parsedFile{}, same: map[string]bool{}} }

// listing is what an overlay's resources name, in order.
type listing struct {
	files []string
	// same are directories that do more than list files, and are the same on both sides.
	same []string
	// patched are kinds that patches change, in the same way on both sides: render has one for CRDs.
	patched []string
}

// kustomization is one that can be read directly.
type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Resources  []string `json:"resources"`
	Patches    []struct {
		Patch  string `json:"patch"`
		Target struct {
			Group   string `json:"group"`
			Version string `json:"version"`
			Kind    string `json:"kind"`
		} `json:"target"`
	} `json:"patches"`
}

// list adds what the resources of a directory's kustomization name, if it and all kustomizations that it leads to do nothing
// else, or are the same in other.
func (r *reader) list(l *listing, fsys, other fs.FS, dir string, depth int) error {
	k, err := readKustomization(fsys, dir)
	if err != nil || depth > maxDirectDepth {
		return errNotDirect
	}
	if err := l.addPatched(k, other, dir); err != nil {
		return err
	}
	for _, name := range k.Resources {
		if err := r.add(l, fsys, other, path.Join(dir, name), depth); err != nil || path.IsAbs(name) {
			return errNotDirect
		}
	}
	return nil
}

// add adds one resource.
func (r *reader) add(l *listing, fsys, other fs.FS, target string, depth int) error {
	if !fs.ValidPath(target) || len(l.files) >= maxDirectFiles {
		return errNotDirect
	}
	info, err := lstat(fsys, target)
	switch {
	case err != nil:
		return errNotDirect
	case info.Mode().IsRegular() && info.Size() <= maxDirectFile:
		l.files = append(l.files, target)
		return nil
	case !info.IsDir():
		return errNotDirect
	}
	below := listing{}
	if err := r.list(&below, fsys, other, target, depth+1); err == nil {
		l.files, l.same, l.patched = append(l.files, below.files...), append(l.same, below.same...), append(l.patched, below.patched...)
		return nil
	}
	if !r.sameTree(fsys, other, target) {
		return errNotDirect
	}
	l.same = append(l.same, target)
	return nil
}

// plainKind is a target that is no pattern.
var plainKind = regexp.MustCompile(`^[A-Za-z]+$`)

// addPatched notes what a kustomization's patches change. They have to be the same in other.
func (l *listing) addPatched(k kustomization, other fs.FS, dir string) error {
	if len(k.Patches) == 0 {
		return nil
	}
	theirs, err := readKustomization(other, dir)
	if err != nil || !reflect.DeepEqual(k.Patches, theirs.Patches) {
		return errNotDirect
	}
	for _, patch := range k.Patches {
		if !plainKind.MatchString(patch.Target.Kind) {
			return errNotDirect
		}
		l.patched = append(l.patched, patch.Target.Kind)
	}
	return nil
}

func lstat(fsys fs.FS, name string) (fs.FileInfo, error) {
	if links, ok := fsys.(fs.ReadLinkFS); ok {
		return links.Lstat(name)
	}
	return fs.Stat(fsys, name)
}

// readKustomization reads a directory's kustomization.yaml, and refuses one with any other field.
func readKustomization(fsys fs.FS, dir string) (kustomization, error) {
	var k kustomization
	for _, other := range []string{"kustomization.yml", "Kustomization"} {
		if _, err := lstat(fsys, path.Join(dir, other)); err == nil {
			return k, errNotDirect
		}
	}
	content, err := fs.ReadFile(fsys, path.Join(dir, "kustomization.yaml"))
	if err != nil {
		return k, errNotDirect
	}
	if err := yaml.UnmarshalStrict(content, &k); err != nil || k.Kind != "Kustomization" && k.Kind != "" || len(k.Resources) == 0 {
		return k, errNotDirect
	}
	return k, nil
}

// sameTree is sameTree, asked once.
func (r *reader) sameTree(fsys, other fs.FS, dir string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	same, known := r.same[dir]
	if !known {
		same = sameTree(fsys, other, dir)
		r.same[dir] = same
	}
	return same
}

// direct reads a cluster's objects without kustomize. What is the same in other, and listed there too, is read only when something in it is looked
// for, unless render wrote it: those files hold the releases, which refer to each other.
func (r *reader) direct(ctx context.Context, fsys, other fs.FS, repo *control.Repo, cluster string) (*snapshot, error) {
	var l, theirs listing
	if err := r.list(&l, fsys, other, control.ClusterDir(cluster), 0); err != nil {
		return nil, err
	}
	if err := r.list(&theirs, other, fsys, control.ClusterDir(cluster), 0); err != nil {
		return nil, err // both sides are read in the same way: kustomize writes some values differently
	}
	if slices.ContainsFunc(l.same, func(dir string) bool { return !slices.Contains(theirs.same, dir) }) {
		return nil, errNotDirect
	}
	s := &snapshot{repo: repo}
	var later []string
	for _, file := range l.files {
		if !strings.HasPrefix(file, control.RenderedDir(cluster)+"/") && slices.Contains(theirs.files, file) && sameID(fsys, other, file) {
			later = append(later, file)
			continue
		}
		items, err := r.items(fsys, file)
		if err != nil {
			return nil, err
		}
		s.items = append(s.items, items...)
	}
	s.byRef = byRef(s.items)
	isPatched := func(it item) bool { return slices.Contains(l.patched, it.ref.kind) }
	if len(s.byRef) != len(s.items) || slices.ContainsFunc(s.items, isPatched) {
		return nil, errNotDirect // kustomize says which object is there twice
	}
	s.rest = sync.OnceValue(func() map[ref]*item { return r.rest(ctx, fsys, cluster, later, l.same) })
	return s, nil
}

// rest reads what is the same on both sides. What cannot be read holds nothing that Flux could find either.
func (r *reader) rest(ctx context.Context, fsys fs.FS, cluster string, files, dirs []string) map[ref]*item {
	var items []item
	for _, file := range files {
		if more, err := r.items(fsys, file); err == nil {
			items = append(items, more...)
		}
	}
	for _, dir := range dirs {
		build, err := overlay.Build(ctx, fsys, dir)
		if err != nil {
			continue
		}
		for _, object := range build.Objects {
			items = append(items, fluxItem(cluster, object))
		}
	}
	return byRef(items)
}

// items are the objects of one file.
func (r *reader) items(fsys fs.FS, file string) ([]item, error) {
	objects, err := r.objects(fsys, file)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(objects))
	for i, object := range objects {
		items[i] = item{ref: refOf(object), content: object, file: file, component: componentOf(file)}
		if component := annotation(object, render.AnnotationComponent); component != "" {
			items[i].component = component
		}
	}
	return items, nil
}

func (r *reader) objects(fsys fs.FS, file string) ([]map[string]any, error) {
	content, id, err := contentOf(fsys, file)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	parsed := r.known[id]
	if parsed == nil {
		parsed = &parsedFile{}
		r.known[id] = parsed
	}
	r.mu.Unlock()
	parsed.once.Do(func() { parsed.objects, parsed.err = decodeObjects(content()) })
	return parsed.objects, parsed.err
}

// contentOf gives a file's content, when asked, and what identifies it.
func contentOf(fsys fs.FS, file string) (content func() []byte, id string, err error) {
	read := func() []byte {
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return []byte("\x00") // no YAML: left to the build, which says why
		}
		return data
	}
	if ids, ok := fsys.(objectIDer); ok {
		if id, ok := ids.ObjectID(file); ok {
			return read, id, nil
		}
	}
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, "", errNotDirect
	}
	return func() []byte { return data }, digest(string(data)), nil
}

// decodeObjects reads the documents of a file as kustomize and Flux do. Lists, and what is no object, are left to kustomize.
func decodeObjects(content []byte) ([]map[string]any, error) {
	var objects []map[string]any
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, errNotDirect
		}
		data, err := asJSON(document)
		if err != nil {
			return nil, errNotDirect
		}
		if data == nil {
			continue
		}
		object, err := decodeObject(data)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}

// asJSON reads one document with kustomize's own parser, for which y and on are text; nil where it is empty.
func asJSON(document []byte) ([]byte, error) {
	node, err := kyaml.Parse(string(document))
	if errors.Is(err, io.EOF) || err == nil && node.IsNilOrEmpty() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return node.MarshalJSON()
}

func decodeObject(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var object map[string]any
	if decoder.Decode(&object) != nil {
		return nil, errNotDirect
	}
	r := refOf(object)
	if r.kind == "" || r.name == "" || textAt(object, "apiVersion") == "" || strings.HasSuffix(r.kind, "List") || slices.Contains(sortedKeys(mapAt(object, "metadata", "annotations")), "config.kubernetes.io/local-config") {
		return nil, errNotDirect
	}
	return object, nil
}
