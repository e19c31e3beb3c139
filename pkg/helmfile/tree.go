package helmfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrNoHelmfile says that there is nothing to import.
var ErrNoHelmfile = errors.New("no helmfile found")

// unit is a helmfile, in each of the environments that it is deployed to.
type unit struct {
	name   string // of the component
	file   string
	states map[string]state // by environment
	err    error            // what keeps it from being read
	notes  *notes
	// alone says that nothing groups the helmfile's releases: each is a component.
	alone bool
}

// Helmfile's names of files: its default one, one in a folder of several, and the order that people number those by.
var (
	defaultFile  = regexp.MustCompile(`^helmfile\.(ya?ml(\.gotmpl)?|gotmpl)$`)
	folderFile   = regexp.MustCompile(`^[^_.].*\.(ya?ml(\.gotmpl)?|gotmpl)$`)
	orderPrefix  = regexp.MustCompile(`^[0-9]+[-_.]`)
	fileEndings  = regexp.MustCompile(`(\.ya?ml)?(\.gotmpl)?$`)
	manyHelmfile = "helmfile.d"
)

// defaultEnvironment is the one that helmfile takes where none is named.
const defaultEnvironment = "default"

// units finds the helmfiles of the folder, and reads them in all their environments.
func (r *reader) units() ([]*unit, error) {
	files, err := r.helmfiles()
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: name the folder that holds helmfile.yaml, helmfile.d, or folders with one each", ErrNoHelmfile)
	}
	c := &collector{reader: r, units: map[string]*unit{}}
	for _, file := range files {
		c.collect(file, nil, nil, 0)
	}
	units := slices.Collect(maps.Values(c.units))
	slices.SortFunc(units, func(a, b *unit) int { return cmp.Compare(a.file, b.file) })
	nameUnits(units)
	return units, nil
}

// helmfiles returns the entry points: that of the folder itself, or else every one below.
func (r *reader) helmfiles() ([]string, error) {
	all, err := r.source.files(".")
	if err != nil {
		return nil, fmt.Errorf("cannot read the folder: %w", err)
	}
	var top, below []string
	for _, file := range all {
		dir := path.Dir(file)
		isEntry := defaultFile.MatchString(path.Base(file)) || path.Base(dir) == manyHelmfile && folderFile.MatchString(path.Base(file))
		switch {
		case !isEntry:
		case dir == "." || dir == manyHelmfile:
			top = append(top, file)
		default:
			below = append(below, file)
		}
	}
	if len(top) > 0 {
		return top, nil
	}
	slices.SortStableFunc(below, func(a, b string) int { return cmp.Compare(strings.Count(a, "/"), strings.Count(b, "/")) })
	return below, nil
}

// collector reads helmfiles and those that they name.
type collector struct {
	reader *reader
	units  map[string]*unit // by file
}

const maxNested = 10

// collect reads a helmfile in the given environments, or in all that it has.
func (c *collector) collect(file string, environments []string, override map[string]any, depth int) {
	u := c.units[file]
	nested := environments != nil
	if u != nil && !nested {
		return // another helmfile named it
	}
	if u == nil {
		u = &unit{file: file, states: map[string]state{}, notes: newNotes()}
		c.units[file] = u
	}
	declared, err := c.reader.environmentNames(file, 0)
	if err != nil {
		u.fail(err)
		return
	}
	for _, name := range c.reader.inEnvironments(u, declared, environments) {
		if _, twice := u.states[name]; twice || depth > maxNested {
			u.fail(wrongAt(Position{File: file}, "this helmfile is named twice, or names itself"))
			return
		}
		c.collectIn(u, name, override, depth)
	}
}

// inEnvironments returns the environments of those asked for that a helmfile has.
func (r *reader) inEnvironments(u *unit, declared, asked []string) []string {
	if len(declared) == 0 {
		declared = asked
	}
	if len(declared) == 0 {
		declared = []string{defaultEnvironment}
	}
	return slices.DeleteFunc(declared, func(name string) bool {
		_, wanted := r.options.cluster(name)
		if asked != nil && !slices.Contains(asked, name) {
			return true
		}
		if !wanted && asked == nil {
			u.notes.add(Item{Position: Position{File: u.file}, Construct: "environments." + name, Status: Dropped, Text: "not asked for"})
		}
		return !wanted
	})
}

func (c *collector) collectIn(u *unit, name string, override map[string]any, depth int) {
	env := newEnvironment(name)
	env.override = mergeEnvironment(mergeEnvironment(env.override, override), c.reader.options.StateValues)
	in := *c.reader
	in.notes = u.notes
	loaded, err := in.load(u.file, env, 0)
	if err != nil {
		u.fail(err)
		return
	}
	u.states[name] = loaded
	repositories, err := in.repositoriesOf(loaded)
	if err != nil {
		u.fail(err)
		return
	}
	for alias, repository := range repositories {
		c.reader.repositories[alias] = append(c.reader.repositories[alias], repository)
	}
	for _, entry := range contentOf(child(loaded.node, "helmfiles")) {
		if err := c.collectNested(in, loaded, entry, depth); err != nil {
			u.fail(err)
		}
	}
}

