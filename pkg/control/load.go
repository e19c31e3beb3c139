package control

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/strictyaml"
)

const (
	// maxFileSize bounds our own kinds; the largest real one has a few hundred lines.
	maxFileSize = 1 << 20
	// maxValuesSize bounds values files: a HelmRelease must fit into an etcd value of 1.5 MiB.
	maxValuesSize = 3 << 20
)

// Only says which part of a control repo to load. A nil list means all.
type Only struct {
	Clusters   []string
	Components []string
}

// Load reads a control repo from fsys, which must allow concurrent use. It reads tfgitops.yaml, the components that were
// asked for with those that they depend on, and of the clusters that were asked for the pins and values of those
// components. Whatever is wrong with a file is a finding, and the repo then holds the rest; a repo with findings is for
// checking only.
func Load(ctx context.Context, fsys fs.FS, only Only) (*Repo, Findings) {
	l := &loader{
		repo:    &Repo{Components: map[string]*Component{}, Clusters: map[string]*Cluster{}, fsys: fsys},
		schemas: newSchemas(),
	}
	l.root()
	l.components(ctx, only.Components)
	l.clusters(ctx, only)
	if err := ctx.Err(); err != nil {
		l.find(Finding{Rule: RuleUnreadable, Severity: Error, File: RootFile, Message: "loading was interrupted: " + err.Error()})
	}
	return l.repo, l.findings.Sorted()
}

// schemas are worked out once a load.
type schemas struct{ controlRepo, component, cluster, pin *strictyaml.Schema }

func newSchemas() schemas {
	return schemas{
		controlRepo: strictyaml.SchemaOf[v1alpha1.ControlRepo](),
		component:   strictyaml.SchemaOf[v1alpha1.Component](),
		cluster:     strictyaml.SchemaOf[v1alpha1.Cluster](),
		pin:         strictyaml.SchemaOf[v1alpha1.Pin](),
	}
}

type loader struct {
	repo    *Repo
	schemas schemas

	mu       sync.Mutex // guards what the goroutines of forEach share: findings and the maps they fill
	findings Findings
}

func (l *loader) root() {
	file := v1alpha1.ControlRepo{}
	l.repo.broken = !l.decode(RootFile, l.schemas.controlRepo, &file) || !l.expect(RootFile, file.TypeMeta, v1alpha1.KindControlRepo)
	l.repo.Name, l.repo.Spec = file.Metadata.Name, file.Spec
}

// components loads the named components, or all, and then those that they depend on, for the names of their releases.
func (l *loader) components(ctx context.Context, names []string) {
	known := l.folders(componentsDir)
	if names == nil {
		l.loadComponents(ctx, known)
		return
	}
	l.loadComponents(ctx, l.knownNames(names, known, RuleUnknownComponent, "component"))
	var dependencies []string
	for _, component := range l.repo.Components {
		dependencies = append(dependencies, component.DependsOn...)
	}
	l.loadComponents(ctx, slices.DeleteFunc(dependencies, func(name string) bool {
		return l.repo.Components[name] != nil || !l.exists(ComponentFile(name))
	}))
}

func (l *loader) loadComponents(ctx context.Context, names []string) {
	forEach(ctx, names, func(name string) {
		component := l.component(name)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.repo.Components[name] = component
	})
}

func (l *loader) component(name string) *Component {
	fileName := ComponentFile(name)
	file := v1alpha1.Component{}
	if !l.decode(fileName, l.schemas.component, &file) || !l.expect(fileName, file.TypeMeta, v1alpha1.KindComponent) || !l.expectName(fileName, file.Metadata, name) {
		return &Component{Name: name, broken: true}
	}
	component := &Component{Name: name, ComponentSpec: file.Spec, Values: map[string]Values{}}
	present := l.files(ComponentDir(name) + "/values")
	for _, release := range component.ReleaseNames() {
		if present[release+".yaml"] {
			component.Values[release] = l.values(ComponentValuesFile(name, release))
		}
	}
	return component
}

func (l *loader) clusters(ctx context.Context, only Only) {
	known := l.folders(clustersDir)
	names := known
	if only.Clusters != nil {
		names = l.knownNames(only.Clusters, known, RuleUnknownCluster, "cluster")
	}
	for _, name := range names {
		l.repo.Clusters[name] = l.cluster(name)
	}
	var pins []pinRef
	for _, cluster := range l.repo.ClusterNames() {
		pins = append(pins, l.pinsOf(l.repo.Clusters[cluster], only.Components)...)
	}
	forEach(ctx, pins, func(ref pinRef) { l.pin(ref) })
}

// knownNames returns the names that have a folder; the others are findings.
func (l *loader) knownNames(names, known []string, rule, what string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		if slices.Contains(known, name) {
			return false
		}
		l.find(Finding{Rule: rule, Severity: Error, File: what + "s", Message: fmt.Sprintf("there is no %s %q%s", what, name, strictyaml.Suggest(name, known))})
		return true
	})
}

func (l *loader) cluster(name string) *Cluster {
	cluster := &Cluster{Name: name, Pins: map[string]*Pin{}, Pinned: map[string]bool{}, Values: map[string]Values{}}
	fileName := ClusterFile(name)
	file := v1alpha1.Cluster{}
	if !l.decode(fileName, l.schemas.cluster, &file) || !l.expect(fileName, file.TypeMeta, v1alpha1.KindCluster) || !l.expectName(fileName, file.Metadata, name) {
		cluster.broken = true
		return cluster
	}
	cluster.ClusterSpec = file.Spec
	return cluster
}

