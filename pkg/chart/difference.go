package chart

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"sigs.k8s.io/yaml"
)

// Difference is one object that differs between what Helm last deployed and
// what it would. Old and New are YAML without secrets: nil where the object is
// not there. A secret that differs shows as two fingerprints that differ.
type Difference struct {
	ObjectRef
	Old, New []byte
}

// differences compares a release with resources. last may be nil.
func differences(ctx context.Context, last *helmrelease.Release, resources []Resource, hr *helmv2.HelmRelease, data map[Reference][]byte) ([]Difference, error) {
	old, err := deployed(last, IdentityOf(hr).Namespace)
	if err != nil {
		return nil, err
	}
	mask, err := newMask(ctx, last, hr, data)
	if err != nil {
		return nil, err
	}
	byRef := map[ObjectRef]*Difference{}
	side := func(ref ObjectRef) *Difference {
		key := ref
		if key.APIVersion != "v1" {
			key.APIVersion, _, _ = strings.Cut(ref.APIVersion, "/")
		}
		if byRef[key] == nil {
			byRef[key] = &Difference{ObjectRef: ref}
		}
		return byRef[key]
	}
	// Both sides are marked before they are compared, so that a change of
	// nothing but a secret is one too.
	for _, r := range old {
		if side(r.ObjectRef).Old, err = mask.yaml(r); err != nil {
			return nil, err
		}
	}
	for _, r := range resources {
		if side(r.ObjectRef).New, err = mask.yaml(r); err != nil {
			return nil, err
		}
	}
	var found []Difference
	for _, d := range byRef {
		if string(d.Old) != string(d.New) {
			found = append(found, *d)
		}
	}
	slices.SortFunc(found, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.APIVersion, b.APIVersion))
	})
	return found, nil
}

// deployed are the objects of a release, hooks included.
func deployed(last *helmrelease.Release, namespace string) ([]Resource, error) {
	if last == nil {
		return nil, nil
	}
	documents := []document{{source: "Helm's record", text: last.Manifest}}
	for _, hook := range last.Hooks {
		documents = append(documents, document{source: "Helm's record", text: hook.Manifest})
	}
	objects, err := parseAsHelm(documents)
	if err != nil {
		return nil, errors.New("the release's record of Helm cannot be read") // the cause may quote a Secret
	}
	resources := resourcesOf(objects)
	placeIn(namespace, resources, nil)
	return resources, nil
}

// mask hides secrets.
type mask struct {
	key   []byte
	texts []string // the longest first
}

// newMask finds out what is secret: the content of Secrets that values come
// from, and what came from there when Helm last deployed.
func newMask(ctx context.Context, last *helmrelease.Release, hr *helmv2.HelmRelease, data map[Reference][]byte) (*mask, error) {
	m := &mask{key: make([]byte, 32), texts: secretTexts(data)}
	if _, err := rand.Read(m.key); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	if last != nil {
		secret, err := secretValues(ctx, hr, data)
		if err != nil {
			return nil, err
		}
		m.addEqualPaths(secret, last.Config)
	}
	for _, text := range m.texts {
		m.texts = append(m.texts, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	slices.SortFunc(m.texts, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	m.texts = slices.Compact(m.texts)
	return m, nil
}

// secretValues are the values that come from Secrets alone.
func secretValues(ctx context.Context, hr *helmv2.HelmRelease, data map[Reference][]byte) (map[string]any, error) {
	only := hr.DeepCopy()
	only.Spec.Values = nil
	only.Spec.ValuesFrom = slices.DeleteFunc(only.Spec.ValuesFrom, func(from helmv2.ValuesReference) bool { return from.Kind != "Secret" })
	merged, err := values(ctx, only, data)
	return merged, redactNil(err, secretTexts(data))
}

func redactNil(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	return redact(err, secrets)
}

// addEqualPaths takes for secret what was once at a path where a secret is now.
func (m *mask) addEqualPaths(secret, was any) {
	if table, isTable := secret.(map[string]any); isTable {
		old, _ := was.(map[string]any)
		for key, item := range table {
			m.addEqualPaths(item, old[key])
		}
		return
	}
	eachText(was, func(text string) {
		if len(strings.TrimSpace(text)) >= 4 {
			m.texts = append(m.texts, text)
		}
	})
}

func (m *mask) fingerprint(secret string) string {
	mac := hmac.New(sha256.New, m.key)
	mac.Write([]byte(secret))
	return "(secret " + hex.EncodeToString(mac.Sum(nil)[:6]) + ")"
}

// yaml writes an object without secrets.
func (m *mask) yaml(r Resource) ([]byte, error) {
	isSecret := r.Kind == "Secret" && r.APIVersion == "v1"
	fields := copyMap(r.Object)
	for _, field := range []string{"data", "stringData"} {
		content, _ := fields[field].(map[string]any)
		for key, value := range content {
			if isSecret {
				content[key] = m.fingerprint(fmt.Sprint(value))
			}
		}
	}
	text, err := yaml.Marshal(m.value(fields))
	if err != nil {
		return nil, fmt.Errorf("writing %s %q as YAML failed", r.Kind, r.Name) // the cause may quote it
	}
	return text, nil
}

// value replaces secret texts wherever they are.
func (m *mask) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = m.value(item)
		}
	case []any:
		for i, item := range v {
			v[i] = m.value(item)
		}
	case string:
		for _, secret := range m.texts {
			v = strings.ReplaceAll(v, secret, m.fingerprint(secret))
		}
		return v
	}
	return v
}
