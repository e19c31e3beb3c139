package diff

import (
	"maps"
	"slices"
)

// item is one object of one side.
type item struct {
	ref       ref
	content   map[string]any
	component string
	release   string // of the HelmRelease that it was expanded from
	hook      bool
	crd       bool // from a chart's crds/, which Helm never deletes
	file      string
	line      int
}

// matched is an object on both sides, or on one.
type matched struct {
	old, new *item
	renamed  bool
}

// any is the side that is there, the new one first.
func (m matched) any() *item {
	if m.new != nil {
		return m.new
	}
	return m.old
}

// match puts the objects of two sides together by kind, namespace and name, leaves out those that are equal, and then looks
// for renamed ones. An object that one side has twice counts as its last.
func match(old, new []item, same func(old, new *item) bool) []matched {
	oldByRef, newByRef := byRef(old), byRef(new)
	refs := slices.Collect(maps.Keys(oldByRef))
	for r := range newByRef {
		if oldByRef[r] == nil {
			refs = append(refs, r)
		}
	}
	slices.SortFunc(refs, ref.compare)
	var found []matched
	for _, r := range refs {
		m := matched{old: oldByRef[r], new: newByRef[r]}
		if m.old == nil || m.new == nil || !same(m.old, m.new) {
			found = append(found, m)
		}
	}
	return withRenames(found)
}

func byRef(items []item) map[ref]*item {
	found := make(map[ref]*item, len(items))
	for i := range items {
		found[items[i].ref] = &items[i]
	}
	return found
}

// Two objects are one that was renamed where at least renameShare of the leaves of both are the same. Kinds with more
// than maxRenames candidates are left alone: comparing each with each would take too long, and mean little.
const (
	renameShare = 0.6
	maxRenames  = 50
)

// withRenames joins each removed object with the added one that is most like it.
func withRenames(found []matched) []matched {
	candidates := map[ref][2][]int{} // by kind and namespace: indexes of removed and added objects
	for i, m := range found {
		key := ref{group: m.any().ref.group, kind: m.any().ref.kind, namespace: m.any().ref.namespace}
		pair := candidates[key]
		switch {
		case m.new == nil:
			pair[0] = append(pair[0], i)
		case m.old == nil:
			pair[1] = append(pair[1], i)
		default:
			continue
		}
		candidates[key] = pair
	}
	joined := map[int]bool{}
	for _, pair := range candidates {
		if len(pair[0]) <= maxRenames && len(pair[1]) <= maxRenames {
			joinLikest(found, pair[0], pair[1], joined)
		}
	}
	kept := found[:0]
	for i, m := range found {
		if !joined[i] {
			kept = append(kept, m)
		}
	}
	return kept
}

// joinLikest puts removed objects into the entries of added ones, and notes whose own entries go.
func joinLikest(found []matched, removed, added []int, joined map[int]bool) {
	leaves := map[int]map[string]bool{}
	for _, i := range slices.Concat(removed, added) {
		leaves[i] = leavesOf(found[i].any().content)
	}
	for _, a := range added {
		best, share := -1, renameShare
		for _, r := range removed {
			if s := likeness(leaves[a], leaves[r]); !joined[r] && s >= share && (best < 0 || s > share) {
				best, share = r, s
			}
		}
		if best >= 0 {
			found[a].old, found[a].renamed = found[best].old, true
			joined[best] = true
		}
	}
}

// leavesOf returns the paths of an object with their values; metadata does not count.
func leavesOf(object map[string]any) map[string]bool {
	leaves := map[string]bool{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, item := range v {
				walk(path+"\x00"+key, item)
			}
		case []any:
			for _, item := range v {
				walk(path+"\x00[]", item)
			}
		default:
			leaves[path+"\x00="+digest(v)] = true
		}
	}
	for key, v := range object {
		if key != "metadata" {
			walk(key, v)
		}
	}
	return leaves
}

// likeness is the share of what both have in what either has. Kind and apiVersion alone are no likeness.
func likeness(a, b map[string]bool) float64 {
	both := 0
	for leaf := range a {
		if b[leaf] {
			both++
		}
	}
	if both <= 2 {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
