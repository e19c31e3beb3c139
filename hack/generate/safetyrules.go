package main

import (
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
)

// safetyRulesPage is the reference page on what the commands that change pins refuse, in the order in which they say it.
func safetyRulesPage(rules []bump.Rule) ([]byte, error) {
	type row struct{ Name, Commands, Refuses string }
	var rows []row
	for _, rule := range rules {
		rows = append(rows, row{rule.Name, commands(rule.Ops), rule.Refuses})
	}
	return execute(safetyRulesTemplate, rows)
}

func commands(ops []bump.Op) string {
	names := make([]string, len(ops))
	for i, op := range ops {
		names[i] = "`" + string(op) + "`"
	}
	if len(names) == 0 {
		return "all, with `--commit`"
	}
	return strings.Join(names, ", ")
}

const safetyRulesTemplate = `<!-- Written by make generate from bump.Rules. Do not edit. -->
# Safety rules

The commands that change pins refuse what these rules speak against, with exit code 3, and change nothing.
` + "`--override RULE --reason TEXT`" + ` goes on past a rule, and the commit says so and why (` + "`Tfgitops-Override`" + `). Overriding a rule that
does not speak is harmless. The names do not change.

| rule | commands | refuses |
|---|---|---|
{{- range .}}
| ` + "`{{.Name}}`" + ` | {{.Commands}} | {{cell .Refuses}} |
{{- end}}
`
