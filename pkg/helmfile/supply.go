package helmfile

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

// ErrSecretsMissing says that a key which a release refers to is not among the secrets.
var ErrSecretsMissing = errors.New("a key that a release refers to is missing")

// ErrNotPiped says that secrets would be shown or stored.
var ErrNotPiped = errors.New("secrets are only written into a pipe")

// maxSecret is what Kubernetes stores in one Secret.
const maxSecret = 1 << 20

// Secrets are the contents of Secrets, by name and key.
type Secrets map[string]map[string]string

// ReadSecrets reads YAML: the names of Secrets, each with its keys and their contents. Its errors never quote a content.
func ReadSecrets(in io.Reader) (Secrets, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("more than %d bytes of secrets", maxFile)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil || root.Kind == 0 {
		return nil, errors.New("the secrets are no YAML: the names of Secrets are wanted, each with its keys (the report of the import has it to be filled in)")
	}
	secrets := Secrets{}
	for name, keys := range pairs(root.Content[0]) {
		if keys.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("line %d: the keys of a Secret are wanted here", keys.Line)
		}
		secrets[name.Value] = map[string]string{}
		for key, value := range pairs(keys) {
			if value.Kind != yaml.ScalarNode || isNull(value) {
				return nil, fmt.Errorf("line %d: a text is wanted as the content of %q", value.Line, key.Value)
			}
			secrets[name.Value][key.Value] = value.Value // as written: 0123 stays 0123
		}
	}
	return secrets, nil
}

func pairs(mapping *yaml.Node) func(func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if mapping.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i], mapping.Content[i+1]) {
				return
			}
		}
	}
}

// Reference is a key of a Secret that a release on a cluster refers to.
type Reference struct {
	Release string
	meta.ValuesReference
	inline control.Values
}

// References returns the keys of Secrets that the releases on a cluster refer to, and what prevents telling them.
func References(repo *control.Repo, cluster string) ([]Reference, control.Findings) {
	deployments, findings := repo.Deployments(cluster)
	var references []Reference
	for _, d := range deployments {
		for _, release := range d.Releases {
			for _, from := range release.ValuesFrom {
				if from.Kind == "Secret" {
					references = append(references, Reference{release.Name, from, release.Values})
				}
			}
		}
	}
	return references, findings
}

func (r Reference) key() string {
	if r.ValuesKey == "" {
		return valuesKey
	}
	return r.ValuesKey
}

// Supply checks that every reference has its key, and returns the Secrets as YAML. Contents that become one value have no
// line end at their end. What no release refers to is returned by name, and not written.
func Supply(references []Reference, secrets Secrets, namespace string) (objects []byte, unused []string, err error) {
	wanted := map[string]map[string]string{}
	var missing []error
	for _, r := range references {
		content, given := secrets[r.Name][r.key()]
		if err := r.check(content, given); err != nil {
			missing = append(missing, err)
			continue
		}
		if !given {
			continue
		}
		if r.TargetPath != "" {
			content = strings.TrimRight(content, "\r\n")
		}
		if wanted[r.Name] == nil {
			wanted[r.Name] = map[string]string{}
		}
		wanted[r.Name][r.key()] = content
	}
	if len(missing) > 0 {
		return nil, nil, errors.Join(missing...)
	}
	objects, err = secretObjects(wanted, namespace)
	return objects, unusedKeys(secrets, wanted), err
}

// check says what is wrong with the content of a reference, without quoting it.
func (r Reference) check(content string, given bool) error {
	where := fmt.Sprintf("release %q: Secret %s, key %s", r.Release, r.Name, r.key())
	switch {
	case !given && r.Optional:
		return nil
	case !given || strings.TrimSpace(content) == "":
		return fmt.Errorf("%w: %s", ErrSecretsMissing, where)
	case placeholderLeft(content):
		return fmt.Errorf("%w: %s still has the <name> of the report in it", ErrSecretsMissing, where)
	case len(content) > maxSecret:
		return fmt.Errorf("%s has more than the %d bytes that Kubernetes stores", where, maxSecret)
	case r.TargetPath == "":
		return r.checkWhole(content, where)
	}
	return nil
}

// checkWhole checks a content that holds values as a whole: what is also written inline would win over it.
func (r Reference) checkWhole(content, where string) error {
	values, err := control.ParseValues([]byte(content))
	if err != nil {
		return fmt.Errorf("%s: its content is not a mapping of values", where)
	}
	var both []string
	eachScalar(values, nil, nil, func(path []string, _ any) {
		if inlineAt(r.inline, path) {
			both = append(both, strings.Join(path, "."))
		}
	})
	if len(both) > 0 {
		return fmt.Errorf("%s: %s is also written in the values files, which win: remove it there, or here", where, strings.Join(both, ", "))
	}
	return nil
}

func inlineAt(values control.Values, path []string) bool {
	var at any = values
	for _, key := range path {
		mapping, isMap := at.(map[string]any)
		if !isMap {
			return true
		}
		next, has := mapping[key]
		if !has {
			return false
		}
		at = next
	}
	return true
}

// placeholderLeft reports whether somebody forgot to fill in the report's stub.
func placeholderLeft(content string) bool {
	content = strings.TrimSpace(content)
	return strings.HasPrefix(content, "<") && strings.HasSuffix(content, ">") && !strings.ContainsAny(content, "\n/ ")
}

func unusedKeys(secrets Secrets, wanted map[string]map[string]string) []string {
	var unused []string
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		for _, key := range slices.Sorted(maps.Keys(secrets[name])) {
			if _, used := wanted[name][key]; !used {
				unused = append(unused, name+"/"+key)
			}
		}
	}
	return unused
}

func secretObjects(wanted map[string]map[string]string, namespace string) ([]byte, error) {
	var out []byte
	for i, name := range slices.Sorted(maps.Keys(wanted)) {
		data := map[string]any{}
		for key, content := range wanted[name] {
			data[key] = content
		}
		text, err := bytesOf(safeyaml.Node(map[string]any{
			"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
			"metadata":   map[string]any{"name": name, "namespace": namespace},
			"stringData": data,
		}))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, "---\n"...)
		}
		out = append(out, text...)
	}
	return out, nil
}
