package diff_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
)

// TestReferencePage holds docs/reference/risks.md to the table of rules; -update writes it.
func TestReferencePage(t *testing.T) {
	t.Parallel()
	const file = "../../docs/reference/risks.md"
	var page bytes.Buffer
	page.WriteString(`# Risk rules

What ` + "`tfgitops diff`" + ` points reviewers to, the gravest first. Most look at what Helm applies, and need ` + "`--charts`" + `. Made from the table in
pkg/diff by its tests; ` + "`make golden`" + ` writes it anew.

` + "`--fail-on high`" + ` exits 3 where a rule of that severity fires, or where something could not be compared. A component takes a rule
out in its component.yaml, with a reason that reviewers see:

` + "```yaml" + `
spec:
  silence:
    - rule: data-removed
      reason: the volume only held a test
` + "```" + `

| rule | severity | finds | because | example |
|---|---|---|---|---|
`)
	cell := strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`)
	for _, rule := range diff.Rules() {
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s | %s |\n", rule.ID, rule.Severity, cell.Replace(rule.Finds), cell.Replace(rule.Because), cell.Replace(rule.Example))
	}
	if *update {
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run make golden", err)
	}
	if d := cmp.Diff(page.String(), string(got)); d != "" {
		t.Errorf("%s is not what the rules say: run make golden (-rules +page)\n%s", file, d)
	}
}
