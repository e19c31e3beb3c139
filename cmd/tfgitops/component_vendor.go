package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/scaffold"
)

func newComponentVendorCmd(o *options) *cobra.Command {
	settings := scaffold.VendorOptions{}
	cmd := &cobra.Command{
		Use:   "vendor NAME VERSION URL|FILE…",
		Short: "Fetch a version of a component's plain manifests",
		Long: `Vendor fetches manifests into components/NAME/manifests/VERSION, and writes there where they are from. It prints the
checksum of each file, and the digest of the folder that a pin of this version has. A version that is there with other
content stays as it is: that is an error.`,
		Example: `  tfgitops component vendor gateway-api 1.4.1 https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.4.1/standard-install.yaml`,
		Args:    cobra.MinimumNArgs(3),
		ValidArgsFunction: func(cmd *cobra.Command, given []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			switch len(given) {
			case 0:
				return o.completeComponents(cmd, given, toComplete)
			case 1:
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := o.openRoot()
			if err != nil {
				return err
			}
			defer root.Close()
			settings.Component, settings.Version, settings.Sources = args[0], args[1], args[2:]
			vendored, err := scaffold.Vendor(cmd.Context(), root, &http.Client{}, settings)
			if err != nil {
				return err
			}
			for _, file := range vendored.Files {
				fmt.Fprintf(cmd.OutOrStdout(), "sha256:%s  %s (objects: %d)\n", file.SHA256, file.Name, file.Objects)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", vendored.Digest, vendored.Dir)
			verb := "created"
			if vendored.Unchanged {
				verb = "unchanged:"
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s %s\n", verb, vendored.Dir)
			o.printNext(cmd.ErrOrStderr(), "bump %s %s --install --cluster %s", settings.Component, settings.Version, firstCluster(cmd.Context(), root.FS()))
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&settings.SHA256, "sha256", nil, "the expected checksum, in `HEX`; for several sources one each, in their order")
	return cmd
}
