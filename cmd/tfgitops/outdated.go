package main

import (
	"errors"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

func newOutdatedCmd(o *options) *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:     "outdated",
		Short:   "Show what is merged or published and not pinned",
		GroupID: groupLive,
		Long: `Outdated compares each pin with its component's source branch and its chart's repository: what is merged and not pinned,
what is published and not pinned, and what is merged and was never published, which is where CI broke. For charts that
nobody here builds it shows newer stable versions, by semantic version. It asks no cluster.`,
		Example: `  tfgitops outdated
  tfgitops outdated -o json | jq '.rows[] | select(.unpublished > 0)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, err := pickFormat(live.OutdatedFormats(), output)
			if err != nil {
				return err
			}
			repo, err := o.openControlRepo(cmd.Context())
			if err != nil {
				return err
			}
			defer repo.close()
			upstream, err := o.asker().Ask(cmd.Context(), repo.Repo, live.Waiting, live.Published)
			if err != nil {
				return err
			}
			warn(cmd.ErrOrStderr(), upstream)
			if err := write(cmd.OutOrStdout(), live.FindOutdated(repo.Repo, upstream, o.now())); err != nil {
				return err
			}
			if len(upstream.Errors) > 0 && len(upstream.Waiting)+len(upstream.Versions) == 0 {
				return errors.New("no source and no registry could be asked: whether anything waits is unknown")
			}
			return nil
		},
	}
	registerOutput(cmd, &output, live.OutdatedFormats())
	return cmd
}
