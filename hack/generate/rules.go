package main

import (
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// rulesPage is the reference page on what validate finds in a repo and in a change, in the order of the rules' ids.
func rulesPage(repo, change []control.Rule) ([]byte, error) {
	return execute(rulesTemplate, struct{ Repo, Change []control.Rule }{byID(repo), byID(change)})
}

func byID(rules []control.Rule) []control.Rule {
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, func(a, b control.Rule) int { return strings.Compare(a.ID, b.ID) })
	return sorted
}

const rulesTemplate = `<!-- Written by make generate from validate.Rules and validate.ChangeRules. Do not edit. -->
# Rules

` + "`tfgitops validate`" + ` shows every finding of these rules at once, with the rule's id in brackets. It exits 1 if one is an error, and
with ` + "`--strict`" + ` on warnings too. The ids do not change.

| rule | severity | finds | otherwise |
|---|---|---|---|
{{- range .Repo}}
| ` + "`{{.ID}}`" + ` | {{.Severity}} | {{cell .Finds}} | {{cell .Because}} |
{{- end}}

## Rules on a change

` + "`tfgitops validate --base REF`" + ` adds these. The change is what leads from the commit where HEAD left REF to the working tree;
its commits are those that REF does not have. Holds and freezes count as they were before the change, and at the present time.

A commit says what is meant by trailers, which the commands write. ` + "`Tfgitops-Op: rollback`" + ` (or ` + "`unhold`, `remove`" + `) states an operation
on the component and clusters of its other trailers; ` + "`Tfgitops-Override: RULE REASON`" + ` goes on past a [safety rule](safety-rules.md), and
without ` + "`Tfgitops-Component`" + ` speaks of the whole change. An override without a reason is none. What a ` + "`git revert`" + ` restores is
a warning where it would be an error: it must not fail at night.

| rule | severity | finds | otherwise |
|---|---|---|---|
{{- range .Change}}
| ` + "`{{.ID}}`" + ` | {{.Severity}} | {{cell .Finds}} | {{cell .Because}} |
{{- end}}
`
