package bump

import (
	"context"
	"fmt"
	"reflect"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// FoldedValues are a release's values on their way from the pins into the component's file.
type FoldedValues struct {
	File   string
	Values control.Values
}

// fold moves values that belong to a version from the pins into the component's file, once all clusters have the same: what
// is rendered does not change.
func (w *planning) fold(context.Context) error {
	w.plan.Folded = map[string]FoldedValues{}
	clusters := inOrder(w.repo, w.repo.ClusterNames())
	for _, release := range w.component.ReleaseNames() {
		values, err := w.agreedValues(release, clusters)
		if err != nil {
			return err
		}
		if values != nil {
			w.plan.Folded[release] = FoldedValues{File: control.ComponentValuesFile(w.component.Name, release), Values: values}
		}
	}
	for _, name := range clusters {
		old := w.oldPin(name)
		if old == nil {
			continue
		}
		next := clonePin(old)
		for release, pinned := range next.Releases {
			pinned.Values = nil
			next.Releases[release] = pinned
		}
		change := Change{Cluster: name, Old: old, New: next}
		if samePin(old, next) {
			change.Unchanged = "no values in the pin"
		}
		w.change(change)
	}
	return nil
}

// agreedValues returns the pin values of a release that every cluster with the component has, nil where none has any.
func (w *planning) agreedValues(release string, clusters []string) (control.Values, error) {
	var agreed control.Values
	first := ""
	for _, name := range clusters {
		pin := w.pin(name)
		if pin == nil {
			continue
		}
		values := pin.Values[release]
		if first != "" && !reflect.DeepEqual(values, agreed) {
			return nil, fmt.Errorf("clusters %s and %s have different values in their pins of release %q: promote the version that they belong to first", first, name, release)
		}
		first, agreed = name, values
	}
	return agreed, nil
}
