package main

import (
	"github.com/spf13/cobra"
)

func newValidateCmd(o *options) *cobra.Command {
	return &cobra.Command{Use: "validate"}
}
