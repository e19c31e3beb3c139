package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// diffLive compares what Helm last installed on a cluster with what the working tree would have it install.
func (o *options) diffLive(cmd *cobra.Command, f *diffFlags, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	if len(f.clusters) != 1 || len(args) > 0 {
		return usageError{errors.New("--live compares one cluster with the working tree: name it with --cluster, and no BASE or HEAD")}
	}
	ctx := cmd.Context()
	root, err := o.openRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	components := f.components
	if len(components) == 0 {
		if components, err = helmComponents(ctx, root.FS(), f.clusters[0]); err != nil {
			return err
		}
	}
	found, err := findReleases(ctx, root.FS(), f.clusters[0], components)
	if err != nil {
		return err
	}
	settings, err := o.diffOptions(f)
	if err != nil {
		return err
	}
	apply := &applyFlags{cluster: f.clusters[0], kubeconfig: f.kubeconfig, offline: f.offline}
	target, err := apply.connect(found.cluster)
	if err != nil {
		return err
	}
	var installed []diff.Installed
	for _, one := range found.list {
		installed = append(installed, o.installed(ctx, apply, target, found, one))
	}
	report, err := diff.Live(ctx, found.cluster.Name, installed, settings)
	if err != nil {
		return err
	}
	if err := diff.Write(cmd.OutOrStdout(), diff.Format(f.output), report, f.style(o)); err != nil {
		return err
	}
	return f.outcome(report)
}

// helmComponents are the components of a cluster that Helm installs; plain manifests are Flux's own affair.
func helmComponents(ctx context.Context, fsys fs.FS, cluster string) ([]string, error) {
	repo, findings := control.Load(ctx, fsys, control.Only{Clusters: []string{cluster}})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	deployments, findings := repo.Deployments(cluster)
	var names []string
	for _, deployment := range deployments {
		if deployment.ManifestsDir == "" {
			names = append(names, deployment.Component.Name)
		}
	}
	return names, findings.Err()
}

// installed compares one release. What goes wrong is said of it, and the others are compared all the same.
func (o *options) installed(ctx context.Context, f *applyFlags, target *chart.Target, found *releases, one deployed) diff.Installed {
	installed := diff.Installed{Release: one.Name, Component: one.component, File: control.RenderedDir(f.cluster) + "/" + render.FileName(one.component)}
	application, err := o.application(ctx, f, found, &one)
	if err != nil {
		installed.Err = err
		return installed
	}
	prepared, err := target.Prepare(ctx, application)
	if err != nil {
		installed.Err = err
		return installed
	}
	installed.New, installed.Differences = prepared.ChartVersion, prepared.Differences
	if newest := prepared.Installed; newest != nil {
		installed.Old = newest.Version
		if newest.Status != "deployed" {
			installed.Notes = []string{fmt.Sprintf("%s: Helm's newest revision, %d, is %s; compared is the newest that was deployed", one.Name, newest.Revision, newest.Status)}
		}
	}
	return installed
}
