package bump

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

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

// sameVersion compares what two pins deploy, digests and holds aside: registries hold different digests of one chart.
func sameVersion(a, b *v1alpha1.PinSpec) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(pinJSON(versionOnly(a)), pinJSON(versionOnly(b)))
}

// versionOnly leaves of a pin what is the same on every cluster that runs the version.
func versionOnly(pin *v1alpha1.PinSpec) *v1alpha1.PinSpec {
	only := &v1alpha1.PinSpec{Commit: pin.Commit, Releases: map[string]v1alpha1.PinnedRelease{}, Manifests: pin.Manifests}
	for name, release := range pin.Releases {
		release.Digest = ""
		only.Releases[name] = release
	}
	for _, image := range pin.Images {
		only.Images = append(only.Images, v1alpha1.PinnedImage{Tag: image.Tag})
	}
	return only
}

func pinJSON(pin *v1alpha1.PinSpec) []byte {
	encoded, err := json.Marshal(pin)
	if err != nil {
		panic("a pin cannot be encoded: " + err.Error()) // it holds nothing but what was decoded from JSON
	}
	var any any
	_ = json.Unmarshal(encoded, &any) // sorts the keys of free-form values
	encoded, _ = json.Marshal(any)
	return encoded
}

func releaseNames(pin *v1alpha1.PinSpec) []string { return slices.Sorted(maps.Keys(pin.Releases)) }

// Versions returns every version that a pin names, by the names of its releases.
func Versions(pin *v1alpha1.PinSpec) []string { return versions(pin) }

func versions(pin *v1alpha1.PinSpec) []string {
	if pin == nil {
		return nil
	}
	if pin.Manifests != nil {
		return []string{pin.Manifests.Version}
	}
	var all []string
	for _, name := range releaseNames(pin) {
		all = append(all, pin.Releases[name].Version)
	}
	return all
}

// leftVersions are the versions of old that new no longer has: what a rollback leaves.
func leftVersions(old, new *v1alpha1.PinSpec) []string {
	kept := versions(new)
	return slices.DeleteFunc(versions(old), func(v string) bool { return slices.Contains(kept, v) })
}
