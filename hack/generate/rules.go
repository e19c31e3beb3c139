package main

import (
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// rulesPage is the reference page on what validate finds, in the order of the rules' ids.
func rulesPage(rules []control.Rule) ([]byte, error) {
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, func(a, b control.Rule) int { return strings.Compare(a.ID, b.ID) })
	return execute(rulesTemplate, sorted)
}

const rulesTemplate = `<!-- Written by make generate from validate.Rules. Do not edit. -->
# Rules

` + "`tfgitops validate`" + ` shows every finding of these rules at once, with the rule's id in brackets. It exits 1 if one is an error, and
with ` + "`--strict`" + ` on warnings too. The ids do not change.

| rule | severity | finds | otherwise |
|---|---|---|---|
{{- range .}}
| ` + "`{{.ID}}`" + ` | {{.Severity}} | {{cell .Finds}} | {{cell .Because}} |
{{- end}}
`
