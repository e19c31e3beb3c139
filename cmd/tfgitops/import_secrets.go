package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile"
)

func newImportSecretsCmd(o *options) *cobra.Command {
	from, cluster := "", ""
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Print the Secrets that a cluster's releases take values from, into a pipe",
		Long: `Import secrets reads the contents of Secrets, checks that every key that a release on the cluster refers to is there, and
prints the Secrets. It never writes a file, and refuses to print to a terminal or a file: pipe the output to kubectl or sops.

FILE is YAML: the names of Secrets, each with its keys. The report of import helmfile has it to be filled in. A line end at the
end of a value is dropped; everything else is taken as it is.`,
		Example: `  tfgitops import secrets --from secrets.yaml --cluster toolsbeta | kubectl --context toolsbeta apply -f -
  pass show toolforge | tfgitops import secrets --from - --cluster tools | sops encrypt --input-type yaml /dev/stdin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return usageError{errors.New("no secrets are named: write --from FILE, or --from - for standard input")}
			}
			if err := onlyPiped(cmd.OutOrStdout()); err != nil {
				return err
			}
			return o.importSecrets(cmd, from, cluster)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the `FILE` with the contents of Secrets; - is standard input")
	cmd.Flags().StringVar(&cluster, "cluster", "", "the `CLUSTER` that they are for")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	return cmd
}

func (o *options) importSecrets(cmd *cobra.Command, from, cluster string) error {
	repo, root, err := o.loadCluster(cmd, cluster)
	if err != nil {
		return err
	}
	defer root.Close()
	secrets, err := readSecrets(cmd.InOrStdin(), from)
	if err != nil {
		return err
	}
	references, findings := helmfile.References(repo, cluster)
	if err := findings.Err(); err != nil {
		return err
	}
	objects, unused, err := helmfile.Supply(references, secrets, repo.Clusters[cluster].FluxNamespaceName())
	if errors.Is(err, helmfile.ErrSecretsMissing) {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		return errFound
	}
	if err != nil {
		return err
	}
	if len(unused) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "no release on %s refers to these, and they are left out: %s\n", cluster, strings.Join(unused, ", "))
	}
	_, err = cmd.OutOrStdout().Write(objects)
	return err
}

func readSecrets(in io.Reader, from string) (helmfile.Secrets, error) {
	if from == "-" {
		return helmfile.ReadSecrets(in)
	}
	file, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return helmfile.ReadSecrets(file)
}

// onlyPiped refuses a terminal, which remembers what it shows, and a file.
func onlyPiped(out io.Writer) error {
	file, isFile := out.(*os.File)
	if !isFile {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() || info.Mode()&fs.ModeCharDevice != 0 {
		return fmt.Errorf("%w: add `| kubectl apply -f -` or `| sops …`", helmfile.ErrNotPiped)
	}
	return nil
}
