package chart

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	fluxvalues "github.com/fluxcd/pkg/chartutil"
	"github.com/go-logr/logr"
	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Reference names one key of a Secret or ConfigMap in the HelmRelease's
// namespace.
type Reference struct {
	// Kind is Secret or ConfigMap.
	Kind string
	Name string
	Key  string
}

// Placeholder is what stands for a missing reference with a targetPath: text
// that names the reference, the same in every run.
func (r Reference) Placeholder() string {
	return fmt.Sprintf("placeholder-for-%s-%s-%s", strings.ToLower(r.Kind), r.Name, r.Key)
}

func (r Reference) compare(o Reference) int {
	return cmp.Or(cmp.Compare(r.Kind, o.Kind), cmp.Compare(r.Name, o.Name), cmp.Compare(r.Key, o.Key))
}

// values merges valuesFrom and inline values with the function that
// helm-controller uses.
func values(ctx context.Context, hr *helmv2.HelmRelease, data map[Reference][]byte) (common.Values, error) {
	kube := references{data: data}
	return fluxvalues.ChartValuesFromReferences(ctx, logr.Discard(), kube, hr.Namespace, hr.GetValues(), hr.Spec.ValuesFrom...)
}

// withPlaceholders adds what is missing of the references that are not
// optional: a placeholder where there is a targetPath, an empty document
// elsewhere, which is a warning.
func withPlaceholders(hr *helmv2.HelmRelease, data map[Reference][]byte) (filled map[Reference][]byte, warnings []string) {
	filled = map[Reference][]byte{}
	for ref, content := range data {
		filled[ref] = content
	}
	for _, from := range hr.Spec.ValuesFrom {
		ref := Reference{Kind: from.Kind, Name: from.Name, Key: from.GetValuesKey()}
		if _, ok := filled[ref]; ok || from.Optional {
			continue
		}
		filled[ref] = nil
		if from.TargetPath != "" {
			filled[ref] = []byte(ref.Placeholder())
			continue
		}
		warnings = append(warnings, fmt.Sprintf("%s %q with key %q is not known: its values are left out", ref.Kind, ref.Name, ref.Key))
	}
	return filled, warnings
}

// references answers helm-controller's questions for Secrets and ConfigMaps
// from a map. The embedded client is nil: nothing but Get is ever called.
type references struct {
	client.Client
	data map[Reference][]byte
}

// Get fills a Secret or ConfigMap, or says that it does not exist.
func (r references) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	switch obj := obj.(type) {
	case *corev1.Secret:
		obj.Data = map[string][]byte{}
		return r.each("Secret", key.Name, func(k string, v []byte) { obj.Data[k] = v })
	case *corev1.ConfigMap:
		obj.Data = map[string]string{}
		return r.each("ConfigMap", key.Name, func(k string, v []byte) { obj.Data[k] = string(v) })
	}
	return fmt.Errorf("values can come from a Secret or a ConfigMap, not from a %T", obj)
}

func (r references) each(kind, name string, add func(key string, value []byte)) error {
	found := false
	for ref, value := range r.data {
		if ref.Kind == kind && ref.Name == name {
			add(ref.Key, value)
			found = true
		}
	}
	if !found {
		resource := schema.GroupResource{Resource: strings.ToLower(kind) + "s"}
		return apierrors.NewNotFound(resource, name)
	}
	return nil
}

// secretTexts lists the texts of referenced Secrets that no message may have,
// the longest first so that no part of one stays. Texts too short to be secret
// would only make messages unreadable.
func secretTexts(data map[Reference][]byte) []string {
	const shortest = 4
	var texts []string
	add := func(s string) {
		if s = strings.TrimSpace(s); len(s) >= shortest {
			quoted := strconv.Quote(s)
			texts = append(texts, s, quoted[1:len(quoted)-1])
		}
	}
	for ref, content := range data {
		if ref.Kind != "Secret" {
			continue
		}
		add(string(content))
		var doc any
		if yaml.Unmarshal(content, &doc) == nil {
			eachText(doc, add)
		}
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	return slices.Compact(texts)
}

func eachText(v any, do func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			eachText(item, do)
		}
	case []any:
		for _, item := range v {
			eachText(item, do)
		}
	case string:
		do(v)
	case float64:
		do(strconv.FormatFloat(v, 'f', -1, 64))
		do(fmt.Sprint(v))
	}
}

// applyValuesFiles does what source-controller does for chart.spec.valuesFiles:
// the files, merged in order, replace the chart's values.yaml.
func applyValuesFiles(c *helmchart.Chart, hr *helmv2.HelmRelease) error {
	if hr.Spec.Chart == nil || len(hr.Spec.Chart.Spec.ValuesFiles) == 0 {
		return nil
	}
	spec := hr.Spec.Chart.Spec
	merged := map[string]any{}
	for _, name := range spec.ValuesFiles {
		i := slices.IndexFunc(c.Raw, func(f *common.File) bool { return f.Name == path.Clean(name) })
		if i < 0 && spec.IgnoreMissingValuesFiles {
			continue
		}
		if i < 0 {
			return fmt.Errorf("the chart has no values file %q, which chart.spec.valuesFiles names", name)
		}
		read, err := common.ReadValues(c.Raw[i].Data)
		if err != nil {
			return fmt.Errorf("values file %q of the chart: %w", name, err)
		}
		merged = fluxvalues.MergeMaps(merged, read)
	}
	c.Values = merged
	return nil
}

// inexactIntegers lists the paths of inline integers that change when they are
// read as floating point, which is how helm-controller reads them.
func inexactIntegers(hr *helmv2.HelmRelease) []string {
	if hr.Spec.Values == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(hr.Spec.Values.Raw))
	decoder.UseNumber()
	var doc any
	if decoder.Decode(&doc) != nil {
		return nil
	}
	var found []string
	eachNumber("", doc, func(path string, n json.Number) {
		float, err := n.Float64()
		if isInteger(n.String()) && (err != nil || fmt.Sprintf("%.0f", float) != n.String()) {
			found = append(found, fmt.Sprintf("value %s: helm-controller reads %s as floating point and loses digits: quote it if the chart takes text", path, n))
		}
	})
	slices.Sort(found)
	return found
}

func isInteger(s string) bool { return !strings.ContainsAny(s, ".eE") }

func eachNumber(at string, v any, do func(string, json.Number)) {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			eachNumber(strings.TrimPrefix(at+"."+key, "."), item, do)
		}
	case []any:
		for i, item := range v {
			eachNumber(fmt.Sprintf("%s[%d]", at, i), item, do)
		}
	case json.Number:
		do(at, v)
	}
}