// collectNested reads the helmfiles that an entry of helmfiles names.
func (c *collector) collectNested(in reader, parentState state, entry *yaml.Node, depth int) error {
	name := entry
	override := map[string]any{}
	if entry.Kind == yaml.MappingNode {
		name = child(entry, "path")
		var err error
		if override, err = in.environmentValues(parentState.env, parentState.file, child(entry, "values"), ""); err != nil {
			return err
		}
	}
	files, err := in.matches(parent(parentState.file), name, text(child(parentState.node, "missingFileHandler")))
	if err != nil {
		return err
	}
	for _, file := range files {
		for _, one := range in.helmfilesAt(file) {
			c.collect(one, []string{parentState.env.name}, override, depth+1)
			c.refuse(one, entry)
		}
	}
	return nil
}

// refuse fails a nested helmfile of which only a part is deployed, or that takes more than values from its parent.
func (c *collector) refuse(file string, entry *yaml.Node) {
	for _, key := range []string{"selectors", "inherits"} {
		if at := child(entry, key); !isEmptyNode(at) {
			c.units[file].fail(wrongAt(c.reader.position(at), "it is named with %s, which is not understood", key))
		}
	}
}

// helmfilesAt returns the helmfiles that a path stands for: a file, or a folder's own or all.
func (r *reader) helmfilesAt(name string) []string {
	if !r.source.isDir(name) {
		return []string{name}
	}
	files, _ := r.source.glob(name, "*") // a folder that was just matched
	var own, all []string
	for _, file := range files {
		if defaultFile.MatchString(path.Base(file)) {
			own = append(own, file)
		} else if folderFile.MatchString(path.Base(file)) && r.source.isFile(file) {
			all = append(all, file)
		}
	}
	if len(own) > 0 {
		return own[:1]
	}
	return all
}

// environmentNames returns the environments that a helmfile and its bases declare.
func (r *reader) environmentNames(file string, depth int) ([]string, error) {
	content, err := r.source.file(file)
	if err != nil {
		return nil, wrongAt(Position{File: file}, "cannot read it: %w", bareError(err))
	}
	content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	var names []string
	for _, text := range bytes.Split(content, []byte("\n---\n")) {
		made := rendered{text: text}
		if r.isTemplate(file) {
			x := &execution{reader: r, dir: parent(file), at: Position{file, 1}, draft: true}
			if made, err = x.render(text, newEnvironment(defaultEnvironment).templateData(map[string]any{}, "")); err != nil {
				continue // the reading of each environment says so
			}
		}
		roots, err := parseDocuments(file, made.text, nil, r.at)
		if err != nil {
			continue
		}
		for _, root := range roots {
			names = append(names, r.declaredIn(file, root, depth)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (r *reader) declaredIn(file string, root *yaml.Node, depth int) []string {
	var names []string
	environments := child(root, "environments")
	for i := 0; environments != nil && environments.Kind == yaml.MappingNode && i+1 < len(environments.Content); i += 2 {
		names = append(names, environments.Content[i].Value)
	}
	for _, base := range contentTexts(child(root, "bases")) {
		if base, err := r.source.resolve(parent(file), base); err == nil && depth < maxBases {
			more, _ := r.environmentNames(base, depth+1) // the reading of each environment says what is wrong
			names = append(names, more...)
		}
	}
	return names
}

// fail keeps the first error, as a failure in the report.
func (u *unit) fail(err error) {
	if u.err == nil {
		u.err = err
	}
	u.notes.add(failure(Position{File: u.file}, err))
}

// failure is the item of an error.
func failure(at Position, err error) Item {
	var placed *positionError
	if errors.As(err, &placed) {
		at = placed.at
	}
	return Item{Position: at, Construct: "helmfile", Status: Failed, Text: err.Error()}
}

// nameUnits gives each helmfile the name of its component: its folder's, or its own. Two of the same name are told apart
// by their paths.
func nameUnits(units []*unit) {
	taken := map[string]int{}
	for _, u := range units {
		base, dir := path.Base(u.file), path.Dir(u.file)
		switch {
		case !defaultFile.MatchString(base):
			u.name = dnsName(orderPrefix.ReplaceAllString(fileEndings.ReplaceAllString(base, ""), ""))
		case dir == ".":
			u.alone = true
		default:
			u.name = dnsName(orderPrefix.ReplaceAllString(path.Base(dir), ""))
		}
		taken[u.name]++
	}
	for _, u := range units {
		if taken[u.name] > 1 && !u.alone {
			u.name = dnsName(strings.ReplaceAll(fileEndings.ReplaceAllString(strings.TrimSuffix(u.file, "/helmfile.yaml"), ""), "/", "-"))
		}
	}
}
