package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

func newSchemaCmd(*options) *cobra.Command {
	return &cobra.Command{
		Use:     "schema KIND",
		Short:   "Print the JSON Schema of a kind of file",
		GroupID: groupRepo,
		Long: `Schema prints the JSON Schema (draft-07) of a kind of file, for editors and other programs: controlrepo, component,
cluster or pin. A file's first line names it to editors with the YAML language server:

    # yaml-language-server: $schema=../../schemas/component.schema.json`,
		Example: `  tfgitops schema pin
  tfgitops schema component > schemas/component.schema.json`,
		Args:              oneKind,
		ValidArgsFunction: completeKinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := v1alpha1.ParseKind(args[0])
			if err != nil {
				return usageError{err}
			}
			schema, err := v1alpha1.Schema(kind)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return err
		},
	}
}

func oneKind(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return usageError{fmt.Errorf("%d kinds are given and one is wanted: write `%s KIND`, with %s", len(args), cmd.CommandPath(), strings.Join(kindNames(), ", "))}
}

func completeKinds(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return kindNames(), cobra.ShellCompDirectiveNoFileComp
}

// kindNames are the kinds as people type them.
func kindNames() []string {
	var names []string
	for _, kind := range v1alpha1.Kinds() {
		names = append(names, strings.ToLower(string(kind)))
	}
	return names
}
