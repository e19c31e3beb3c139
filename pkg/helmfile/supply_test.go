package helmfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile"
)

// suppliedRepo is a control repo whose releases take values from Secrets.
var suppliedRepo = map[string]string{
	"tfgitops.yaml":              "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: ControlRepo\nmetadata: {name: x}\nspec: {repositories: {acme: {url: https://charts.example.org}}}\n",
	"clusters/prod/cluster.yaml": "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Cluster\nmetadata: {name: prod}\nspec: {kubeVersion: 1.32.0, fluxVersion: \"2.9\"}\n",
	"clusters/prod/pins/app.yaml": `apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Pin
metadata: {name: app}
spec: {releases: {web: {version: "1.0.0"}, raw: {version: "1.0.0"}}}
`,
	"components/app/values/raw.yaml": "inline: {here: 1}\n",
	"components/app/component.yaml": `apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Component
metadata: {name: app}
spec:
  namespace: web
  releases:
    - name: web
      repository: acme
      valuesFrom:
        - {kind: Secret, name: web-values, valuesKey: password, targetPath: auth.password, literal: true}
        - {kind: Secret, name: maybe, valuesKey: x, targetPath: auth.x, optional: true}
        - {kind: ConfigMap, name: public}
    - name: raw
      repository: acme
      valuesFrom:
        - {kind: Secret, name: raw-values}
`,
}

func TestSupply(t *testing.T) {
	t.Parallel()
	repo, findings := control.Load(t.Context(), mapFS(suppliedRepo), control.Only{})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	references, findings := helmfile.References(repo, "prod")
	if err := findings.Err(); err != nil || len(references) != 3 {
		t.Fatalf("%d references, want 3: %v", len(references), err)
	}
	const whole = "raw-values:\n  values.yaml: |\n    token: 0123\n"
	for _, c := range []struct{ name, in, want, problem, unused string }{
		{
			name: "all there", in: "web-values:\n  password: \"a,b\\n\"\n" + whole + "extra: {key: v}\n", unused: "extra/key",
			want: "apiVersion: v1\nkind: Secret\nmetadata:\n  name: raw-values\n  namespace: flux-system\nstringData:\n  values.yaml: |\n    token: 0123\ntype: Opaque\n" +
				"---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: web-values\n  namespace: flux-system\nstringData:\n  password: a,b\ntype: Opaque\n",
		},
		{name: "digits stay", in: "web-values: {password: 09895639}\n" + whole, want: "  password: \"09895639\"\n"},
		{name: "optional", in: "web-values: {password: x}\nmaybe: {x: y}\n" + whole, want: "name: maybe"},
		{name: "missing", in: whole, problem: `release "web": Secret web-values, key password`},
		{name: "empty", in: "web-values: {password: ' '}\n" + whole, problem: "web-values, key password"},
		{name: "not filled in", in: "web-values: {password: <password>}\n" + whole, problem: "still has the <name>"},
		{name: "no values", in: "web-values: {password: x}\nraw-values: {values.yaml: hunter2}\n", problem: "not a mapping of values"},
		{name: "inline wins", in: "web-values: {password: x}\nraw-values: {values.yaml: 'inline: {here: hunter2}'}\n", problem: "inline.here is also written"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			secrets, err := helmfile.ReadSecrets(strings.NewReader(c.in))
			if err != nil {
				t.Fatal(err)
			}
			got, unused, err := helmfile.Supply(references, secrets, "flux-system")
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) || strings.Contains(err.Error(), "hunter2") || got != nil {
					t.Errorf("error %q, want %q", err, c.problem)
				}
				return
			}
			if err != nil || !strings.Contains(string(got), c.want) || c.want == "" {
				t.Errorf("%v\n%s", err, cmp.Diff(c.want, string(got)))
			}
			if joined := strings.Join(unused, " "); joined != c.unused {
				t.Errorf("unused %q, want %q", joined, c.unused)
			}
		})
	}
	if _, _, err := helmfile.Supply([]helmfile.Reference{{Release: "x", ValuesReference: meta.ValuesReference{Kind: "Secret", Name: "n"}}}, nil, ""); !errors.Is(err, helmfile.ErrSecretsMissing) {
		t.Errorf("without secrets: %v", err)
	}
}

func TestReadSecretsRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "[", "a: hunter2", "a: {b: [hunter2]}", "a: {b: ~}"} {
		secrets, err := helmfile.ReadSecrets(strings.NewReader(in))
		if err == nil && len(secrets) > 0 {
			t.Errorf("%q is read as %v", in, secrets)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error quotes a secret: %v", in, err)
		}
	}
}
