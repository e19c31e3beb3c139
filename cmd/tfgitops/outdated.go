package main

import (
	"errors"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

func newOutdatedCmd(o *options) *cobra.Command {
	f, output := &liveFlags{}, ""
	cmd := &cobra.Command{
		Use:     "outdated",
		Short:   "Show what is merged or published and not pinned",
		GroupID: groupLive,
		Long: `Outdated compares each pin with its component's source branch and its chart's repository: what is merged and not pinned,
what is published and not pinned, and what is merged and was never published, which is where CI broke. For charts that
nobody here builds it shows newer stable versions, by semantic version. It asks no cluster. Where sources or registries
cannot be reached from here, --from takes what an exporter was told by them, which may be some minutes old.`,
		Example: `  tfgitops outdated
  tfgitops outdated -o json | jq '.rows[] | select(.unpublished > 0)'
  TFGITOPS_TOKEN=… tfgitops outdated --from https://tfgitops.example.org`,
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
			upstream, err := f.upstream(cmd.Context(), o, repo.Repo, live.Waiting, live.Published)
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
	cmd.Flags().StringVar(&f.from, "from", "", "ask the exporter at this `URL` instead; its read token is taken from "+tokenVariable)
	registerOutput(cmd, &output, live.OutdatedFormats())
	return cmd
}
