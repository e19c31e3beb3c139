package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
)

// publishFlags are the flags of publish.
type publishFlags struct {
	cluster, to, revision, source, output string
	tags                                  []string
	insecure, dryRun                      bool
}

func newPublishCmd(o *options) *cobra.Command {
	f := &publishFlags{output: "table"}
	cmd := &cobra.Command{
		Use:     "publish",
		Short:   "Push what Flux applies to a cluster to a registry, as a Flux OCI artifact",
		GroupID: groupRepo,
		Long: `Publish builds a cluster's overlay from a Git commit and pushes the result as "flux push artifact" does, for an
OCIRepository to pull instead of the Git repository. The artifact is tagged with the whole commit id, and then with
--tag. It holds objects.yaml with every object, and the kustomization.yaml that names it.

One commit has one digest, whoever publishes it and when: the time in the artifact is the commit's. --source is part of
it; its default is the URL of the remote "origin". Publishing twice changes nothing.

Without --revision the checked out commit is published, and refused where the working tree has other changes that
concern the cluster: they would not be in it. Naming the commit says that this is meant.

Credentials come from the Docker configuration ("docker login").`,
		Example: `  tfgitops publish --cluster tools --to oci://registry.example.org/clusters/tools
  tfgitops publish --cluster tools --to oci://registry.example.org/clusters/tools --revision v12 --tag stable -o json
  tfgitops publish --cluster tools --to oci://registry.example.org/clusters/tools --dry-run`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.publish(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.cluster, "cluster", "", "the `CLUSTER` (required)")
	flags.StringVar(&f.to, "to", "", "the repository in the registry, `oci://HOST/PATH` without a tag (required)")
	flags.StringVar(&f.revision, "revision", "", "the Git `REVISION` to build (default: the checked out commit)")
	flags.StringVar(&f.source, "source", "", "the `URL` that the artifact says it comes from (default: that of the remote \"origin\")")
	flags.StringSliceVar(&f.tags, "tag", []string{"latest"}, "the `TAG` that moves to this artifact (repeatable; empty for none)")
	flags.BoolVar(&f.insecure, "insecure", false, "speak to the registry in plain HTTP")
	flags.BoolVar(&f.dryRun, "dry-run", false, "push nothing; say what would be")
	flags.StringVarP(&f.output, "output", "o", f.output, "the output `FORMAT`: "+strings.Join(publishFormatNames(), ", "))
	_ = cmd.MarkFlagRequired("cluster")
	_ = cmd.MarkFlagRequired("to")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(publishFormatNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *options) publish(cmd *cobra.Command, f *publishFlags) error {
	write, known := publishFormats()[f.output]
	if !known {
		return usageError{fmt.Errorf("there is no output format %q: write %s", f.output, strings.Join(publishFormatNames(), ", "))}
	}
	ctx := cmd.Context()
	root, err := o.openRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	repo, err := gitrepo.Open(ctx, root.Name())
	if err != nil {
		return err
	}
	defer repo.Close()
	if f.revision == "" {
		if err := refuseUncommitted(ctx, repo, f.cluster); err != nil {
			return err
		}
	}
	commit, bundle, err := f.bundle(ctx, repo)
	if err != nil {
		return err
	}
	tags := append([]string{commit}, slices.DeleteFunc(f.tags, func(tag string) bool { return tag == "" })...)
	published, err := o.charts(false).Publish(ctx, artifact.Repository{URL: f.to, Insecure: f.insecure}, tags, bundle, f.dryRun)
	if err != nil {
		return err
	}
	f.report(cmd.ErrOrStderr(), published)
	return write(cmd.OutOrStdout(), publication{
		Version: 1, Cluster: f.cluster, Commit: commit, Repository: published.Repository, Digest: published.Digest,
		Reference: published.Ref(), Tags: tags, Pushed: !f.dryRun && len(published.Moved) > 0,
	})
}

// bundle is what Flux applies to the cluster at a commit.
func (f *publishFlags) bundle(ctx context.Context, repo *gitrepo.Repo) (commit string, b artifact.Bundle, err error) {
	revision := f.revision
	if revision == "" {
		revision = "HEAD"
	}
	if commit, err = repo.Resolve(ctx, revision); err != nil {
		return "", b, err
	}
	tree, err := repo.FS(ctx, commit)
	if err != nil {
		return "", b, err
	}
	if !slices.Contains(control.ClusterFolders(tree), f.cluster) {
		return "", b, usageError{fmt.Errorf("commit %s has no cluster %q: it has %s", short(commit), f.cluster, strings.Join(control.ClusterFolders(tree), ", "))}
	}
	built, err := overlay.Build(ctx, tree, control.ClusterDir(f.cluster))
	if err != nil {
		return "", b, err
	}
	b = artifact.Bundle{Source: f.source, Revision: "sha1:" + commit}
	if b.Source == "" {
		b.Source, _ = repo.RemoteURL(ctx, "origin") // a repository without a remote has nothing to say here
	}
	info, err := fs.Stat(tree, ".")
	if err != nil {
		return "", b, err
	}
	b.Created = info.ModTime()
	objects := make([]map[string]any, len(built.Objects))
	for i, object := range built.Objects {
		objects[i] = object.Content
	}
	b.Files, err = artifact.BundleFiles(objects)
	return commit, b, err
}

// refusedError is what a safety rule of a command refuses.
type refusedError struct{ error }

// Refused makes it exit 3.
func (refusedError) Refused() bool { return true }

// refuseUncommitted refuses to publish a commit that a person may take for what they see in their folder.
func refuseUncommitted(ctx context.Context, repo *gitrepo.Repo, cluster string) error {
	changed, err := repo.Dirty(ctx, []string{control.ClusterDir(cluster), path.Dir(control.ComponentDir("any")), control.RootFile})
	if err != nil || len(changed) == 0 {
		return err
	}
	return refusedError{fmt.Errorf("%s has changes that are not committed, and would not be published: commit them, or publish without them with --revision HEAD", changed[0].Path)}
}

// report says what happened, for people.
func (f *publishFlags) report(messages io.Writer, p artifact.Published) {
	switch {
	case len(p.Moved) == 0:
		fmt.Fprintln(messages, "everything is published already")
	case f.dryRun:
		fmt.Fprintf(messages, "would tag %s; nothing was pushed (--dry-run)\n", strings.Join(p.Moved, ", "))
	default:
		fmt.Fprintf(messages, "pushed, and tagged %s\n", strings.Join(p.Moved, ", "))
	}
}

// publication is the output of publish.
type publication struct {
	Version    int      `json:"version"`
	Cluster    string   `json:"cluster"`
	Commit     string   `json:"commit"`
	Repository string   `json:"repository"`
	Digest     string   `json:"digest"`
	Reference  string   `json:"reference"`
	Tags       []string `json:"tags"`
	Pushed     bool     `json:"pushed"`
}

func publishFormats() map[string]func(io.Writer, publication) error {
	return map[string]func(io.Writer, publication) error{
		"table": func(out io.Writer, p publication) error {
			_, err := fmt.Fprintln(out, p.Reference)
			return err
		},
		"json": func(out io.Writer, p publication) error {
			encoder := json.NewEncoder(out)
			encoder.SetIndent("", "  ")
			return encoder.Encode(p)
		},
		"yaml": func(out io.Writer, p publication) error {
			text, err := yaml.Marshal(p)
			if err == nil {
				_, err = out.Write(text)
			}
			return err
		},
	}
}

func publishFormatNames() []string { return slices.Sorted(maps.Keys(publishFormats())) }
