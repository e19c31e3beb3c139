package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile"
)

// importFlags are the flags of import helmfile as they are typed.
type importFlags struct {
	environments, env, drop, keep, stages, kubeVersions []string
	stateFiles, stateSets                               []string
	name, output                                        string
	dryRun, runHelmfile                                 bool
	options                                             helmfile.Options
}

func newImportHelmfileCmd(o *options) *cobra.Command {
	f := &importFlags{}
	cmd := &cobra.Command{
		Use:   "helmfile DIR",
		Short: "Write a helmfile control repo into this one, with proof",
		Long: `Import helmfile reads the helmfile control repo in DIR and writes components/, clusters/ and tfgitops.yaml into the current
directory, or the one that -C names: an empty one, or a control repo, of which only what differs is changed. It prints a
report: every construct with its place, and whether it was mapped, was dropped, or is to do.

It runs no command and reads nothing outside of DIR: what a command would print (exec in a template) becomes a reference to
a Secret. As proof, chart, version, repository, namespaces, timeout and final values of every release in every environment
are compared with what is rendered: nothing is written if anything differs. A component with a construct that has no
counterpart is left out and reported, and the exit code is 1; with --strict nothing is written then.`,
		Example: `  tfgitops -C control import helmfile ../deploy --stage test=toolsbeta:local --stage production=tools > report.md
  tfgitops import helmfile ../deploy --dry-run -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.parse(); err != nil {
				return usageError{err}
			}
			return o.importHelmfile(cmd, args[0], f)
		},
	}
	f.declare(cmd)
	return cmd
}

func (f *importFlags) declare(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "the `NAME` of a new control repo (default: the directory's)")
	flags.StringArrayVar(&f.environments, "environment", nil, "import only `ENVIRONMENT[=CLUSTER]`, as that cluster (repeatable)")
	flags.StringArrayVar(&f.stages, "stage", nil, "a stage of a new control repo: `NAME=CLUSTER[,…][:FOLLOWER,…]` (repeatable, in order)")
	flags.StringArrayVar(&f.kubeVersions, "kube-version", nil, "the Kubernetes version of new clusters: `[CLUSTER=]VERSION` (repeatable)")
	flags.StringVar(&f.options.FluxVersion, "flux-version", helmfile.DefaultFlux, "the Flux `VERSION` of new clusters")
	flags.StringArrayVar(&f.env, "env", nil, "an environment variable that templates ask for: `NAME=VALUE` (repeatable; no others are seen)")
	flags.StringArrayVar(&f.stateFiles, "state-values-file", nil, "a `FILE` of values over the environments', as for helmfile (repeatable)")
	flags.StringArrayVar(&f.stateSets, "state-values-set", nil, "a value over the environments', `NAME=VALUE` as for helmfile (repeatable)")
	flags.BoolVar(&f.options.V1, "v1", false, "read helmfiles as version 1 does: only .gotmpl are templates, in one pass")
	flags.StringArrayVar(&f.drop, "drop", nil, "leave a value out: `RELEASE:PATH` (repeatable)")
	flags.StringArrayVar(&f.keep, "keep", nil, "keep a value that looks like helmfile's own: `RELEASE:PATH` (repeatable)")
	flags.StringArrayVar(&f.options.Accept, "accept", nil, "report a `CONSTRUCT` that would fail its component, and go on (repeatable)")
	flags.BoolVar(&f.options.Suspend, "suspend", false, "have Flux leave new releases alone until suspend is taken back")
	flags.BoolVar(&f.options.Strict, "strict", false, "write nothing unless every component can be imported")
	flags.BoolVar(&f.dryRun, "dry-run", false, "write nothing; print the report")
	flags.BoolVar(&f.runHelmfile, "run-helmfile", false, "also compare with `helmfile write-values`, run on a copy where it can fetch no secret (needs helmfile 0.x on PATH)")
	flags.StringVarP(&f.output, "output", "o", string(helmfile.Markdown), "the report's `FORMAT`: markdown or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"markdown", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// parse turns the flags into options.
func (f *importFlags) parse() (err error) {
	if _, known := helmfile.Formats()[helmfile.Format(f.output)]; !known {
		return fmt.Errorf("there is no output format %q: write markdown or json", f.output)
	}
	f.options.Environments = helmfile.ParseAssignments(f.environments)
	f.options.Env = helmfile.ParseAssignments(f.env)
	f.options.KubeVersions = map[string]string{}
	for _, text := range f.kubeVersions {
		cluster, version, named := strings.Cut(text, "=")
		if !named {
			cluster, version = "", text
		}
		f.options.KubeVersions[cluster] = strings.TrimPrefix(version, "v")
	}
	for _, text := range f.stages {
		stage, err := helmfile.ParseStage(text)
		if err != nil {
			return err
		}
		f.options.Stages = append(f.options.Stages, stage)
	}
	if f.options.Drop, err = helmfile.ParsePaths(f.drop); err != nil {
		return err
	}
	if f.options.Keep, err = helmfile.ParsePaths(f.keep); err != nil {
		return err
	}
	f.options.StateValues, err = helmfile.StateValues(f.stateFiles, f.stateSets)
	return err
}

func (o *options) importHelmfile(cmd *cobra.Command, from string, f *importFlags) error {
	source, err := os.OpenRoot(from)
	if err != nil {
		return fmt.Errorf("cannot open the helmfile control repo: %w", err)
	}
	defer source.Close()
	dir, err := filepath.Abs(o.dir) // of "" it is the current directory
	if err != nil {
		return err
	}
	target, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot open the directory to import into: %w", err)
	}
	defer target.Close()
	if f.name == "" {
		f.name = strings.ToLower(filepath.Base(dir))
	}
	result, err := helmfile.Import(cmd.Context(), source.FS(), target.FS(), f.name, f.options)
	if err != nil {
		return err
	}
	if f.runHelmfile {
		if err := runHelmfile(cmd.Context(), result); err != nil {
			return err
		}
	}
	return o.finishImport(cmd, target, f, result)
}

// runHelmfile adds the comparison with the helmfile program on PATH.
func runHelmfile(ctx context.Context, result *helmfile.Result) error {
	program, err := exec.LookPath("helmfile")
	if err != nil {
		return errors.New("there is no helmfile on PATH: put one there (0.x), or leave --run-helmfile out")
	}
	return result.CompareWithHelmfile(ctx, program)
}

// finishImport writes what the import comes to, unless something speaks against it, and the report.
func (o *options) finishImport(cmd *cobra.Command, target *os.Root, f *importFlags, result *helmfile.Result) error {
	messages := cmd.ErrOrStderr()
	report := result.Report
	if !f.dryRun {
		if err := result.Write(cmd.Context(), target); err != nil {
			return err
		}
	}
	if err := helmfile.Formats()[helmfile.Format(f.output)](cmd.OutOrStdout(), report); err != nil {
		return err
	}
	sayImported(messages, f, result)
	if len(report.Failed())+len(report.Different()) > 0 {
		return errFound
	}
	if len(result.Changes) > 0 && !f.dryRun {
		o.printNext(messages, "validate")
	}
	return nil
}

// sayImported says in a few lines what the report has at length.
func sayImported(messages io.Writer, f *importFlags, result *helmfile.Result) {
	report := result.Report
	for _, item := range report.Failed() {
		fmt.Fprintf(messages, "%s: error: %s\n", item.Position, item.Text)
	}
	for _, compared := range report.Different() {
		fmt.Fprintf(messages, "release %q on %s is not what helmfile deploys: %s\n", compared.Release, compared.Cluster, strings.Join(compared.Differences, "\n"))
	}
	verb := "written"
	if f.dryRun {
		verb = "to be written"
	}
	fmt.Fprintf(messages, "%d components, %d releases proved the same, %s %s\n", len(report.Components), len(report.Proof)-len(report.Different()), countFiles(len(result.Changes), "is", "are"), verb)
}
