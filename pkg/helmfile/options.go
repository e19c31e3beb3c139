package helmfile

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/strvals"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Options say what a helmfile repo cannot.
type Options struct {
	// Environments are the environments to import, and the names of the clusters that they become; all, each by its own
	// name, where it is empty.
	Environments map[string]string
	// Env are environment variables that templates may ask for. The importer's own are never read.
	Env map[string]string
	// StateValues override the environments' values, as helmfile's --state-values-file and --state-values-set do.
	StateValues map[string]any
	// V1 reads helmfiles as helmfile's version 1 does: only those that end in .gotmpl are templates, in one pass.
	V1 bool
	// Drop are values that are not to be carried over, by release: paths with dots.
	Drop map[string][]string
	// Keep are values that look like helmfile's own and are the chart's, by release.
	Keep map[string][]string
	// Accept are constructs that would fail a component and are to be reported only.
	Accept []string
	// Stages are the stages of a new control repo.
	Stages []Stage
	// KubeVersions are the Kubernetes versions of new clusters, by cluster; "" is for those that are not named.
	KubeVersions map[string]string
	// FluxVersion is the Flux version of new clusters.
	FluxVersion string
	// Suspend has Flux leave every new release as it is, until that is taken back.
	Suspend bool
	// Strict writes nothing unless every component can be imported.
	Strict bool
}

// Stage is a stage of a new control repo.
type Stage struct {
	Name                string
	Clusters, Followers []string
}

// ParseStage reads NAME=CLUSTER[,CLUSTER…][:FOLLOWER[,FOLLOWER…]].
func ParseStage(text string) (Stage, error) {
	name, rest, both := strings.Cut(text, "=")
	clusters, followers, _ := strings.Cut(rest, ":")
	if !both || name == "" || clusters == "" {
		return Stage{}, fmt.Errorf("%q is no stage: write NAME=CLUSTER[,CLUSTER…][:FOLLOWER[,FOLLOWER…]], such as test=toolsbeta:local", text)
	}
	stage := Stage{Name: name, Clusters: strings.Split(clusters, ",")}
	if followers != "" {
		stage.Followers = strings.Split(followers, ",")
	}
	return stage, nil
}

// ParsePaths reads RELEASE:PATH entries.
func ParsePaths(texts []string) (map[string][]string, error) {
	paths := map[string][]string{}
	for _, text := range texts {
		release, path, both := strings.Cut(text, ":")
		if !both || release == "" || path == "" {
			return nil, fmt.Errorf("%q names no value: write RELEASE:PATH, such as loki:auth.htpasswd", text)
		}
		paths[release] = append(paths[release], path)
	}
	return paths, nil
}

// StateValues reads what helmfile's --state-values-file and --state-values-set would be given.
func StateValues(files, sets []string) (map[string]any, error) {
	merged := control.Values{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		values, err := control.ParseValues(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		merged = control.MergeValues(merged, values)
	}
	for _, set := range sets {
		values := map[string]any{}
		if err := strvals.ParseInto(set, values); err != nil {
			return nil, fmt.Errorf("%q is no NAME=VALUE as helm's --set takes it: %w", set, err)
		}
		read, err := asValues(values)
		if err != nil {
			return nil, err
		}
		merged = control.MergeValues(merged, read)
	}
	return merged, nil
}

// ParseAssignments reads NAME=VALUE entries; without = the value is the name.
func ParseAssignments(texts []string) map[string]string {
	values := map[string]string{}
	for _, text := range texts {
		name, value, both := strings.Cut(text, "=")
		if !both {
			value = name
		}
		values[name] = value
	}
	return values
}

func (o Options) keeps(release, path string) bool { return slices.Contains(o.Keep[release], path) }

// cluster is the name of the cluster that an environment becomes, if it is to be imported.
func (o Options) cluster(environment string) (string, bool) {
	if len(o.Environments) == 0 {
		return environment, true
	}
	name, wanted := o.Environments[environment]
	return name, wanted
}