// pinRef names a pin to load, and the values files that exist on its cluster.
type pinRef struct {
	cluster   *Cluster
	component string
	values    map[string]bool
}

func (l *loader) pinsOf(cluster *Cluster, components []string) []pinRef {
	values := l.files(ClusterDir(cluster.Name) + "/values")
	var refs []pinRef
	for file := range l.files(ClusterDir(cluster.Name) + "/pins") {
		component, isYAML := strings.CutSuffix(file, ".yaml")
		if !isYAML {
			continue // a finding of the check for files that belong to nothing
		}
		cluster.Pinned[component] = true
		if components == nil || slices.Contains(components, component) {
			refs = append(refs, pinRef{cluster, component, values})
		}
	}
	return refs
}

func (l *loader) pin(ref pinRef) {
	pin := l.decodePin(ref)
	values := map[string]Values{}
	if component := l.repo.Components[ref.component]; component != nil {
		for _, release := range component.ReleaseNames() {
			if ref.values[release+".yaml"] {
				values[release] = l.values(ClusterValuesFile(ref.cluster.Name, release))
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if pin != nil {
		ref.cluster.Pins[ref.component] = pin
	}
	for release, v := range values {
		ref.cluster.Values[release] = v
	}
}

func (l *loader) decodePin(ref pinRef) *Pin {
	fileName := PinFile(ref.cluster.Name, ref.component)
	file := v1alpha1.Pin{}
	if !l.decode(fileName, l.schemas.pin, &file) || !l.expect(fileName, file.TypeMeta, v1alpha1.KindPin) || !l.expectName(fileName, file.Metadata, ref.component) {
		return nil
	}
	pin := &Pin{PinSpec: file.Spec, Values: map[string]Values{}}
	for name, release := range file.Spec.Releases {
		if release.Values == nil {
			continue
		}
		values, err := decodeValues(release.Values.Raw)
		if err != nil {
			l.find(at(l.repo.fsys, RuleInvalidFile, fileName, []string{"spec", "releases", name, "values"}, err.Error(), ""))
			continue
		}
		pin.Values[name] = values
	}
	return pin
}

// DecodePin decodes the content of one pin file, with the findings that Load would have.
func DecodePin(file string, data []byte) (v1alpha1.Pin, Findings) {
	pin := v1alpha1.Pin{}
	return pin, problemFindings(file, data, strictyaml.SchemaOf[v1alpha1.Pin]().Decode(data, &pin))
}

// decode reads a file of ours and reports whether it is well-formed.
func (l *loader) decode(file string, schema *strictyaml.Schema, into any) bool {
	data, ok := l.read(file, maxFileSize)
	if !ok {
		return false
	}
	problems := schema.Decode(data, into)
	l.find(problemFindings(file, data, problems)...)
	return len(problems) == 0
}

func problemFindings(file string, data []byte, problems []strictyaml.Problem) Findings {
	var findings Findings
	for _, p := range problems {
		findings = append(findings, Finding{
			Rule: RuleInvalidFile, Severity: Error, File: file, Line: p.Line, Column: p.Column,
			Message: p.Message, Source: sourceLine(data, p.Line),
		})
	}
	return findings
}

// expect reports whether the file is of the kind that its place asks for.
func (l *loader) expect(file string, got v1alpha1.TypeMeta, want v1alpha1.Kind) bool {
	switch {
	case got.Kind != want:
		l.find(at(l.repo.fsys, RuleInvalidFile, file, []string{"kind"}, fmt.Sprintf("kind %q is not accepted here", got.Kind), fmt.Sprintf("write kind: %s", want)))
	case got.APIVersion != v1alpha1.APIVersion:
		l.find(at(l.repo.fsys, RuleInvalidFile, file, []string{"apiVersion"}, fmt.Sprintf("apiVersion %q is not known", got.APIVersion), "write apiVersion: "+v1alpha1.APIVersion))
	default:
		return true
	}
	return false
}

// expectName reports whether the object is named as its file or folder is.
func (l *loader) expectName(file string, metadata v1alpha1.Metadata, want string) bool {
	if metadata.Name == want {
		return true
	}
	l.find(at(l.repo.fsys, RuleInvalidFile, file, []string{"metadata", "name"}, fmt.Sprintf("the name %q differs from the place of the file", metadata.Name), fmt.Sprintf("write name: %s, or move the file", want)))
	return false
}

func (l *loader) values(file string) Values {
	data, ok := l.read(file, maxValuesSize)
	if !ok {
		return nil
	}
	values, err := ParseValues(data)
	if err != nil {
		line, message := splitYAMLError(err)
		l.find(Finding{Rule: RuleInvalidFile, Severity: Error, File: file, Line: line, Column: min(line, 1), Message: message}) // no Source: values may be secret
	}
	return values
}

var yamlLine = regexp.MustCompile(`(?s)line (\d+): (.*)$`)

// splitYAMLError takes the line out of a YAML library's error, which has it only in its text.
func splitYAMLError(err error) (int, string) {
	match := yamlLine.FindStringSubmatch(err.Error())
	if match == nil {
		return 0, err.Error()
	}
	line, _ := strconv.Atoi(match[1])
	return line, match[2]
}
