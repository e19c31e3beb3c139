package validate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// changedFiles returns the files of a control repo that differ between two trees, sorted. Where both know Git's object ids,
// equal ones are not read.
func changedFiles(before, after fs.FS) []string {
	var changed []string
	for _, root := range []string{path.Dir(control.ClusterDir("x")), path.Dir(control.ComponentDir("x"))} {
		changed = compareFolders(before, after, root, changed)
	}
	return compareFiles(before, after, control.RootFile, changed)
}

func compareFolders(before, after fs.FS, dir string, changed []string) []string {
	if sameObject(before, after, dir) {
		return changed
	}
	folders := map[string]bool{}
	for _, tree := range []fs.FS{before, after} {
		entries, _ := fs.ReadDir(tree, dir) // what cannot be read is a finding of its own
		for _, entry := range entries {
			folders[entry.Name()] = folders[entry.Name()] || entry.IsDir()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		if folders[name] {
			changed = compareFolders(before, after, dir+"/"+name, changed)
		}
		changed = compareFiles(before, after, dir+"/"+name, changed)
	}
	return changed
}

func compareFiles(before, after fs.FS, file string, changed []string) []string {
	if sameObject(before, after, file) {
		return changed
	}
	old, errOld := fs.ReadFile(before, file)
	new, errNew := fs.ReadFile(after, file)
	if (errOld == nil) == (errNew == nil) && bytes.Equal(old, new) {
		return changed
	}
	return append(changed, file)
}

// sameObject reports whether Git tells that a name is the same in both trees.
func sameObject(before, after fs.FS, name string) bool {
	knowsOld, isOld := before.(gitrepo.ObjectIDer)
	knowsNew, isNew := after.(gitrepo.ObjectIDer)
	if !isOld || !isNew {
		return false
	}
	old, hasOld := knowsOld.ObjectID(name)
	new, hasNew := knowsNew.ObjectID(name)
	return hasOld && hasNew && old == new
}

// clusterOf returns the cluster that a file belongs to, or nothing.
func clusterOf(file string) string {
	parts := strings.Split(file, "/")
	if len(parts) < 3 || parts[0] != path.Dir(control.ClusterDir("x")) {
		return ""
	}
	return parts[1]
}

func isClusterValues(file string) bool {
	return clusterOf(file) != "" && path.Dir(file) == path.Dir(control.ClusterValuesFile(clusterOf(file), "x"))
}

func isRendered(file string) bool {
	return clusterOf(file) != "" && path.Dir(file) == control.RenderedDir(clusterOf(file))
}

// mixedChange finds values of clusters whose pins stay, in a change of pins of others.
func (c *changeCheck) mixedChange(context.Context) control.Findings {
	moved := c.moved()
	if len(moved) == 0 {
		return nil
	}
	var findings control.Findings
	for _, file := range c.files {
		if !isClusterValues(file) || slices.ContainsFunc(moved, func(p pinChange) bool { return p.cluster == clusterOf(file) }) {
			continue
		}
		findings = append(findings, control.Finding{
			File: file, Message: fmt.Sprintf("values of %s change together with the pin of %s: reverting one would revert the other", clusterOf(file), moved[0].named()),
			Help: "make two changes of it",
		})
	}
	return findings
}

// subjectClusters finds commits whose subject names other clusters than they change.
func (c *changeCheck) subjectClusters(context.Context) control.Findings {
	known := slices.Concat(c.base.ClusterNames(), c.head.ClusterNames())
	var findings control.Findings
	for _, commit := range c.Commits {
		named := namesIn(commit.Subject, known)
		changed := map[string]string{} // cluster to the first file
		for _, change := range commit.Changes {
			if cluster := clusterOf(change.Path); cluster != "" {
				changed[cluster] = cmp.Or(changed[cluster], change.Path)
			}
		}
		clusters := sortedKeys(changed)
		if len(named) == 0 || len(clusters) == 0 || slices.Equal(named, clusters) || bump.Reverts(commit) {
			continue
		}
		findings = append(findings, control.Finding{
			File: changed[clusters[0]],
			Message: fmt.Sprintf("the subject of commit %.12s names %s, and it changes %s: %s", commit.ID,
				strings.Join(named, ", "), strings.Join(clusters, ", "), quoted(commit.Subject)),
			Help: "if the change is right, correct the subject: `git commit --amend`, or `git rebase -i " + c.Ref + "` for an older commit",
		})
	}
	return findings
}

// namesIn returns the words of a text that are names, sorted, each once.
func namesIn(text string, names []string) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	found := slices.DeleteFunc(words, func(word string) bool { return !slices.Contains(names, word) })
	slices.Sort(found)
	return slices.Compact(found)
}

const maxQuoted = 100

// quoted shows a text that somebody else wrote on one line, with nothing in it that a terminal would act on.
func quoted(text string) string {
	if runes := []rune(text); len(runes) > maxQuoted {
		text = string(runes[:maxQuoted]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// manifestsEdited finds rendered files that are not what render writes although their sources are as they were.
func (c *changeCheck) manifestsEdited(context.Context) control.Findings {
	if !c.readable {
		return nil
	}
	rendered := map[string][2]render.Files{}
	var findings control.Findings
	for _, file := range c.files {
		cluster := clusterOf(file)
		if !isRendered(file) || c.base.Clusters[cluster] == nil || c.head.Clusters[cluster] == nil {
			continue
		}
		if _, done := rendered[cluster]; !done {
			before, _ := render.Cluster(c.base, cluster)
			after, _ := render.Cluster(c.head, cluster)
			rendered[cluster] = [2]render.Files{before, after}
		}
		before, after := rendered[cluster][0], rendered[cluster][1]
		content, err := fs.ReadFile(c.Head, file)
		want := after[path.Base(file)]
		switch {
		case before == nil || after == nil: // one of them cannot be rendered
		case err != nil && !errors.Is(err, fs.ErrNotExist): // which the rules on the repo say
		case bytes.Equal(content, want), !bytes.Equal(before[path.Base(file)], want):
		case want == nil && !bytes.HasPrefix(content, []byte(render.Header)): // a file of a person's own
		default:
			findings = append(findings, control.Finding{
				File: file, Message: "this file was edited or deleted by hand: nothing that it is rendered from has changed, and the next render would undo it",
				Help: fmt.Sprintf("`tfgitops render %s` undoes it; what is to be different goes into values, or a patch in %s", cluster, control.OverlayFile(cluster)),
			})
		}
	}
	return findings
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
