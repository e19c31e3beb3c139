package toolforge_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// object is what of Flux's objects is compared: of HelmReleases and HelmRepositories.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     objectSpec
	document map[string]any
}

type objectSpec struct {
	URL              string // of a HelmRepository; the rest is a HelmRelease's
	ReleaseName      string
	TargetNamespace  string
	StorageNamespace string
	Timeout          string
	Chart            struct{ Spec chartSpec }
	ValuesFrom       []valuesReference
}

type chartSpec struct {
	Chart, Version string
	SourceRef      struct{ Kind, Name string }
}

type valuesReference struct {
	Kind, Name, ValuesKey, TargetPath string
	Literal                           bool
}

// bareDate is an unquoted date. Builds of an overlay turn it into a longer string.
var bareDate = regexp.MustCompile(`(?m)^[^#"'\n]*[:-] \d{4}-\d{2}-\d{2}$`)

// renderedReleases reads a folder of rendered manifests, by the release's name.
func renderedReleases(dir string) (map[string]release, error) {
	objects, err := readObjects(dir)
	if err != nil {
		return nil, err
	}
	repositories := map[string]string{}
	for _, o := range objects {
		if o.Kind == "HelmRepository" {
			repositories[o.Metadata.Name] = o.Spec.URL
		}
	}
	found := map[string]release{}
	for _, o := range objects {
		if o.Kind != "HelmRelease" {
			continue
		}
		if found[o.Metadata.Name], err = o.release(repositories); err != nil {
			return nil, fmt.Errorf("HelmRelease %q: %w", o.Metadata.Name, err)
		}
	}
	return found, nil
}

func readObjects(dir string) ([]object, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var objects []object
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if line := bareDate.Find(content); line != nil {
			return nil, fmt.Errorf("%q: a date without quotes: %q", file, line)
		}
		for text := range strings.SplitSeq(string(content), "\n---\n") {
			o, err := readObject([]byte(text))
			if err != nil {
				return nil, fmt.Errorf("%q: %w", file, err)
			}
			objects = append(objects, o)
		}
	}
	return objects, nil
}

func readObject(text []byte) (object, error) {
	var o object
	document, err := decodeYAML(text)
	if err != nil {
		return o, err
	}
	kind, _ := document["kind"].(string)
	if !slices.Contains([]string{"HelmRelease", "HelmRepository"}, kind) {
		return o, nil
	}
	err = yaml.Unmarshal(text, &o)
	o.document = document
	return o, err
}

func (o object) release(repositories map[string]string) (release, error) {
	chart := o.Spec.Chart.Spec
	repository, ok := repositories[chart.SourceRef.Name]
	if !ok || chart.SourceRef.Kind != "HelmRepository" {
		return release{}, fmt.Errorf("source %s %q is not there", chart.SourceRef.Kind, chart.SourceRef.Name)
	}
	if o.Spec.ReleaseName != o.Metadata.Name || o.Spec.StorageNamespace != o.Spec.TargetNamespace {
		return release{}, fmt.Errorf("Helm's name is %q, its record is in %q and its objects are in %q",
			o.Spec.ReleaseName, o.Spec.StorageNamespace, o.Spec.TargetNamespace)
	}
	timeout, err := time.ParseDuration(o.Spec.Timeout)
	if err != nil {
		return release{}, err
	}
	secrets, err := o.secrets()
	return release{
		Name: o.Spec.ReleaseName, Chart: chart.Chart, Repository: repository, Version: chart.Version,
		Namespace: o.Spec.TargetNamespace, Timeout: timeout, Values: o.values(), Secrets: secrets,
	}, err
}

func (o object) values() map[string]any {
	spec, _ := o.document["spec"].(map[string]any)
	values, ok := spec["values"].(map[string]any)
	if !ok {
		return map[string]any{}
	}
	return values
}

func (o object) secrets() ([]secretValue, error) {
	var secrets []secretValue
	for _, from := range o.Spec.ValuesFrom {
		if from.Kind != "Secret" || from.Name == "" || from.ValuesKey == "" {
			return nil, fmt.Errorf("values from %s %q, key %q: want the key of a Secret", from.Kind, from.Name, from.ValuesKey)
		}
		secrets = append(secrets, secretValue{Path: from.TargetPath, Literal: from.Literal})
	}
	slices.SortFunc(secrets, bySecretPath)
	return secrets, nil
}
