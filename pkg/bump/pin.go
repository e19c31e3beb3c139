package bump

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// clonePin returns a copy that shares nothing that is changed here.
func clonePin(pin *v1alpha1.PinSpec) *v1alpha1.PinSpec {
	if pin == nil {
		return &v1alpha1.PinSpec{}
	}
	clone := *pin
	clone.Releases = maps.Clone(pin.Releases)
	clone.Images = slices.Clone(pin.Images)
	if pin.Hold != nil {
		hold := *pin.Hold
		hold.Refuse = slices.Clone(hold.Refuse)
		clone.Hold = &hold
	}
	return &clone
}

// samePin compares pins by what they say.
func samePin(a, b *v1alpha1.PinSpec) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(pinJSON(a), pinJSON(b))
}

// sameDeployment compares all of two pins of one cluster but their holds.
func sameDeployment(a, b *v1alpha1.PinSpec) bool {
	return samePin(withoutHold(a), withoutHold(b))
}

func withoutHold(pin *v1alpha1.PinSpec) *v1alpha1.PinSpec {
	if pin == nil {
		return nil
	}
	only := *pin
	only.Hold = nil
	return &only
}

// sameVersion compares what two pins deploy, digests and holds aside: registries hold different digests of one chart. A
// commit may be known with all its digits, with some, or not at all.
func sameVersion(a, b *v1alpha1.PinSpec) bool {
	if a == nil || b == nil {
		return a == b
	}
	return sameCommit(a.Commit, b.Commit) && versionKey(a) == versionKey(b)
}

// sameCommit compares two forms of a commit, either of which may be short or unknown.
func sameCommit(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// versionKey is the same for pins of all clusters that deploy the same.
func versionKey(pin *v1alpha1.PinSpec) string {
	only := &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{}, Manifests: pin.Manifests}
	for name, release := range pin.Releases {
		release.Digest = ""
		only.Releases[name] = release
	}
	for _, image := range pin.Images { // whose names are each registry's own
		only.Images = append(only.Images, v1alpha1.PinnedImage{Tag: image.Tag})
	}
	slices.SortFunc(only.Images, func(a, b v1alpha1.PinnedImage) int { return strings.Compare(a.Tag, b.Tag) })
	return string(pinJSON(only))
}

// pinJSON is one text for all pins that say the same.
func pinJSON(pin *v1alpha1.PinSpec) []byte {
	encoded, err := json.Marshal(pin)
	if err != nil {
		panic("a pin cannot be encoded: " + err.Error()) // it holds nothing but what was decoded from JSON
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var content any
	_ = decoder.Decode(&content)
	encoded, _ = json.Marshal(canonical(content)) // which sorts the keys of free-form values
	return encoded
}

// canonical writes every number in one way: whole ones with all their digits, which a float64 would lose.
func canonical(content any) any {
	switch content := content.(type) {
	case map[string]any:
		for key, value := range content {
			content[key] = canonical(value)
		}
	case []any:
		for i, value := range content {
			content[i] = canonical(value)
		}
	case json.Number:
		return canonicalNumber(content)
	}
	return content
}

func canonicalNumber(number json.Number) json.Number {
	if strings.ContainsAny(string(number), ".eE") {
		if value, err := number.Float64(); err == nil {
			number = json.Number(strconv.FormatFloat(value, 'f', -1, 64))
		}
	}
	if number == "-0" {
		return "0"
	}
	return number
}

func releaseNames(pin *v1alpha1.PinSpec) []string { return slices.Sorted(maps.Keys(pin.Releases)) }

// versionsByRelease returns the version of each release; plain manifests are the release without a name.
func versionsByRelease(pin *v1alpha1.PinSpec) map[string]string {
	versions := map[string]string{}
	if pin == nil {
		return versions
	}
	for name, release := range pin.Releases {
		versions[name] = release.Version
	}
	if pin.Manifests != nil {
		versions[""] = pin.Manifests.Version
	}
	return versions
}

// leftVersions are the versions of old that new has exchanged or no longer has: what a rollback leaves. They are sorted.
func leftVersions(old, new *v1alpha1.PinSpec) []string {
	kept := versionsByRelease(new)
	var left []string
	for release, version := range versionsByRelease(old) {
		if kept[release] != version {
			left = append(left, version)
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}
