package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

func newLogCmd(o *options) *cobra.Command {
	f := &pinFlags{}
	cluster, output, limit := "", "table", 0
	cmd := &cobra.Command{
		Use:     "log [COMPONENT]",
		Short:   "Show what ran where, since when and by whom, from the control repo's history",
		GroupID: groupPins,
		Long: `Log shows the changes of pins, newest first, from the Git history of the control repo's checked out branch. A
"git revert" of a change counts as a rollback.`,
		Example: `  tfgitops log maintain-kubeusers --cluster tools
  tfgitops log -o json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: o.completeComponents,
		RunE: func(cmd *cobra.Command, args []string) error {
			write, known := logFormats()[output]
			if !known {
				return usageError{fmt.Errorf("there is no output format %q: write table, json or yaml", output)}
			}
			ws, done, err := o.openWorkspace(cmd.Context(), f)
			if err != nil {
				return err
			}
			defer done()
			component := ""
			if len(args) == 1 {
				component = args[0]
			}
			history, err := ws.Planner.Deployments(cmd.Context(), component, cluster)
			if err != nil {
				return err
			}
			if len(history) == 0 {
				if err := checkNames(cmd.Context(), ws.Root.FS(), component, cluster); err != nil {
					return err
				}
			}
			if limit > 0 {
				history = history[:min(limit, len(history))]
			}
			return write(cmd.OutOrStdout(), logEntries(history))
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "on this `CLUSTER` only")
	cmd.Flags().IntVarP(&limit, "limit", "n", 0, "at most `N` changes, the newest (default: all)")
	cmd.Flags().StringVarP(&output, "output", "o", output, "the output `FORMAT`: table, json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// checkNames refuses a component or a cluster that is neither here nor in history, where an empty answer would mislead.
func checkNames(ctx context.Context, root fs.FS, component, cluster string) error {
	only := control.Only{Components: []string{}, Clusters: []string{}}
	if component != "" {
		only.Components = append(only.Components, component)
	}
	if cluster != "" {
		only.Clusters = append(only.Clusters, cluster)
	}
	_, findings := control.Load(ctx, root, only)
	return findings.Err()
}

// logEntry is one change in the JSON and YAML output.
type logEntry struct {
	Time      time.Time `json:"time"`
	Cluster   string    `json:"cluster"`
	Component string    `json:"component"`
	Op        bump.Op   `json:"op"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	By        string    `json:"by"`
	Commit    string    `json:"commit"`
	Subject   string    `json:"subject"`
}

func logEntries(history []bump.Deployed) []logEntry {
	entries := []logEntry{}
	for _, d := range history {
		entries = append(entries, logEntry{
			Time: d.Time, Cluster: d.Cluster, Component: d.Component, Op: d.Op, From: bump.Describe(d.Before), To: bump.Describe(d.After),
			By: d.Author, Commit: d.Commit, Subject: d.Subject,
		})
	}
	return entries
}

func logFormats() map[string]func(io.Writer, []logEntry) error {
	return map[string]func(io.Writer, []logEntry) error{"table": logTable, "json": logJSON, "yaml": logYAML}
}

func logTable(out io.Writer, entries []logEntry) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SINCE\tCLUSTER\tCOMPONENT\tOP\tFROM\tTO\tBY\tCOMMIT")
	for _, e := range entries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Time.Format(time.DateTime), e.Cluster, e.Component, e.Op, e.From, e.To, e.By, short(e.Commit))
	}
	return table.Flush()
}

// logDocument is the JSON and YAML form; Version counts its incompatible changes.
type logDocument struct {
	Version int        `json:"version"`
	Changes []logEntry `json:"changes"`
}

func logJSON(out io.Writer, entries []logEntry) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(logDocument{Version: 1, Changes: entries})
}

func logYAML(out io.Writer, entries []logEntry) error {
	data, err := yaml.Marshal(logDocument{Version: 1, Changes: entries})
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return err
}
