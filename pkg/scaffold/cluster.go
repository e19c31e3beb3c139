package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/yamledit"
)

// ClusterOptions describe a new cluster.
type ClusterOptions struct {
	Name string
	// KubeVersion is the Kubernetes version with all three numbers; a v before them is dropped.
	KubeVersion string
	// FluxVersion is Flux's version; what follows its minor number is dropped.
	FluxVersion string
	// Context is the context in people's kubeconfig, if any.
	Context string
	// Stage is the stage that the cluster joins, if any; one that is not there becomes the last.
	Stage string
}

// AddCluster plans a cluster with nothing deployed on it. What Flux keeps in the cluster's folder already stays and is
// listed.
func AddCluster(ctx context.Context, fsys fs.FS, options ClusterOptions) (Plan, error) {
	if err := checkName("cluster", options.Name); err != nil {
		return Plan{}, err
	}
	content, err := clusterFile(options)
	if err != nil {
		return Plan{}, err
	}
	if file := control.ClusterFile(options.Name); exists(fsys, file) {
		return Plan{}, fmt.Errorf("%s is %w", file, ErrExists)
	}
	p := propose(fsys)
	if err := errors.Join(p.create(control.ClusterFile(options.Name), content), p.addOverlay(options.Name), p.joinStage(ctx, options)); err != nil {
		return Plan{}, err
	}
	if err := p.render(ctx, options.Name); err != nil {
		return Plan{}, err
	}
	return p.plan(ctx)
}

func clusterFile(options ClusterOptions) (string, error) {
	kube, err := semver.StrictNewVersion(strings.TrimPrefix(options.KubeVersion, "v"))
	if err != nil {
		return "", fmt.Errorf("%q is no Kubernetes version: write all three numbers, such as 1.32.4 (kubectl version shows it)", options.KubeVersion)
	}
	flux, err := fluxMinor(options.FluxVersion)
	if err != nil {
		return "", err
	}
	text := head(v1alpha1.KindCluster, control.ClusterFile(options.Name), options.Name, "") +
		fmt.Sprintf("spec:\n  # Charts see this version.\n  kubeVersion: %q\n  # It decides which fields render writes.\n  fluxVersion: %q\n", kube, flux)
	if options.Context != "" {
		text += fmt.Sprintf("  # The cluster in people's kubeconfig.\n  context: %s\n", scalar(options.Context))
	}
	return text, nil
}

var fluxVersion = regexp.MustCompile(`^v?(2\.[0-9]+)(\.[0-9]+)?$`)

// fluxMinor returns the major and minor number of a Flux version.
func fluxMinor(version string) (string, error) {
	match := fluxVersion.FindStringSubmatch(version)
	if match == nil {
		return "", fmt.Errorf("%q is no version of Flux 2: write it as 2.9 or 2.9.1 (flux version shows it)", version)
	}
	return match[1], nil
}

// addOverlay adds the cluster's kustomization, with Flux's own folder where flux bootstrap has made it. One that is there
// stays as it is: validate says whether it lists what it must.
func (p *proposal) addOverlay(cluster string) error {
	if exists(p.base, control.OverlayFile(cluster)) {
		return p.checkOverlay(cluster)
	}
	text := `# What Flux applies. Patches, SOPS secrets and flux-system are added here, by hand.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - manifests
`
	if exists(p.base, control.ClusterDir(cluster)+"/flux-system") {
		text += "  - flux-system\n"
	}
	return p.create(control.OverlayFile(cluster), text)
}

func (p *proposal) checkOverlay(cluster string) error {
	file := control.OverlayFile(cluster)
	content, err := fs.ReadFile(p.base, file)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", file, err)
	}
	overlay := struct{ Resources []string }{}
	if err := yaml.Unmarshal(content, &overlay); err != nil {
		return fmt.Errorf("cannot read %s: %w", file, err)
	}
	if !slices.Contains(overlay.Resources, "manifests") {
		return fmt.Errorf("%s is %w and does not list what render writes: add manifests to its resources, then add the cluster again", file, ErrExists)
	}
	return nil
}

// newStage is a stage as it is added to tfgitops.yaml.
type newStage struct {
	Name     string   `yaml:"name"`
	Clusters []string `yaml:"clusters"`
	Requires []string `yaml:"requires,omitempty"`
}

// joinStage adds the cluster to its stage in tfgitops.yaml. A new stage that is not the first waits for the one before:
// without that a promotion would not be stopped by anything.
func (p *proposal) joinStage(ctx context.Context, options ClusterOptions) error {
	if options.Stage == "" {
		return nil
	}
	if err := checkName("stage", options.Stage); err != nil {
		return err
	}
	repo, _ := control.Load(ctx, p.base, control.Only{Clusters: []string{}, Components: []string{}})
	return p.edit(control.RootFile, func(content []byte) ([]byte, error) {
		stages := repo.Spec.Stages
		i := slices.IndexFunc(stages, func(s v1alpha1.Stage) bool { return s.Name == options.Stage })
		switch {
		case i >= 0 && slices.Contains(slices.Concat(stages[i].Clusters, stages[i].Followers), options.Name):
			return content, nil
		case i >= 0:
			return yamledit.Append(content, options.Name, "spec", "stages", strconv.Itoa(i), "clusters")
		}
		stage, place := newStage{Name: options.Stage, Clusters: []string{options.Name}}, "the first"
		if len(stages) > 0 {
			stage.Requires = []string{string(v1alpha1.GateReady)}
			place = "after " + stages[len(stages)-1].Name
		}
		p.notes = append(p.notes, fmt.Sprintf("the stage %s is new: it is %s", options.Stage, place))
		return yamledit.Append(content, stage, "spec", "stages")
	})
}
